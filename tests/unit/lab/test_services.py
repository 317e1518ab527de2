import json
from importlib import resources
from pathlib import Path

import pytest

from causeway.lab.model import Copy, File, Http, Service, Step
from causeway.lab.packages import EXTRAS, with_needed
from causeway.lab.render import Renderer
from causeway.lab.services import units
from causeway.lab.settings import Settings, passwords


@pytest.fixture
def lab(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "lab", tmp_path / "cache", extras=EXTRAS)


def test_every_template_renders_with_every_value_set(lab: Settings) -> None:
    lab.directory.mkdir()
    secrets = passwords(lab.directory)
    render = Renderer(lab, secrets)
    for unit in units(lab):
        for file in unit.files:
            if isinstance(file, File):
                assert render.text(file.template, file.values)
            else:
                assert (resources.files("causeway.lab") / file.source).is_file()
        if isinstance(unit, Step) and unit.stdin:
            assert secrets["database"] in render.text(unit.stdin)


def test_files_with_passwords_are_private(lab: Settings) -> None:
    lab.directory.mkdir()
    secrets = passwords(lab.directory)
    render = Renderer(lab, secrets)
    for unit in units(lab):
        for file in unit.files:
            if isinstance(file, Copy) or file.mode & 0o077 == 0:
                continue
            text = render.text(file.template, file.values)
            assert not any(secret in text for secret in secrets.values()), file.path


def test_no_password_is_in_a_command(lab: Settings) -> None:
    lab.directory.mkdir()
    secrets = passwords(lab.directory)
    words = json.dumps([(unit.command, dict(unit.environment)) for unit in units(lab)])
    assert not any(secret in words for secret in secrets.values())


def test_every_api_has_a_port_of_its_own(lab: Settings) -> None:
    ports = [
        unit.ready.port for unit in units(lab) if isinstance(unit, Service) and isinstance(unit.ready, Http)
    ]
    assert len(ports) == len(set(ports))
    assert {5000, 8774, 8776, 9292, 9696, 9876, 8004, 8778} <= set(ports)


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_adds_units_and_takes_none_away(lab: Settings, extra: str) -> None:
    base = {unit.name for unit in units(Settings(lab.directory, lab.cache))}
    more = {unit.name for unit in units(Settings(lab.directory, lab.cache, extras=with_needed((extra,))))}
    assert base < more
