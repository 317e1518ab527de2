"""Definitions become networks of the cloud, or users are told why not."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.models.events import KeptEvents
from tests.models.feeds import Feed, informers, together

from causeway.cloud import errors
from causeway.cloud.networks import Network, Networks, Subnet
from causeway.kube.events import Recorder
from causeway.kube.interfaces import ATTACHMENT_DEFINITIONS, AttachmentDefinition, AttachmentSpec
from causeway.kube.objects import Meta, Pod
from causeway.rooms.interfaces.controller import Interfaces
from causeway.rooms.interfaces.model import Found, Known

Run = Callable[[Coroutine[Any, Any, Any]], Any]
S4, S4B = Subnet("s4", "n1", "10.9.0.0/24", 4, "10.9.0.1"), Subnet("s4b", "n1", "10.8.0.0/24", 4)
S6 = Subnet("s6", "n1", "fd00:9::/64", 6)


class Cloud(Networks):
    """A project that sees some networks."""

    def __init__(self) -> None:
        self.networks = [Network("n1", "data", 1500), Network("n2", "twin"), Network("n3", "twin")]
        self.networks.append(Network("n4", "bare"))
        self.subnets = [S4, S4B, S6, Subnet("s3", "n3", "10.7.0.0/24", 4)]
        self.broken = False

    async def find_networks(self, name_or_id: str) -> list[Network]:
        if self.broken:
            raise errors.ServerError("network", "broke")
        return [each for each in self.networks if name_or_id in (each.id, each.name)]

    async def subnets_of(self, network_id: str) -> list[Subnet]:
        return [each for each in self.subnets if each.network_id == network_id]


class Platform:
    """The room at work, and what it tells."""

    def __init__(self) -> None:
        self.cloud = Cloud()
        self.definitions = Feed[AttachmentDefinition]()
        self.events = KeptEvents()
        self.woken: list[str] = []
        self.informers = informers({ATTACHMENT_DEFINITIONS: self.definitions})
        self.room = Interfaces(
            networks=self.cloud,
            recorder=Recorder(self.events, "test"),
            definitions=self.informers.definitions,
        )
        self.room.on_change(self.woken.append)

    def define(self, name: str, network: str, **more: Any) -> None:
        config = {"cniVersion": "1.0.0", "name": name, "type": "causeway", "network": network, **more}
        self.definitions.put(
            AttachmentDefinition(Meta(name, "shop", f"uid-{name}"), AttachmentSpec(json.dumps(config)))
        )


def pod(networks: str) -> Pod:
    return Pod(Meta("web", "shop", "u", annotations={"k8s.v1.cni.cncf.io/networks": networks}))


def test_a_network_is_found_by_name_and_pods_are_woken(in_virtual_time: Run) -> None:
    async def main() -> None:
        here = Platform()
        task = asyncio.create_task(together(here.informers.run, here.room.run))
        await asyncio.sleep(1)
        assert here.room.of(pod("data@fast0")) == ()
        await asyncio.sleep(1)
        assert here.events.said() == [
            "web: NoSuchNetwork: There is no NetworkAttachmentDefinition shop/data. "
            "Make it, or correct the annotation."
        ]
        here.define("data", "data")
        await asyncio.sleep(1)
        assert here.woken == ["u"]
        # One address of each family, unless the definition says which subnets.
        found = Found("n1", 1500, (S4, S4B, S6), ("s4", "s6"))
        assert here.room.of(pod("data@fast0")) == (Known("fast0", found),)
        here.define("data", "data", subnets=["s4b"], securityGroups=["g"])
        await asyncio.sleep(1)
        (known,) = here.room.of(pod('[{"name": "data", "ips": ["10.8.0.9"], "mac": "02:00:00:00:00:09"}]'))
        assert (known.network.chosen, known.network.groups) == (("s4b",), ("g",))
        assert (known.name, known.addresses, known.mac) == ("net1", ("10.8.0.9",), "02:00:00:00:00:09")
        task.cancel()

    in_virtual_time(main())


@pytest.mark.parametrize(
    ("network", "more", "words"),
    [
        ("nowhere", {}, "sees no network 'nowhere'"),
        ("twin", {}, "2 networks have the name 'twin'"),
        ("bare", {}, "has no subnet"),
        ("data", {"subnets": ["s3"]}, "has no subnet s3"),
        ("data", {"type": "macvlan"}, "its type is 'macvlan'"),
    ],
)
def test_what_is_wrong_with_a_definition_is_told_to_who_asks(
    in_virtual_time: Run, network: str, more: dict[str, Any], words: str
) -> None:
    async def main() -> None:
        here = Platform()
        task = asyncio.create_task(together(here.informers.run, here.room.run))
        here.define("data", network, **more)
        await asyncio.sleep(1)
        assert here.room.of(pod("data")) == ()
        await asyncio.sleep(1)
        assert len(here.events.kept) == 1
        assert words in here.events.said()[0]
        here.define("data", "data")
        await asyncio.sleep(1)
        assert here.woken == ["u"]
        task.cancel()

    in_virtual_time(main())


def test_a_cloud_that_fails_is_asked_again(in_virtual_time: Run) -> None:
    async def main() -> None:
        here = Platform()
        here.cloud.broken = True
        task = asyncio.create_task(together(here.informers.run, here.room.run))
        here.define("data", "data")
        await asyncio.sleep(1)
        assert here.room.of(pod("data")) == ()
        await asyncio.sleep(1)
        assert "network: broke" in here.events.said()[0]
        here.cloud.broken = False
        await asyncio.sleep(60)
        assert here.woken == ["u"]
        assert len(here.room.of(pod("data"))) == 1
        task.cancel()

    in_virtual_time(main())


def test_an_annotation_that_is_wrong_is_told(in_virtual_time: Run) -> None:
    async def main() -> None:
        here = Platform()
        assert here.room.of(pod("data@eth0")) == ()
        await asyncio.sleep(1)
        assert "eth0 is asked for twice" in here.events.said()[0]

    in_virtual_time(main())
