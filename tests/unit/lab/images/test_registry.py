from causeway.lab.images import registry
from causeway.rooms.platforms.registry import Registry


def test_a_platform_looks_for_the_image_that_is_on_our_nodes() -> None:
    made = f"localhost/{registry.COMPONENT.name}:{registry.COMPONENT.version}"
    assert Registry.model_validate({"storage": "cinder"}).image == made
