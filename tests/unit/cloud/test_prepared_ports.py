"""Prepared ports at the door: whose are seen, and what is never taken from anybody."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from causeway.cloud import errors
from causeway.cloud.ownership import Owner
from causeway.cloud.prepared_ports import PreparedPort, PreparedPorts, tags_of


class Cloud:
    """Answers with ``ports``, and keeps what it was asked."""

    def __init__(self, *ports: dict[str, Any]) -> None:
        self.ports = ports
        self.asked: list[Any] = []

    async def project_id(self) -> str:
        return "project"

    async def get_all(self, *_: str, params: Mapping[str, Any]) -> list[msgspec.Raw]:
        self.asked.append(params)
        return [msgspec.Raw(msgspec.json.encode(port)) for port in self.ports]

    async def call(self, *asked: str, **more: Any) -> bytes:
        self.asked.append((asked[1], more))
        return msgspec.json.encode({"port": self.ports[0]})


def port(**more: Any) -> dict[str, Any]:
    shown = {"id": "p", "name": "db", "status": "DOWN", "network_id": "net", "mac_address": "m"}
    return {**shown, "tags": tags_of("c", "shop"), "revision_number": 4, **more}


def test_only_the_projects_own_that_carry_no_tags_of_ownership_are_found() -> None:
    cloud = Cloud(port(), port(id="ours", tags=[*tags_of("c", "shop"), *Owner("c", "pod").tags()]))
    (found,) = asyncio.run(PreparedPorts(cloud).list_prepared_ports("c"))  # type: ignore[arg-type]  # a part of it
    assert found.id == "p"
    assert (found.is_for("shop"), found.is_for("sho"), found.vnic_type) == (True, False, "normal")
    assert cloud.asked[0]["project_id"] == "project"
    assert cloud.asked[0]["tags"] == ["causeway-for=c"]
    assert "binding:vnic_type" in cloud.asked[0]["fields"]


@pytest.mark.parametrize(
    "used",
    [
        {"device_owner": "compute:nova", "device_id": "server"},
        {"device_owner": "causeway:pod", "device_id": "another-cluster"},
        {"binding:host_id": "elsewhere"},
    ],
)
def test_what_others_use_is_neither_bound_nor_unbound(used: dict[str, str]) -> None:
    cloud = Cloud(port(**used))
    door = PreparedPorts(cloud)  # type: ignore[arg-type]  # a part of it
    with pytest.raises(errors.InUse):
        asyncio.run(door.bind_port("p", host="m1", cluster="c"))
    assert isinstance(asyncio.run(door.unbind_port("p", cluster="c")), PreparedPort)
    assert {method for method, _ in cloud.asked} == {"GET"}


def test_a_change_is_made_only_to_what_was_read() -> None:
    cloud = Cloud(port())
    asyncio.run(PreparedPorts(cloud).bind_port("p", host="m1", cluster="c"))  # type: ignore[arg-type]  # a part of it
    (_, (method, more)) = cloud.asked
    assert (method, more["headers"]) == ("PUT", {"If-Match": "revision_number=4"})
    changed = {"binding:host_id": "m1", "device_owner": "causeway:pod", "device_id": "c"}
    assert more["body"] == {"port": changed}
