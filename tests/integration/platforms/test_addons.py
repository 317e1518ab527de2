"""What is put into a platform, on a real Kubernetes API."""

from typing import Any

import pytest
from tests.integration.kube_api import KubeApi
from tests.unit.rooms.platforms.examples import NEW, PKI, platform

from causeway.kit.errors import Finding
from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.errors import Invalid, NotFound, Object
from causeway.kube.resource import (
    CLAIMS,
    CONFIG_MAPS,
    CRDS,
    CSI_DRIVERS,
    DAEMON_SETS,
    DEPLOYMENTS,
    INGRESS_CLASSES,
    ROUTES,
    SECRETS,
    SERVICES,
    SNAPSHOT_CLASSES,
    SNAPSHOT_CONTENTS,
    STORAGE_CLASSES,
    resource_of,
)
from causeway.rooms.platforms import addons, cluster, forwarding, registering
from causeway.rooms.platforms.image_store import ImageStore, container_of
from causeway.rooms.platforms.model import Names, Platform
from causeway.rooms.platforms.router import Router
from causeway.rooms.platforms.routing import Routing
from causeway.rooms.platforms.storage import VolumeDriver

NODES = (DAEMON_SETS.kind, "causeway-node")
"""The daemon of nodes, which this API is not set up to allow."""


def of_kinds(text: str, *kinds: str) -> list[Object]:
    volumes = addons.Volumes("u", "same", VolumeDriver.model_validate_json(text), {})
    found = addons.manifests(addons.Settings({}, {}, 1, volumes=volumes))
    return [each for each in found if each["kind"] in kinds]


async def test_a_class_of_another_volume_type_takes_the_place_of_the_one_there(kube_api: KubeApi) -> None:
    async with Client(from_kubeconfig(kube_api.kubeconfig)) as client:
        uids = []
        for text in ("{}", "{}", '{"type": "ssd"}', '{"type": "ssd"}'):
            await addons.install(client, of_kinds(text, STORAGE_CLASSES.kind))
            found = await client.get(STORAGE_CLASSES, "cinder")
            uids.append(found["metadata"]["uid"])
    assert found["parameters"] == {"type": "ssd"}
    assert [uids[0], uids[2]] == [uids[1], uids[3]]
    assert uids[0] != uids[2]


async def test_ingresses_without_a_class_are_ours_until_the_file_says_so_no_more(kube_api: KubeApi) -> None:
    async with Client(from_kubeconfig(kube_api.kubeconfig)) as client:

        async def annotations(*, default: bool) -> Object:
            router = Routing("", "", Router.model_validate({"defaultIngressClass": default}))
            found = addons.manifests(addons.Settings({}, {}, 1, router=router))
            await addons.install(client, [each for each in found if each["kind"] == INGRESS_CLASSES.kind])
            there: Object = (await client.get(INGRESS_CLASSES, "causeway"))["metadata"].get("annotations", {})
            return there

        mark = "ingressclass.kubernetes.io/is-default-class"
        assert await annotations(default=True) == {mark: "true"}
        assert mark not in await annotations(default=False)

        async def by_hand(value: str | None) -> None:
            change = {"metadata": {"annotations": {mark: value}}}
            await client.patch(INGRESS_CLASSES, "causeway", change)

        await by_hand("true")
        try:
            assert await annotations(default=False) == {mark: "true"}
        finally:
            await by_hand(None)


async def test_routers_stay_as_they_are_while_the_authorities_they_are_to_have_are_lacking(
    kube_api: KubeApi,
) -> None:
    asked = Router.model_validate(
        {"clientTLS": {"clientCertificatePolicy": "Required", "clientCA": {"name": "partners"}}}
    )
    with_clients = Routing("", "", asked, PKI.ca.public)
    without = Routing("", "", asked, lacking=Finding("a file", "is not there", "Put it there."))

    def of(router: Routing, image: str) -> list[Object]:
        found = addons.manifests(addons.Settings({}, {}, 1, image=image, router=router))
        return [each for each in found if (each["kind"], each["metadata"]["name"]) != NODES]

    async with Client(from_kubeconfig(kube_api.kubeconfig)) as client:

        async def present() -> tuple[str, dict[str, str]]:
            """Return the image of the routers, and what of authorities there is for them."""
            daemons = await client.get(DAEMON_SETS, addons.ROUTER, addons.NAMESPACE)
            (container,) = daemons["spec"]["template"]["spec"]["containers"]
            return container["image"], await cluster.config_files(client, "causeway-router-clients")

        await addons.install(client, of(without, "one"), routers_stay=True)
        with pytest.raises(NotFound):
            await present()
        await addons.install(client, of(with_clients, "one"))
        assert await present() == ("one", {"ca-bundle.pem": PKI.ca.public})
        await addons.install(client, of(without, "two"), routers_stay=True)
        assert await present() == ("one", {"ca-bundle.pem": PKI.ca.public})
        controller = await client.get(DEPLOYMENTS, "causeway-controller", addons.NAMESPACE)
        assert controller["spec"]["template"]["spec"]["containers"][0]["image"] == "two"
        await addons.install(client, of(Routing("", ""), "two"))
        assert await present() == ("two", {})
        await addons.install(client, manifests())
        with pytest.raises(NotFound):
            await present()


async def test_the_driver_before_leaves_its_object_to_this_one(kube_api: KubeApi) -> None:
    """Cloud-provider-openstack's allows inline volumes, which this driver has not."""
    (wanted,) = of_kinds("{}", CSI_DRIVERS.kind)
    name, modes = wanted["metadata"]["name"], ["Persistent", "Ephemeral"]
    async with Client(from_kubeconfig(kube_api.kubeconfig)) as client:
        before = {"attachRequired": True, "podInfoOnMount": True, "volumeLifecycleModes": modes}
        await client.create(CSI_DRIVERS, {"metadata": {"name": name}, "spec": before})
        uids = []
        for _ in range(2):
            await addons.install(client, [wanted])
            found = await client.get(CSI_DRIVERS, name)
            uids.append(found["metadata"]["uid"])
    assert {key: found["spec"][key] for key in wanted["spec"]} == wanted["spec"]
    assert uids[0] == uids[1]  # and is not made anew each time


async def test_the_zones_are_asked_of_their_own_name_servers_until_they_are_not(kube_api: KubeApi) -> None:
    names = Names.model_validate_json('{"zone": "shop.example.org", "nameservers": ["192.0.2.53"]}')
    original = ".:53 {\n    errors\n}\n"
    corefile = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": forwarding.NAME, "namespace": forwarding.NAMESPACE},
        "data": {forwarding.FILE: original},
    }
    async with Client(from_kubeconfig(kube_api.kubeconfig)) as client:

        async def present() -> str:
            found = await client.get(CONFIG_MAPS, forwarding.NAME, forwarding.NAMESPACE)
            return str(found["data"][forwarding.FILE])

        assert not await forwarding.forward(client, names)  # no DNS of kubeadm's
        await client.create(CONFIG_MAPS, corefile)
        try:
            assert [await forwarding.forward(client, names) for _ in range(2)] == [True, False]
            assert "forward . 192.0.2.53" in await present()
            assert await forwarding.forward(client, None)
            assert await present() == original
        finally:
            await client.delete(CONFIG_MAPS, forwarding.NAME, forwarding.NAMESPACE)


def content(**source: str) -> Object:
    reference = {"name": "then", "namespace": "default"}
    spec = {"driver": "d", "deletionPolicy": "Retain", "source": source, "volumeSnapshotRef": reference}
    kind = {"apiVersion": SNAPSHOT_CONTENTS.api_version, "kind": SNAPSHOT_CONTENTS.kind}
    return {**kind, "metadata": {"name": "then"}, "spec": spec}


async def test_snapshots_are_defined_and_their_class_is_taken_as_soon_as_they_are(kube_api: KubeApi) -> None:
    async with Client(from_kubeconfig(kube_api.kubeconfig)) as client:
        wanted = of_kinds("{}", CRDS.kind, SNAPSHOT_CLASSES.kind)
        await addons.install(client, wanted)
        name = "volumesnapshotcontents.snapshot.storage.k8s.io"
        await client.patch(CRDS, name, {"metadata": {"labels": {"brought-by": "another"}}})
        theirs = await client.get(CRDS, name)
        await addons.install(client, wanted)
        found = await client.get(CRDS, name)
        assert found["metadata"]["generation"] == theirs["metadata"]["generation"]
        assert found["metadata"]["labels"] == {"brought-by": "another"}
        assert (await client.get(SNAPSHOT_CLASSES, "cinder"))["parameters"] == {"force-create": "true"}

        for source in ({}, {"volumeHandle": "v", "snapshotHandle": "s"}):
            with pytest.raises(Invalid, match="either volumeHandle or snapshotHandle"):
                await client.create(SNAPSHOT_CONTENTS, content(**source))
        await client.create(SNAPSHOT_CONTENTS, content(volumeHandle="v"))
        with pytest.raises(Invalid, match="cannot be changed"):
            await client.patch(SNAPSHOT_CONTENTS, "then", {"spec": {"source": {"volumeHandle": "w"}}})
        with pytest.raises(Invalid, match="cannot be taken away"):
            taken = {"volumeHandle": None, "snapshotHandle": "s"}
            await client.patch(SNAPSHOT_CONTENTS, "then", {"spec": {"source": taken}})


def manifests(registry: registering.Registering | None = None) -> list[dict[str, Any]]:
    """Return all objects but the daemon of nodes."""
    found = addons.manifests(addons.Settings({}, {}, 1, registry=registry))
    return [each for each in found if (each["kind"], each["metadata"]["name"]) != NODES]


async def test_a_registry_comes_at_once_and_goes_without_its_images(kube_api: KubeApi) -> None:
    wanted = platform(registry={"storage": "cinder", "host": "registry.example.test"})
    made = registering.registering(wanted, NEW.services.cidr, PKI, {})
    assert made is not None
    place = (registering.NAME, addons.NAMESPACE)
    async with Client(from_kubeconfig(kube_api.kubeconfig)) as client:
        # The first time its route's definition is as new as the route.
        for _ in range(2):
            await addons.install(client, manifests(made))
        service = await client.get(SERVICES, *place)
        assert service["spec"]["clusterIP"] == made.address
        assert (await client.get(ROUTES, *place))["spec"]["host"] == made.host
        await addons.install(client, manifests())
        assert (await client.get(CLAIMS, *place))["metadata"]["name"] == registering.NAME
        left = {(each["kind"], each["metadata"]["name"]) for each in manifests()}
        for each in manifests(made):
            if (
                each["kind"] in (CLAIMS.kind, SECRETS.kind)
                or (each["kind"], each["metadata"]["name"]) in left
            ):
                continue
            resource = resource_of(each)
            with pytest.raises(NotFound):
                await client.get(resource, each["metadata"]["name"], each["metadata"].get("namespace"))
        await addons.install(client, manifests())


async def test_a_registry_goes_to_the_object_store_and_its_claim_stays(kube_api: KubeApi) -> None:
    swift = platform(registry={"storage": "swift", "host": "registry.example.test"})
    volume = platform(registry={"storage": "cinder", "host": "registry.example.test"})
    store = ImageStore("https://swift.example.test", container_of("here"), "access", "secret")
    on_a_volume = registering.registering(volume, NEW.services.cidr, PKI, {})
    place = (registering.NAME, addons.NAMESPACE)
    async with Client(from_kubeconfig(kube_api.kubeconfig)) as client:

        async def told(wanted: Platform) -> Finding | None:
            return registering.left_behind(wanted, "here", await cluster.registry_config(client))

        assert await told(swift) is None  # there is no registry yet
        await addons.install(client, manifests(on_a_volume))
        assert await told(volume) is None
        found = await told(swift)
        assert found is not None
        assert "stay in the claim kube-system/causeway-registry" in found.cause
        present = await cluster.secret_files(client, registering.NAME)
        await addons.install(
            client,
            manifests(registering.registering(swift, NEW.services.cidr, PKI, present, store=store)),
        )
        assert await told(swift) is None
        claim = await client.get(CLAIMS, *place)
        assert "deletionTimestamp" not in claim["metadata"]
        spec = (await client.get(DEPLOYMENTS, *place))["spec"]["template"]["spec"]
        assert not [each for each in spec["volumes"] if "persistentVolumeClaim" in each]
