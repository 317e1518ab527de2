"""Where the controller's settings come from, and what is said when they cannot be used."""

import json
from pathlib import Path

import pytest

from causeway.kit.errors import Problem
from causeway.rooms.platforms import addons
from causeway.rooms.platforms.model import Names
from causeway.serve.controller.naming import naming_of
from causeway.serve.controller.settings import Settings

PLATFORM = {
    "clusterId": "c",
    "platform": "demo",
    "externalNetworkId": "ext",
    "podNetworkId": "pn",
    "podSubnetId": "ps",
    "podSecurityGroupId": "sg",
    "serviceNetworkId": "sn",
    "serviceSubnetId": "ss",
    "nodeSubnetId": "ns",
    "loadBalancerProvider": "ovn",
    "serviceCidr": "172.30.0.0/17",
}


def test_everything_has_a_default_that_fits_the_deployment() -> None:
    settings = Settings.from_environment({})
    assert settings.config == Path("/etc/causeway/config.json")
    assert settings.clouds_file is None
    assert (settings.cloud, settings.namespace, settings.health_port) == ("openstack", "kube-system", 9878)
    assert settings.identity != Settings.from_environment({}).identity


def test_whoever_restarts_in_the_same_pod_is_the_same_candidate() -> None:
    environment = {"POD_NAME": "causeway-controller-x", "OS_CLIENT_CONFIG_FILE": "/etc/causeway/clouds.yaml"}
    assert Settings.from_environment(environment) == Settings.from_environment(environment)


def test_a_port_that_is_none_is_refused() -> None:
    with pytest.raises(Problem, match="CAUSEWAY_HEALTH_PORT"):
        Settings.from_environment({"CAUSEWAY_HEALTH_PORT": "http"})


@pytest.mark.parametrize("missing", [None, *PLATFORM])
def test_the_file_of_the_platform_is_read_or_refused_by_name(tmp_path: Path, missing: str | None) -> None:
    file = tmp_path / "config.json"
    file.write_text(
        json.dumps({key: value for key, value in PLATFORM.items() if key != missing} | {"more": 1})
    )
    settings = Settings.from_environment({"CAUSEWAY_CONFIG": str(file)})
    if missing is None:
        assert settings.platform().pod_security_group_id == "sg"
    else:
        with pytest.raises(Problem, match=missing):
            settings.platform()


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="causeway apply"):
        Settings.from_environment({"CAUSEWAY_CONFIG": str(tmp_path / "none")}).platform()


def test_names_are_written_only_where_the_platform_says_so(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    asked = Names.model_validate({"zone": "example.org", "txtPrefix": "txt."})
    named = addons.names_of(asked, "c", {"api_address": "192.0.2.1"})
    for names in (None, named):
        file.write_text(json.dumps(PLATFORM | ({"names": names} if names else {})))
        setting = naming_of(Settings.from_environment({"CAUSEWAY_CONFIG": str(file)}).platform())
        if names is None:
            assert setting is None
        else:
            assert setting is not None
            assert (setting.zones, setting.owner) == (("example.org.",), "c")
            assert setting.fixed == {"api.example.org.": "192.0.2.1"}
            assert setting.affixes.prefix == "txt."
