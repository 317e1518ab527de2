from pathlib import Path

from causeway.lab.images import sidecars
from causeway.lab.images.golang import Published, Toolchain
from causeway.rooms.platforms.storage import Sidecars


class Modules(Toolchain):
    """What is published of modules, without a network."""

    def __init__(self) -> None:
        pass

    def published(self, path: str, version: str) -> Published:
        text = (
            "go 1.26.0\n\nrequire (\n\tk8s.io/api v0.0.0\n)\n"
            if path == "k8s.io/kubernetes"
            else "go 1.25.0\n"
        )
        return Published(text, "2026-01-01T00:00:00Z", Path())


def test_a_platform_looks_for_the_images_that_are_on_our_nodes() -> None:
    made = {f"localhost/{each.name}:{each.version}" for each in sidecars.COMPONENTS}
    assert set(Sidecars().model_dump().values()) == made


def test_all_are_built_from_one_graph_of_modules_so_that_they_share_what_is_compiled() -> None:
    modules = [each.module(Modules()) for each in sidecars.COMPONENTS]
    assert len({tuple(sorted(each.requires.items())) for each in modules}) == 1
    assert {tuple(each.replaces.items()) for each in modules} == {(("k8s.io/api", "v0.36.1"),)}


def test_each_states_its_own_version() -> None:
    for component in sidecars.COMPONENTS:
        module = component.module(Modules())
        assert module.variables == {"main.version": component.version}
        assert list(module.programs) == [component.name]
        assert module.programs[component.name].endswith(f"/cmd/{component.name}")
