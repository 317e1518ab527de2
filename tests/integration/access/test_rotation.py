"""Credentials end and are replaced while the controller runs: it goes on, and is never started afresh."""

from typing import Any

from tests.integration.access.stage import NODE, Site, Stage
from tests.integration.projects import CLOUD

from causeway.cloud.neutron import Neutron
from causeway.cloud.session import Cloud
from causeway.kube.resource import NAMESPACES, NETWORK_POLICIES, NODES, PODS, TOKEN_REVIEWS
from causeway.rooms.platforms import credential

ACCOUNT = "causeway-controller"


async def refused(stage: Stage, token: str) -> bool:
    """Return whether the API does not take a token any more."""
    body = {"metadata": {}, "spec": {"token": token}}
    answer: dict[str, Any] = await stage.admin.create(TOKEN_REVIEWS, body)
    return not answer["status"].get("authenticated")


async def port_of(stage: Stage, cloud: Cloud, name: str) -> None:
    """Make a pod that needs a port of its own, and wait until the cloud has it."""
    meta, spec = {"name": name, "labels": {"app": "web"}}, {"nodeName": NODE}
    body = {"metadata": meta, "spec": {**spec, "containers": [{"name": "c", "image": "i"}]}}
    made = await stage.admin.create(PODS, body, "rotation")
    tag = f"causeway-uid={made['metadata']['uid']}"

    async def look() -> bool:
        return bool(await Neutron(cloud).list_ports([tag]))

    await stage.come(look, f"the port of pod {name}")


async def test_the_controller_outlives_its_credentials(stage: Stage, site: Site) -> None:
    first = await stage.token(ACCOUNT, **await stage.holder("first", ACCOUNT))
    kubeconfig, file = stage.kubeconfig(ACCOUNT, first)
    controller = stage.controller(kubeconfig)
    await stage.admin.create(NAMESPACES, {"metadata": {"name": "rotation"}})
    policy = {"podSelector": {}, "policyTypes": ["Ingress"]}
    await stage.admin.create(NETWORK_POLICIES, {"metadata": {"name": "deny"}, "spec": policy}, "rotation")
    if await stage.find(NODES, NODE) is None:
        await stage.join(NODE, f"openstack:///{site.server.id}", ready=True)
    async with await Cloud.open(CLOUD, site.project.clouds) as cloud:
        await port_of(stage, cloud, "before")

        second = await stage.token(ACCOUNT, **await stage.holder("second", ACCOUNT))
        site.put(file, second)
        await stage.admin.delete(PODS, "first", "kube-system", grace_seconds=0)
        await stage.come(lambda: refused(stage, first), "the first token to end")
        await port_of(stage, cloud, "with-another-token")

        (old,) = credential.all_of(site.project.cloud)
        site.renew()  # which revokes the one there
        assert [each["id"] for each in credential.all_of(site.project.cloud)] != [old["id"]]

        async def read_again() -> bool:
            return "credentials read again" in controller.log

        await stage.come(read_again, "the controller to read its credentials")
        await port_of(stage, cloud, "with-another-credential")
    assert controller.alive
    assert controller.stop() == 0


async def test_a_token_revoked_by_the_cloud_is_replaced(site: Site) -> None:
    async with await Cloud.open(CLOUD, site.project.clouds) as cloud:
        token = await cloud._valid_token()
        headers = {"X-Subject-Token": token.value}
        site.project.admin.identity.delete("/auth/tokens", headers=headers).raise_for_status()
        await Neutron(cloud).list_ports()
        assert (await cloud._valid_token()).value != token.value
