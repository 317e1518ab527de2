"""Preflight against the lab's real APIs, in projects of its own, so that quotas can be spoilt undisturbed."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import openstack
import pytest
import yaml
from openstack.connection import Connection
from typer.testing import CliRunner

from causeway.kit.errors import Exit, Problem
from causeway.lab import settings
from causeway.main import app

IMAGE = "causeway-test-node"
DEADLINE = 300  # seconds any single condition may take on a busy machine
PLATFORM = """\
apiVersion: causeway.dev/v1alpha1
kind: Platform
metadata: {name: demo}
spec:
  cloud: tenant
  kubernetes: {version: v1.35.4}
  networks:
    external: ext
    nodes: {cidr: 10.10.0.0/24}
    pods: {cidr: 10.20.0.0/16}
    services: {cidr: 172.30.0.0/16}
  pools:
    - {name: master, role: master, count: 1, flavor: m1.medium, image: causeway-test-node}
    - name: work
      role: compute
      count: 2
      flavor: m1.small
      image: causeway-test-node
      containerStorage: {size: 1}
"""
STACK = {
    "heat_template_version": "2021-04-16",
    "resources": {
        "net": {"type": "OS::Neutron::Net"},
        "subnet": {
            "type": "OS::Neutron::Subnet",
            "properties": {"network": {"get_resource": "net"}, "cidr": "10.10.0.0/24"},
        },
        "router": {"type": "OS::Neutron::Router"},
    },
}


@dataclass(frozen=True)
class Result:
    """How one run of the command ended."""

    status: int
    report: dict[str, Any]
    seconds: float

    @property
    def findings(self) -> dict[str, dict[str, str]]:
        """Return the findings by their place."""
        return {each["place"]: each for check in self.report["checks"] for each in check["findings"]}


class Tenant:
    """A project with one user, and the files with which he runs preflight."""

    def __init__(self, admin: Connection, directory: Path) -> None:
        self.admin = admin
        identity: Any = admin.identity  # whichever version of the API
        self.directory = directory
        name = f"preflight-{uuid4().hex[:8]}"
        self.password = uuid4().hex
        self.project = identity.create_project(name=name, domain_id="default")
        self.user = identity.create_user(
            name=name, password=self.password, domain_id="default", default_project_id=self.project.id
        )
        roles = {role.name: role for role in identity.roles()}
        for role in ("member", "load-balancer_member", "heat_stack_owner"):
            if role in roles:
                identity.assign_project_role_to_user(self.project, self.user, roles[role])
        self.auth = {
            "auth_url": admin.config.auth["auth_url"],
            "username": name,
            "password": self.password,
            "project_name": name,
            "user_domain_id": "default",
            "project_domain_id": "default",
        }
        self.entry: dict[str, Any] = {"auth": self.auth, "region_name": admin.config.get_region_name()}
        self.write(PLATFORM)

    def write(self, platform: str, **entry: object) -> None:
        """Write the platform file, and the clouds.yaml entry with changes."""
        (self.directory / "platform.yaml").write_text(platform)
        clouds = self.directory / "clouds.yaml"
        clouds.write_text(yaml.safe_dump({"clouds": {"tenant": {**self.entry, **entry}}}))
        clouds.chmod(0o600)

    def connect(self) -> Connection:
        return openstack.connect(
            load_yaml_config=False, load_envvars=False, region_name=self.entry["region_name"], **self.auth
        )

    def upload(self, **properties: str) -> None:
        """Register a node image of a few bytes."""
        self.connect().create_image(
            IMAGE,
            data=b"node",
            container_format="bare",
            disk_format="raw",
            wait=True,
            timeout=DEADLINE,
            meta=dict(properties),
        )

    def run(self, *options: str) -> Result:
        started = time.monotonic()
        ran = CliRunner().invoke(
            app, ["preflight", str(self.directory / "platform.yaml"), "-o", "json", *options]
        )
        seconds = time.monotonic() - started
        if ran.exception and not isinstance(ran.exception, SystemExit):
            raise ran.exception
        return Result(ran.exit_code, json.loads(ran.stdout), seconds)

    def remove(self) -> None:
        cloud = self.connect()
        identity: Any = self.admin.identity
        images: Any = cloud.image
        for stack in cloud.orchestration.stacks():
            cloud.orchestration.delete_stack(stack)
            cloud.orchestration.wait_for_delete(stack, interval=1, wait=DEADLINE)
        for image in images.images(owner=self.project.id):
            images.delete_image(image)
        for group in cloud.network.security_groups(project_id=self.project.id):
            self.admin.network.delete_security_group(group)
        identity.delete_user(self.user)
        identity.delete_project(self.project)


@pytest.fixture(scope="session")
def admin() -> Connection:
    clouds = settings.from_environment().directory / "clouds.yaml"
    entry = yaml.safe_load(clouds.read_text())["clouds"]["lab-admin"]
    auth = entry.pop("auth")
    return openstack.connect(load_yaml_config=False, load_envvars=False, **entry, **auth)


@pytest.fixture
def tenant(admin: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tenant]:
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    tenant = Tenant(admin, tmp_path)
    yield tenant
    tenant.remove()


@pytest.fixture
def ready(tenant: Tenant) -> Tenant:
    """A project in which nothing stands in the way."""
    tenant.upload(causeway_kubernetes_version="v1.35.4")
    return tenant


def test_nothing_stands_in_the_way_on_the_lab(ready: Tenant, record_property: Any) -> None:
    result = ready.run()
    assert result.report["blockers"] == 0, result.findings
    assert result.status == Exit.OK
    record_property("seconds", round(result.seconds, 1))
    facts = {check["name"]: check["fact"] for check in result.report["checks"]}
    assert facts["services"] == "7 of 7 in the catalogue"
    assert facts["load balancer provider"].startswith("ovn")


def test_preflight_changes_nothing(ready: Tenant) -> None:
    def everything() -> list[str]:
        cloud = ready.connect()
        return [
            str(each.id)
            for listed in (cloud.network.ports(), cloud.network.networks(), cloud.network.security_groups())
            for each in listed
        ]

    before = everything()
    ready.run()
    assert everything() == before


def test_exhausted_quotas_are_named_together(ready: Tenant) -> None:
    project = ready.project.id
    ready.admin.set_compute_quotas(project, instances=2, cores=3)
    ready.admin.set_network_quotas(project, network=2, floatingip=0)
    ready.admin.set_volume_quotas(project, gigabytes=2)
    ready.admin.load_balancer.update_quota(project, load_balancers=1, health_monitors=1)
    ready.write(PLATFORM.replace("role: compute", "role: infra"))  # health monitors are the router's
    result = ready.run()
    assert result.status == Exit.FAILED
    blockers = {place for place, each in result.findings.items() if each["severity"] == "blocker"}
    assert blockers == {
        "quota instances",
        "quota cores",
        "quota networks",
        "quota floating_ips",
        "quota load_balancers",
        "quota health_monitors",
    }
    assert result.findings["quota gigabytes"]["severity"] == "warning"  # enough, but not for a replacement
    assert "needs 3 more, but 2 are left (limit 2, used 0" in result.findings["quota instances"]["cause"]


def test_what_the_platforms_stack_holds_is_no_obstacle(ready: Tenant) -> None:
    project = ready.project.id
    ready.admin.set_network_quotas(project, router=1, network=1)
    cloud = ready.connect()
    stack = cloud.orchestration.create_stack(name="demo", template=STACK, tags="causeway")
    cloud.orchestration.wait_for_status(
        stack, "CREATE_COMPLETE", failures=["CREATE_FAILED"], interval=1, wait=DEADLINE
    )
    result = ready.run()
    assert "quota routers" not in result.findings
    assert "needs 2 more, but 0 are left" in result.findings["quota networks"]["cause"]
    (check,) = [each for each in result.report["checks"] if each["name"] == "stack"]
    assert check["fact"].startswith("CREATE_COMPLETE")


def test_somebody_elses_stack_is_not_taken_over(ready: Tenant) -> None:
    cloud = ready.connect()
    stack = cloud.orchestration.create_stack(name="demo", template={**STACK, "resources": {}})
    cloud.orchestration.wait_for_status(stack, "CREATE_COMPLETE", interval=1, wait=DEADLINE)
    assert "which is no platform" in ready.run().findings["metadata.name"]["cause"]


def test_things_that_do_not_exist_are_named_together(tenant: Tenant) -> None:
    text = PLATFORM.replace("external: ext", "external: nowhere").replace("m1.small", "m9.huge")
    tenant.write(
        text.replace("size: 1}", "size: 1, type: gold}").replace(
            "role: compute", "role: compute\n      zone: mars"
        )
    )
    result = tenant.run()
    assert result.status == Exit.FAILED
    assert {place for place, each in result.findings.items() if each["severity"] == "blocker"} == {
        "spec.networks.external",
        "spec.pools[0].image",
        "spec.pools[1].flavor",
        "spec.pools[1].containerStorage.type",
        "spec.pools[1].zone",
    }


def test_an_image_of_another_release_is_refused(tenant: Tenant) -> None:
    tenant.upload(causeway_kubernetes_version="v1.34.0")
    result = tenant.run()
    assert "holds Kubernetes v1.34.0" in result.findings["spec.pools[0].image"]["cause"]


def test_an_internal_network_is_not_external(ready: Tenant) -> None:
    cloud = ready.connect()
    network = cloud.network.create_network(name="inside")
    try:
        ready.write(PLATFORM.replace("external: ext", "external: inside"))
        assert "is not external" in ready.run().findings["spec.networks.external"]["cause"]
    finally:
        cloud.network.delete_network(network)


def test_a_range_must_not_overlap_the_external_network(ready: Tenant, admin: Connection) -> None:
    (external,) = [each for each in admin.network.networks(name="ext") if each.is_router_external]
    (subnet,) = admin.network.subnets(network_id=external.id)
    ready.write(PLATFORM.replace("10.10.0.0/24", subnet.cidr))
    assert "on the external network" in ready.run().findings["spec.networks.nodes.cidr"]["cause"]


# Clouds that do not answer as they should: a clear finding, never a traceback.


def refusal(tenant: Tenant) -> str:
    with pytest.raises(Problem) as refused:
        tenant.run()
    (finding,) = refused.value.findings
    assert finding.remedy
    return str(finding)


def test_a_wrong_password(tenant: Tenant) -> None:
    tenant.write(PLATFORM, auth={**tenant.auth, "password": "wrong"})
    text = refusal(tenant)
    assert "the credentials were refused" in text
    assert "Check user, password, project" in text
    assert "wrong" not in text


def test_an_expired_token(tenant: Tenant) -> None:
    cloud = tenant.connect()
    token = cloud.session.get_token()
    cloud.identity.delete("/auth/tokens", headers={"X-Subject-Token": str(token)})
    auth = {key: tenant.auth[key] for key in ("auth_url", "project_name", "project_domain_id")}
    tenant.write(PLATFORM, auth_type="v3token", auth={**auth, "token": token})
    text = refusal(tenant)
    assert "token" in text
    assert str(token) not in text


def test_an_unknown_project(tenant: Tenant) -> None:
    tenant.write(PLATFORM, auth={**tenant.auth, "project_name": "none-of-yours"})
    assert "the credentials were refused" in refusal(tenant)


def test_a_cloud_nobody_named(tenant: Tenant) -> None:
    tenant.write(PLATFORM.replace("cloud: tenant", "cloud: tennant"))
    assert "Did you mean tenant?" in refusal(tenant)


def test_a_cloud_that_is_not_there(tenant: Tenant) -> None:
    tenant.write(PLATFORM, auth={**tenant.auth, "auth_url": "http://127.0.0.1:9/v3"})
    assert "cannot be reached" in refusal(tenant)


def test_a_region_without_services(tenant: Tenant) -> None:
    tenant.write(PLATFORM, region_name="Atlantis")
    result = tenant.run()
    assert result.status == Exit.FAILED
    assert "service orchestration" in result.findings
    assert "region_name" in result.findings["service load-balancer"]["remedy"]


def test_one_service_that_does_not_answer_leaves_the_others(ready: Tenant) -> None:
    ready.write(PLATFORM, load_balancer_endpoint_override="http://127.0.0.1:9")
    result = ready.run()
    assert [place for place, each in result.findings.items() if each["severity"] == "blocker"] == [
        "service load-balancer"
    ]
    assert "cannot be reached" in result.findings["service load-balancer"]["cause"]
