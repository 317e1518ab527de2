"""The rules of the credential cover every call of every door: each method is called and compared."""

import dataclasses
import inspect
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest

import causeway.cloud
from causeway.cloud.access import (
    NAMES,
    PROBES,
    RULES,
    SHARE_PROBES,
    SHARE_RULES,
    VOLUME_PROBES,
    VOLUME_RULES,
    Rule,
    allows,
    below,
)
from causeway.cloud.cinder import Cinder
from causeway.cloud.manila import Manila
from causeway.cloud.nova import Addresses, Attachments

SAMPLE = "0a1b2c3d-0a1b-4a1b-8a1b-0a1b2c3d4e5f"
# Doors whose calls are made by people's commands, with their own credentials, or that make none.
NOT_BOUND = {"connection", "credentials", "session"}
# Doors of the drivers of storage, which have credentials of their own.
OF_DRIVERS: dict[type, tuple[Rule, ...]] = {
    Attachments: VOLUME_RULES,
    Cinder: VOLUME_RULES,
    Addresses: SHARE_RULES,
    Manila: SHARE_RULES,
}


class Called(Exception):
    """What a door wanted to call."""


class Cloud:
    """Stands where the session stands and tells what it was asked for; answers nothing."""

    async def call(self, service: str, method: str, path: str, **_: Any) -> bytes:
        raise Called(service, method, path)

    async def get_all(self, service: str, path: str, _key: str, **_kept: Any) -> list[Any]:
        raise Called(service, "GET", path)

    async def region(self, _service: str) -> str:
        return "RegionOne"

    async def project_id(self) -> str:
        return SAMPLE


def doors() -> list[type]:
    """Return the classes of the cloud layer that are made from a session alone."""
    found = []
    for file in sorted(Path(causeway.cloud.__file__).parent.glob("*.py")):
        if file.stem in NOT_BOUND or file.stem == "__init__":
            continue
        module = import_module(f"causeway.cloud.{file.stem}")
        found += [
            each
            for _, each in inspect.getmembers(module, inspect.isclass)
            if each.__module__ == module.__name__ and list(inspect.signature(each).parameters) == ["cloud"]
        ]
    return found


def sample(hint: Any) -> Any:
    """Return some value of a type, with one element in whatever holds elements."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return inner[0]
    if origin in (typing.Union, types.UnionType):
        return sample(next(each for each in inner if each is not type(None)))
    if isinstance(origin, type):
        if issubclass(origin, Mapping):
            return {sample(inner[0]): sample(inner[1])}
        if issubclass(origin, tuple):
            return tuple(sample(each) for each in inner if each is not Ellipsis)
        if issubclass(origin, Sequence | Iterable):
            return [sample(inner[0])]
    simple = {str: SAMPLE, int: 1, float: 1.0, bool: True}
    if hint in simple:
        return simple[hint]
    if isinstance(hint, type) and (dataclasses.is_dataclass(hint) or issubclass(hint, msgspec.Struct)):
        hints = typing.get_type_hints(hint)
        required = [each for each, it in inspect.signature(hint).parameters.items() if it.default is it.empty]
        return hint(**{each: sample(hints[each]) for each in required})
    return SAMPLE


CALL_NOTHING = {"Nova.region"}
"""What the catalog tells, which comes with the token."""


def methods() -> list[Any]:
    found = [
        (door, name)
        for door in doors()
        for name, each in inspect.getmembers(door, inspect.iscoroutinefunction)
        if not name.startswith("_")
    ]
    return [pytest.param(*each, id=f"{each[0].__name__}.{each[1]}") for each in found]


def test_all_doors_are_found() -> None:
    assert {"Designate", "Neutron", "Nova", "Octavia"} <= {each.__name__ for each in doors()}


@pytest.mark.parametrize(("door", "name"), methods())
async def test_the_rules_allow_what_a_door_calls(door: type, name: str) -> None:
    method = getattr(door(Cloud()), name)
    hints = typing.get_type_hints(method)
    required = [
        each
        for each, it in inspect.signature(method).parameters.items()
        if it.default is it.empty and it.kind not in (it.VAR_KEYWORD, it.VAR_POSITIONAL)
    ]
    try:
        await method(**{each: sample(hints[each]) for each in required})
    except Called as called:
        rules = OF_DRIVERS.get(door, (*RULES, *NAMES))
        assert allows(*called.args, rules=rules), f"add {called.args} to causeway.cloud.access"
    else:
        assert f"{door.__name__}.{name}" in CALL_NOTHING, "it called nothing with the sample"


def test_nothing_beyond_networks_and_load_balancers_is_allowed() -> None:
    assert {each.service for each in RULES} == {"network", "load-balancer", "compute"}
    assert [each for each in RULES if each.service == "compute"] == [
        Rule("compute", "/v2.1/servers/detail", "GET")
    ]
    assert not allows("network", "POST", "/v2.0/rbac-policies")
    assert not allows("network", "GET", "/v2.0/ports/a/b/c")
    assert not allows("network", "DELETE", "/v2.0/ports")


def test_names_are_written_only_where_they_are_used_and_zones_are_never_made_or_deleted() -> None:
    assert {each.service for each in NAMES} == {"dns"}
    assert not [each for each in RULES if each.service == "dns"]
    assert not allows("dns", "POST", "/v2/zones")
    assert not allows("dns", "DELETE", "/v2/zones/a")
    assert not allows("dns", "GET", "/v2/zones/a/shares")


def test_the_volume_drivers_credential_is_for_volumes_and_their_attachments_alone() -> None:
    assert {each.service for each in VOLUME_RULES} == {"block-storage", "compute"}
    for method, path in (("POST", "/v2.1/servers"), ("DELETE", "/v2.1/servers/a"), ("GET", "/v2.1/flavors")):
        assert not allows("compute", method, path, rules=VOLUME_RULES)


def test_the_credential_for_shares_is_for_shares_alone_and_looks_at_servers() -> None:
    assert {each.service for each in SHARE_RULES} == {"shared-file-system", "compute"}
    assert [each.method for each in SHARE_RULES if each.service == "compute"] == ["GET"]
    for path in ("/v2/a/share-networks", "/v2/a/types", "/v2/a/share-access-rules/b"):
        assert not allows("shared-file-system", "POST", path, rules=SHARE_RULES)


def test_probes_are_allowed() -> None:
    assert all(allows(service, "GET", path) for service, path in PROBES.items())
    for service, path in VOLUME_PROBES.items():
        assert allows(service, "GET", path.format(project="p"), rules=VOLUME_RULES)
    for service, path in SHARE_PROBES.items():
        assert allows(service, "GET", path.format(project="p"), rules=SHARE_RULES)


def test_an_endpoint_with_a_path_of_its_own_is_part_of_the_rule() -> None:
    rule = Rule("network", "/v2.0/ports", "GET")
    assert below([rule], {"network": "/networking"}) == [Rule("network", "/networking/v2.0/ports", "GET")]
