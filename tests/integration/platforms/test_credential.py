"""The platform's application credential on the lab's real Keystone; the services honour its rules."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.projects import Project, project

from causeway.cloud.access import RULES
from causeway.cloud.errors import Unauthorized
from causeway.cloud.neutron import Neutron
from causeway.cloud.nova import Nova
from causeway.cloud.session import Cloud
from causeway.lab.settings import Settings
from causeway.rooms.platforms import credential


@pytest.fixture(scope="module")
def mine(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with project("credential", tmp_path_factory.mktemp("cloud")) as made:
        yield made


@pytest.fixture
def name(mine: Project) -> Iterator[str]:
    made = credential.name_of("test", str(uuid.uuid4()))
    yield made
    credential.revoke(mine.cloud, made)


def written(files: dict[str, str], directory: Path) -> Path:
    file = directory / "clouds.yaml"
    file.write_text(files["clouds.yaml"])
    file.chmod(0o600)
    return file


def rules(cloud: Any) -> list[Any]:
    found: list[Any] = cloud.identity.get(f"/users/{cloud.current_user_id}/access_rules").json()[
        "access_rules"
    ]
    return found


async def test_it_may_do_what_controllers_do_and_nothing_else(
    mine: Project, name: str, tmp_path: Path
) -> None:
    files = credential.ensure(mine.cloud, name, {})
    async with await Cloud.open(credential.CLOUD, written(files, tmp_path)) as cloud:
        assert await Neutron(cloud).list_ports() == []
        assert await Nova(cloud).list_servers() == []
        assert (await cloud.call("load-balancer", "GET", "/v2/lbaas/loadbalancers")).startswith(b"{")
        body = {"network": {"name": "made by a restricted credential"}}
        await cloud.call("network", "POST", "/v2.0/networks", body=body)
        for service, method, path in (
            ("compute", "GET", "/v2.1/flavors"),
            ("compute", "POST", "/v2.1/servers"),
            ("network", "GET", "/v2.0/agents"),
            ("network", "POST", "/v2.0/rbac-policies"),
            ("load-balancer", "DELETE", "/v2/lbaas/quotas/x"),
            ("image", "GET", "/v2/images"),
            ("orchestration", "GET", f"/v1/{mine.id}/stacks"),
        ):
            with pytest.raises(Unauthorized):
                await cloud.call(service, method, path, body={} if method == "POST" else None)
    assert len(rules(mine.cloud)) == len(RULES)
    assert credential.revoke(mine.cloud, name) == 1
    assert rules(mine.cloud) == []


def test_one_that_fits_stays_and_one_of_an_older_release_is_replaced_before_it_goes(
    mine: Project, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [each for each in RULES if each.path == "/v2.0/networks"]
    monkeypatch.setattr(credential, "PROBES", {"network": "/v2.0/networks"})
    with monkeypatch.context() as older:
        older.setattr(credential, "RULES", known[:1])
        old = credential.ensure(mine.cloud, name, {})
        assert credential.ensure(mine.cloud, name, old) == old
    monkeypatch.setattr(credential, "RULES", known)
    new = credential.ensure(mine.cloud, name, old)
    assert new != old
    assert len(credential.all_of(mine.cloud)) == 2  # the controller still acts by the old one
    assert credential.ensure(mine.cloud, name, new) == new
    assert len(credential.all_of(mine.cloud)) == 1
    assert credential.ensure(mine.cloud, name, {}) != new  # its secret is lost
    assert len(credential.all_of(mine.cloud)) == 1


def test_a_cloud_that_cannot_check_rules_gets_one_without(
    mine: Project, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # As a service without a type of its own answers: with 401, whatever the rules say.
    monkeypatch.setattr(credential, "PROBES", {"image": "/v2/images"})
    files = credential.ensure(mine.cloud, name, {})
    (made,) = credential.all_of(mine.cloud)
    assert not made.get("access_rules")
    assert credential.ensure(mine.cloud, name, files) == files
    assert credential.cluster_of(made["name"]) == name[-36:]


async def test_the_volume_drivers_is_another_and_both_go_at_once(
    mine: Project, name: str, tmp_path: Path
) -> None:
    files = credential.ensure(mine.cloud, name, {})
    of_volumes = credential.ensure_for_volumes(mine.cloud, name, {})
    assert credential.ensure(mine.cloud, name, files) == files
    assert credential.ensure_for_volumes(mine.cloud, name, of_volumes) == of_volumes
    async with await Cloud.open(credential.CLOUD, written(of_volumes, tmp_path)) as cloud:
        assert (await cloud.call("block-storage", "GET", f"/v3/{mine.id}/volumes/detail")).startswith(b"{")
        with pytest.raises(Unauthorized):
            await Neutron(cloud).list_ports()
    assert credential.revoke(mine.cloud, name) == 2
