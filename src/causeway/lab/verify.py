"""Proof that the lab works: one real call to each API, as the people who will use it would make it."""

import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import openstack
from keystoneauth1.exceptions import ClientException
from openstack.exceptions import SDKException

from causeway.lab.settings import Settings

# Seconds an API may take until its first good answer.
LIMIT = 90.0


@dataclass(frozen=True)
class Answer:
    """What one service answered; ``problem`` is empty when it works. ``seconds`` is until it worked."""

    service: str
    seconds: float
    problem: str = ""


class NotYet(Exception):
    """A service answers, but what is behind it is not there yet."""


def answers(lab: Settings, extras: Collection[str]) -> Iterator[Answer]:
    """Call each service of ``lab`` until it works or its time is over; yield the answers as they come."""
    cloud = connect(lab, "lab-admin")
    calls = CALLS | {name: EXTRA_CALLS[extra] for extra, name in EXTRA_NAMES.items() if extra in extras}
    with ThreadPoolExecutor(len(calls)) as pool:
        running = [pool.submit(_answer, name, call, cloud) for name, call in calls.items()]
        for done in as_completed(running):
            yield done.result()


def connect(lab: Settings, cloud: str) -> Any:
    """Return a connection of openstacksdk to the lab as ``cloud`` of its clouds.yaml."""
    config = openstack.config.OpenStackConfig(
        config_files=[str(lab.clouds_file)], secure_files=[], vendor_files=[], load_envvars=False
    )
    return openstack.connection.Connection(config=config.get_one(cloud=cloud))


def _answer(name: str, call: Callable[[Any], None], cloud: Any) -> Answer:
    began = time.monotonic()
    while True:
        try:
            call(cloud)
            return Answer(name, round(time.monotonic() - began, 2))
        except (SDKException, ClientException, NotYet, OSError) as error:
            elapsed = time.monotonic() - began
            if elapsed > LIMIT:
                return Answer(name, round(elapsed, 2), str(error) or type(error).__name__)
            time.sleep(0.3)


def _identity(cloud: Any) -> None:
    list(cloud.identity.projects())


def _image(cloud: Any) -> None:
    list(cloud.image.images())


def _placement(cloud: Any) -> None:
    if not list(cloud.placement.resource_providers()):
        raise NotYet("no resource provider yet")


def _network(cloud: Any) -> None:
    if not any(agent.is_alive for agent in cloud.network.agents()):
        raise NotYet("no network agent is alive yet")


def _compute(cloud: Any) -> None:
    _all_up({"nova-conductor", "nova-scheduler", "nova-compute"}, cloud.compute.services())
    if not list(cloud.compute.hypervisors()):
        raise NotYet("no hypervisor yet")


def _volume(cloud: Any) -> None:
    _all_up({"cinder-scheduler", "cinder-volume"}, cloud.block_storage.services())


def _orchestration(cloud: Any) -> None:
    list(cloud.orchestration.stacks())
    if not list(cloud.orchestration.get("/services").json()["services"]):
        raise NotYet("no engine yet")


def _load_balancer(cloud: Any) -> None:
    list(cloud.load_balancer.load_balancers())


def _dns(cloud: Any) -> None:
    list(cloud.dns.zones())


def _shares(cloud: Any) -> None:
    list(cloud.shared_file_system.shares())


def _objects(cloud: Any) -> None:
    list(cloud.object_store.containers())


def _baremetal(cloud: Any) -> None:
    list(cloud.baremetal.nodes())


def _ceph(cloud: Any) -> None:
    path = "/scheduler-stats/pools/detail"
    pools = cloud.shared_file_system.get(path, microversion="2.50").json()["pools"]
    if not any(pool["backend"] == "cephfs" for pool in pools):
        raise NotYet("Manila has no file system of Ceph yet")
    # Nobody's list of buckets.
    cloud.session.get("/", endpoint_filter={"service_type": "s3"}, authenticated=False)


def _all_up(wanted: set[str], services: Any) -> None:
    up = {service.binary for service in services if service.state == "up"}
    if wanted - up:
        raise NotYet(f"not up yet: {', '.join(sorted(wanted - up))}")


CALLS: dict[str, Callable[[Any], None]] = {
    "identity": _identity,
    "image": _image,
    "placement": _placement,
    "network": _network,
    "compute": _compute,
    "volume": _volume,
    "orchestration": _orchestration,
    "load-balancer": _load_balancer,
}
EXTRA_NAMES = {
    "dns": "dns",
    "shares": "shared-file-system",
    "objects": "object-store",
    "baremetal": "baremetal",
    "ceph": "s3",
}
EXTRA_CALLS: dict[str, Callable[[Any], None]] = {
    "dns": _dns,
    "shares": _shares,
    "objects": _objects,
    "baremetal": _baremetal,
    "ceph": _ceph,
}
