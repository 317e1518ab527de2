"""An application with a disk, a name and an image of the platform's registry: all outlive its node."""

import time

import pytest
from openstack.connection import Connection

from causeway.kit.progress import Progress
from demo.commands import Kubectl
from demo.path import Demo
from demo.stateful import INSIDE, NAMESPACE, Stateful
from demo.waiting import until

SECONDS = 300.0


@pytest.fixture(scope="module")
def application(demo: Demo, kubectl: Kubectl, cloud: Connection) -> Stateful:
    """The application, answering by its name."""
    application = Stateful(demo.progress, cloud, kubectl, demo.zone)
    application.push(demo.archives)
    application.deploy()
    return application


def test_a_pod_resolves_a_name_of_the_zone(application: Stateful, kubectl: Kubectl) -> None:
    program = f"import socket; print(socket.gethostbyname('{application.host}'))"
    run = ("exec", "deployment/frontend", *INSIDE, "--", "python3", "-c", program)
    assert kubectl(*run).strip() == application.address()


def test_its_data_are_at_the_same_name_when_its_node_is_lost(application: Stateful) -> None:
    text = f"kept since {time.time_ns()}"
    application.post(text)
    application.lose_node(text)


def test_its_disk_goes_with_it(application: Stateful, kubectl: Kubectl, cloud: Connection) -> None:
    (claim,) = kubectl.json("get", "pvc", *INSIDE)["items"]
    handle = kubectl.json("get", "pv", claim["spec"]["volumeName"])["spec"]["csi"]["volumeHandle"]
    kubectl("delete", "namespace", NAMESPACE, "--wait=true")
    with Progress().phase("its disk") as phase:

        def gone() -> bool:
            return handle not in {each.id for each in cloud.block_storage.volumes()}

        until(phase, "the volume gone", gone, seconds=SECONDS)
