"""A platform without servers: a project with networks and trunks in the lab, a real API server, a controller.

Pods are bound to nodes by hand; nobody runs them. Each node is its daemon's part that hands out ports, and a
player of the kubelet that has it do so.
"""

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.integration.kube_api import KubeApi
from tests.integration.pods.stage import Stage, played
from tests.integration.pods.tenant import Tenant, tenancy

from causeway.kube.resource import NAMESPACES
from causeway.lab.settings import Settings


@pytest.fixture(scope="module")
def tenant(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    with tenancy(Tenant, lab, tmp_path_factory.mktemp("tenant")) as made:
        yield made


@pytest.fixture
async def stage(tenant: Tenant, kube_api: KubeApi) -> AsyncIterator[Stage]:
    async with played(tenant, kube_api) as made:
        await made.client.create(NAMESPACES, {"metadata": {"name": made.namespace}})
        yield made
