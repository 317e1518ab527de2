"""Gateway API's own conformance suite, on a real Kubernetes API and a real HAProxy, with pods that answer."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.integration.deployment import deploy, served
from tests.integration.kube_api import KubeApi, child
from tests.integration.routes.conformance import Programs, obtain
from tests.integration.routes.conftest import kubeconfig_of_router
from tests.integration.routes.gateway_api import definitions
from tests.integration.routes.pods import HOME, running
from tests.integration.routes.stage import Router

from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.gateways import GATEWAY_CLASSES
from causeway.kube.resource import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, CRDS
from causeway.lab import settings
from causeway.rooms.routes.classes import CONTROLLER

CLASS = "causeway"
PROFILES = ("GATEWAY-HTTP", "GATEWAY-TLS", "GATEWAY-TCP")
# All Gateways share one address. The first wants one host and path to lead elsewhere at each of two Gateways;
# the second a name to be refused that another Gateway of the suite, for every host by HTTPS, answers.
SKIPPED = ("HTTPRouteMultipleGateways", "TLSRouteHostnameIntersection")
PORTS = ("5300", "8080", "8090", "8443", "9300-9321")
_MINUTES = 30  # that the suite may take; it takes a few


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return obtain(settings.from_environment().cache, tmp_path_factory.mktemp("conformance") / "log")


@pytest.fixture
async def router(kube_api: KubeApi, programs: Programs, tmp_path: Path) -> AsyncIterator[Router]:
    """A router on an address and ports of its own, which may read every Secret, and pods behind it."""
    async with Client(from_kubeconfig(kube_api.kubeconfig)) as admin:
        await deploy(admin)
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        files = definitions(settings.from_environment().cache, tmp_path / "definitions.log")
        for each in [yaml.load(file.read_text(), loader) for file in files]:
            await admin.create(CRDS, each)
            await served(admin, each["spec"])
        await _let_read_secrets(admin)
        body = {"metadata": {"name": CLASS}, "spec": {"controllerName": CONTROLLER}}
        await admin.apply(body, manager="test", resource=GATEWAY_CLASSES)
        given = {
            "CAUSEWAY_ROUTER_HTTP": f"{HOME.ip}:80",
            "CAUSEWAY_ROUTER_HTTPS": f"{HOME.ip}:443",
            "CAUSEWAY_ROUTER_PORTS": ",".join(f"{HOME.ip}:{each}" for each in PORTS),
            "CAUSEWAY_ROUTER_CANONICAL_HOSTNAME": str(HOME.ip),
        }
        made = Router(tmp_path, await kubeconfig_of_router(admin, kube_api, tmp_path), given)
        async with running(kube_api, admin, programs.echo, tmp_path):
            try:
                await made.start()
                yield made
            finally:
                await made.end()


async def _let_read_secrets(admin: Client) -> None:
    """Let the router read Secrets: the suite makes them as it goes."""
    name = {"metadata": {"name": "router-secrets"}}
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list", "watch"]}
    subject = {"kind": "ServiceAccount", "name": "causeway-router", "namespace": "kube-system"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "router-secrets"}
    await admin.apply(name | {"rules": [rule]}, manager="test", resource=CLUSTER_ROLES)
    await admin.apply(
        name | {"subjects": [subject], "roleRef": reference}, manager="test", resource=CLUSTER_ROLE_BINDINGS
    )


async def test_the_suite_passes(
    kube_api: KubeApi,
    router: Router,
    programs: Programs,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = Path(os.environ.get("CONFORMANCE_REPORT") or tmp_path / "report.yaml")
    command = [
        str(programs.suite),
        "-test.v",
        f"-test.timeout={_MINUTES}m",
        f"--gateway-class={CLASS}",
        f"--conformance-profiles={','.join(PROFILES)}",
        f"--report-output={report}",
        "--organization=causeway",
        "--project=causeway",
        "--url=https://causeway.dev",
        "--version=v0.1.0",
        "--contact=https://causeway.dev",
        f"--skip-tests={','.join(SKIPPED)}",
    ]
    log = tmp_path / "suite.log"
    with log.open("wb") as sink:
        suite = child(command, sink, os.environ | {"KUBECONFIG": str(kube_api.kubeconfig)})
    await asyncio.to_thread(suite.wait, (_MINUTES + 1) * 60)
    assert suite.returncode == 0, (await asyncio.to_thread(log.read_text))[-20000:]
    profiles = yaml.safe_load(await asyncio.to_thread(report.read_text))["profiles"]
    with capsys.disabled():
        print("".join(f"\n    {line}" for each in profiles for line in told(each)), end="", flush=True)
    assert {each["name"] for each in profiles} == set(PROFILES)
    skipped = [test for each in profiles for test in each["core"].get("skippedTests", ())]
    assert sorted(skipped) == sorted(SKIPPED)
    assert all(each["core"]["statistics"]["Passed"] for each in profiles), "no test was run of a profile"


def told(profile: dict[str, Any]) -> Iterator[str]:
    """Yield what the suite reports of a profile, in a line for its core tests and one for the features."""
    for kind in ("core", "extended"):
        if kind not in profile:
            continue
        part = profile[kind]
        numbers = ", ".join(f"{number} {how.lower()}" for how, number in part["statistics"].items() if number)
        features = f" of {len(part['supportedFeatures'])} features" if "supportedFeatures" in part else ""
        skipped = ", ".join(part.get("skippedTests", ()))
        left_out = f" ({skipped}: all Gateways share one address)" if skipped else ""
        yield f"{profile['name']} {kind}: {part['result']}, tests{features}: {numbers}{left_out}"
