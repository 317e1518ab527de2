"""The manifests put into a platform: complete, least privilege, settings as the controller reads them."""

import json
from typing import Any

import pytest
import yaml

from causeway.kube.resource import resource_of
from causeway.rooms.platforms import addons, nodes
from causeway.rooms.platforms.addons import Settings, Shares, Volumes
from causeway.rooms.platforms.model import Names
from causeway.rooms.platforms.registering import CERTIFICATE, KEYS, NAME, SIGNING_KEY, UPLOADS, Registering
from causeway.rooms.platforms.registry import Registry
from causeway.rooms.platforms.router import Router
from causeway.rooms.platforms.routing import Routing
from causeway.rooms.platforms.storage import ShareDriver, Sidecars, VolumeDriver
from causeway.rooms.shares.node import KEYS as SHARES_KEYS

CONFIG = {"clusterId": "u", "platform": "demo", "serviceCidr": "172.30.0.0/17", "odd": 'a "quoted" {value}'}


def settings(**changed: Any) -> Settings:
    values: dict[str, Any] = {
        "config": CONFIG,
        "cloud_files": {"clouds.yaml": "clouds:\n  openstack: {}\n"},
        "masters": 3,
    }
    return Settings(**{**values, **changed})


def of_kind(kind: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in found if each["kind"] == kind]


def test_every_object_is_of_a_kind_the_client_knows_and_the_definition_comes_first() -> None:
    found = addons.manifests(settings())
    assert found[0]["kind"] == "CustomResourceDefinition"
    for each in found:
        assert resource_of(each).kind == each["kind"]
        assert each["metadata"].get("namespace", "kube-system") == "kube-system"


def test_settings_arrive_as_they_were() -> None:
    found = addons.manifests(settings())
    (config,) = of_kind("ConfigMap", found)
    assert json.loads(config["data"]["config.json"]) == CONFIG
    (secret,) = of_kind("Secret", found)
    assert secret["stringData"] == {"clouds.yaml": "clouds:\n  openstack: {}\n"}
    assert "clouds.yaml" not in repr(settings())


def test_other_settings_are_other_pods_but_new_credentials_are_not() -> None:
    def digest(chosen: Settings) -> str:
        (deployment,) = of_kind("Deployment", addons.manifests(chosen))
        value: str = deployment["spec"]["template"]["metadata"]["annotations"]["causeway.dev/settings"]
        return value

    assert digest(settings()) == digest(settings(cloud_files={"clouds.yaml": "new"}))
    assert digest(settings()) != digest(settings(config={**CONFIG, "platform": "other"}))


@pytest.mark.parametrize(("masters", "replicas"), [(1, 1), (3, 2), (5, 2)])
def test_there_are_no_more_controllers_than_masters(masters: int, replicas: int) -> None:
    (deployment,) = of_kind("Deployment", addons.manifests(settings(masters=masters)))
    assert deployment["spec"]["replicas"] == replicas


def volumes(text: str = "{}") -> Volumes:
    chosen = VolumeDriver.model_validate_json(text)
    return Volumes("u", "same", chosen, {"clouds.yaml": "a credential\n"})


def added_definitions(plain: list[dict[str, Any]], more: list[dict[str, Any]]) -> set[str]:
    kind = "CustomResourceDefinition"
    return {each["metadata"]["name"] for each in of_kind(kind, more) if each not in plain}


def test_the_volume_driver_comes_only_where_it_is_wanted() -> None:
    plain, more = addons.manifests(settings()), addons.manifests(settings(volumes=volumes()))
    assert [each for each in more if each in plain] == plain
    added = {(each["kind"], each["metadata"]["name"]) for each in more if each not in plain}
    assert {
        ("CSIDriver", "cinder.csi.openstack.org"),
        ("Secret", addons.VOLUMES_SECRET),
        ("Deployment", "causeway-volumes"),
        ("DaemonSet", "causeway-volumes-node"),
        ("StorageClass", "cinder"),
        ("VolumeSnapshotClass", "cinder"),
    } <= added
    assert added_definitions(plain, more) == {
        each for each in addons.SHARED if each.endswith("snapshot.storage.k8s.io")
    }
    for each in more:
        assert resource_of(each).kind == each["kind"]
    assert "a credential" not in repr(settings(volumes=volumes()))


def test_the_volume_drivers_credential_is_another_than_the_controllers() -> None:
    found = of_kind("Secret", addons.manifests(settings(volumes=volumes())))
    assert {each["metadata"]["name"]: each["stringData"]["clouds.yaml"] for each in found} == {
        addons.CLOUD_SECRET: "clouds:\n  openstack: {}\n",
        addons.VOLUMES_SECRET: "a credential\n",
    }


def test_a_class_asks_for_a_type_only_where_the_file_does() -> None:
    (plain,) = of_kind("StorageClass", addons.manifests(settings(volumes=volumes())))
    assert "parameters" not in plain
    (typed,) = of_kind("StorageClass", addons.manifests(settings(volumes=volumes('{"type": "ssd: 1"}'))))
    assert typed["parameters"] == {"type": "ssd: 1"}


def test_sidecars_may_be_elsewhere_and_share_the_drivers_socket() -> None:
    chosen = volumes('{"sidecars": {"attacher": "registry.example/attacher:1"}}')
    found = of_kind("Deployment", addons.manifests(settings(volumes=chosen)))
    (spec,) = (
        each["spec"]["template"]["spec"] for each in found if each["metadata"]["name"] == "causeway-volumes"
    )
    containers = {each["name"]: each for each in spec["containers"]}
    assert containers["attacher"]["image"] == "registry.example/attacher:1"
    assert containers["provisioner"]["image"] == VolumeDriver().sidecars.provisioner
    mounts = {
        name: {each["name"] for each in container.get("volumeMounts", [])}
        for name, container in containers.items()
    }
    assert mounts.pop("driver") == {"socket", "cloud"}
    assert mounts.pop("snapshot-controller") == set()  # it talks to Kubernetes alone
    assert mounts == {name: {"socket"} for name in ("provisioner", "attacher", "resizer", "snapshotter")}


def shares(**classes: dict[str, str]) -> Shares:
    chosen = ShareDriver.model_validate({"classes": classes or {"files": {"protocol": "NFS"}}})
    return Shares("u", chosen, Sidecars(attacher="registry.example/attacher:1"), {"clouds.yaml": "secret\n"})


def test_the_driver_of_shares_comes_only_where_it_is_wanted() -> None:
    plain, more = addons.manifests(settings()), addons.manifests(settings(shares=shares()))
    assert [each for each in more if each in plain] == plain
    added = {(each["kind"], each["metadata"]["name"]): each for each in more if each not in plain}
    assert {
        ("CSIDriver", "manila.csi.openstack.org"),
        ("Secret", addons.SHARES_SECRET),
        ("Deployment", "causeway-shares"),
        ("DaemonSet", "causeway-shares-node"),
        ("StorageClass", "files"),
        ("VolumeSnapshotClass", "manila"),
    } <= added.keys()
    assert added["Secret", addons.SHARES_SECRET]["stringData"] == {"clouds.yaml": "secret\n"}
    assert added["CSIDriver", "manila.csi.openstack.org"]["spec"]["attachRequired"] is True
    for each in more:
        assert resource_of(each).kind == each["kind"]
    assert "secret" not in repr(settings(shares=shares()))


def test_there_is_a_class_for_each_one_of_the_file() -> None:
    asked = shares(nfs={"protocol": "NFS"}, ceph={"protocol": "CEPHFS", "type": "fast: 1"})
    found = of_kind("StorageClass", addons.manifests(settings(shares=asked)))
    assert {each["metadata"]["name"]: each["parameters"] for each in found} == {
        "nfs": {"protocol": "NFS"},
        "ceph": {"protocol": "CEPHFS", "type": "fast: 1"},
    }


def test_what_serves_mounts_of_shares_is_started_on_the_node_itself() -> None:
    found = addons.manifests(settings(volumes=volumes(), shares=shares()))
    pods = {
        each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in of_kind("DaemonSet", found)
    }
    assert pods["causeway-shares-node"]["hostPID"] is True
    assert "hostPID" not in pods["causeway-volumes-node"]
    (driver,) = pods["causeway-shares-node"]["containers"]
    mounted = {each["mountPath"] for each in driver["volumeMounts"]}
    assert {str(SHARES_KEYS), "/var/lib/kubelet"} <= mounted
    assert "/dev" not in mounted


def test_no_two_pods_of_a_node_answer_at_one_port() -> None:
    found = addons.manifests(settings(volumes=volumes(), shares=shares()))
    ports = [
        container["livenessProbe"]["httpGet"]["port"]
        for each in [*of_kind("Deployment", found), *of_kind("DaemonSet", found)]
        for container in each["spec"]["template"]["spec"]["containers"]
        if "CSI_ENDPOINT" in {it["name"] for it in container.get("env", [])}
    ]
    assert len(ports) == len(set(ports)) == 4


def test_nobody_gets_rights_on_everything() -> None:
    everything = addons.manifests(settings(volumes=volumes(), shares=shares(), registry=registry()))
    for role in [*of_kind("ClusterRole", everything), *of_kind("Role", everything)]:
        for rule in role["rules"]:
            named = [
                each for key in ("apiGroups", "resources", "nonResourceURLs") for each in rule.get(key, [])
            ]
            assert "*" not in [*named, *rule["verbs"]]
            assert "secrets" not in named


def test_the_image_can_be_elsewhere() -> None:
    found = addons.manifests(settings(image="registry.example/causeway:1"))
    for each in [*of_kind("Deployment", found), *of_kind("DaemonSet", found)]:
        assert each["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/causeway:1"


def router_of(found: list[dict[str, Any]]) -> dict[str, Any]:
    (daemons,) = [each for each in of_kind("DaemonSet", found) if each["metadata"]["name"] == addons.ROUTER]
    template: dict[str, Any] = daemons["spec"]["template"]
    return template


def test_a_platform_without_a_router_has_nothing_of_it_running() -> None:
    assert [each["metadata"]["name"] for each in of_kind("DaemonSet", addons.manifests(settings()))] == [
        "causeway-node"
    ]


@pytest.mark.parametrize("certificate", ["", "CERTIFICATE\nKEY\n"])
def test_the_router_is_told_its_hosts_and_shown_its_certificate(certificate: str) -> None:
    found = addons.manifests(settings(router=Routing("apps.example" if certificate else "", certificate)))
    spec = router_of(found)["spec"]
    (container,) = spec["containers"]
    variables = {each["name"]: each.get("value") for each in container["env"]}
    assert variables["CAUSEWAY_ROUTER_SUFFIX"] == ("apps.example" if certificate else "")
    assert "ports" not in container  # two of them have to have a place on one node
    secrets = [each for each in of_kind("Secret", found) if "router" in each["metadata"]["name"]]
    mounted = {each["name"]: each for each in spec["volumes"]}
    if certificate:
        (secret,) = secrets
        assert secret["stringData"] == {"certificate.pem": certificate}
        assert mounted["certificate"]["secret"]["secretName"] == secret["metadata"]["name"]
        (mount,) = [each for each in container["volumeMounts"] if each["name"] == "certificate"]
        assert variables["CAUSEWAY_ROUTER_CERTIFICATE"] == f"{mount['mountPath']}/certificate.pem"
    else:
        assert not secrets
        assert mounted.keys() == {"run"}
        assert "CAUSEWAY_ROUTER_CERTIFICATE" not in variables


def test_another_certificate_is_another_router() -> None:
    def annotations(certificate: str) -> Any:
        router = Routing("apps.example", certificate)
        return router_of(addons.manifests(settings(router=router)))["metadata"]["annotations"]

    assert annotations("one") == annotations("one")
    assert annotations("one") != annotations("two")


def registry(**chosen: Any) -> Registering:
    keys = Registry.model_validate({"storage": "cinder", **chosen})
    files = dict.fromkeys((CERTIFICATE, SIGNING_KEY, KEYS, UPLOADS), "a secret\n")
    return Registering("registry.example", "172.30.0.11", keys, files, keys.s3)


def test_a_registry_comes_only_where_it_is_wanted() -> None:
    plain, more = addons.manifests(settings()), addons.manifests(settings(registry=registry()))
    assert [each for each in more if each in plain] == plain
    added = {(each["kind"], each["metadata"]["name"]) for each in more if each not in plain}
    assert {
        ("Deployment", NAME),
        ("Service", NAME),
        ("Route", NAME),
        ("PersistentVolumeClaim", NAME),
    } <= added
    for each in more:
        assert resource_of(each).kind == each["kind"]
    assert "a secret" not in repr(settings(registry=registry()))


def test_the_route_of_a_registry_is_one_that_the_router_selects() -> None:
    def labels(**asked: Any) -> Any:
        router = Routing("apps.example.org", "", Router.model_validate(asked))
        found = addons.manifests(settings(registry=registry(), router=router))
        (route,) = of_kind("Route", found)
        return route["metadata"].get("labels")

    assert labels(routeSelector={"matchLabels": {"exposed": "true"}}) == {"exposed": "true"}
    assert labels() is None


def test_the_route_of_a_registry_has_its_labels_before_routers_select_by_them() -> None:
    found = addons.manifests(settings(registry=registry(), router=Routing("apps.example.org", "")))
    order = [(each["kind"], each["metadata"]["name"]) for each in found]
    assert order.index(("Route", NAME)) < order.index(("DaemonSet", addons.ROUTER))


def registry_of(chosen: Registering) -> tuple[dict[str, Any], dict[str, Any]]:
    found = [
        each
        for each in addons.manifests(settings(registry=chosen))
        if each["metadata"]["name"] == NAME and each["kind"] in {"ConfigMap", "Deployment"}
    ]
    config, deployment = found
    template: dict[str, Any] = deployment["spec"]["template"]
    return yaml.safe_load(config["data"]["config.yml"]), template["spec"]


def test_a_registry_on_a_volume_mounts_it_where_it_keeps_images() -> None:
    config, spec = registry_of(registry(size=7))
    (claim,) = [
        each for each in addons.manifests(settings(registry=registry(size=7))) if "Claim" in each["kind"]
    ]
    assert claim["spec"]["resources"]["requests"]["storage"] == "7Gi"
    (program,) = [each for each in spec["containers"] if each["name"] == "registry"]
    mounts = {each["mountPath"] for each in program["volumeMounts"]}
    assert config["storage"]["filesystem"]["rootdirectory"] in mounts
    assert config["auth"]["token"]["service"] == "registry.example"


def test_a_registry_in_a_bucket_has_its_keys_from_the_secret_named_and_no_volume() -> None:
    bucket = {"endpoint": "https://s3.example", "bucket": "images", "secret": "mine"}
    config, spec = registry_of(registry(storage="s3", s3=bucket))
    assert config["storage"]["s3"]["bucket"] == "images"
    assert "filesystem" not in config["storage"]
    (program,) = [each for each in spec["containers"] if each["name"] == "registry"]
    keys = {each["name"]: each["valueFrom"]["secretKeyRef"] for each in program["env"] if "valueFrom" in each}
    assert keys["REGISTRY_STORAGE_S3_SECRETKEY"] == {"name": "mine", "key": "secret-key"}
    assert not [each for each in spec["volumes"] if "persistentVolumeClaim" in each]


@pytest.mark.parametrize(
    ("chosen", "beside"),
    [
        ({}, True),
        ({"storage": "s3", "s3": {"endpoint": "https://s3.example", "bucket": "images"}}, False),
    ],
)
def test_the_registry_comes_back_where_a_collection_has_its_volume(
    chosen: dict[str, Any], beside: bool
) -> None:
    """Node by node: it has the volume until it ends. The pod's own label would never be met there."""
    found = addons.manifests(settings(registry=registry(**chosen)))
    (job,), (deployment,) = (
        [each for each in of_kind(kind, found) if each["metadata"]["name"].startswith(NAME)]
        for kind in ("CronJob", "Deployment")
    )
    affinity = deployment["spec"]["template"]["spec"]["affinity"]
    assert ("podAffinity" in affinity) == beside
    if beside:
        (preferred,) = affinity["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        labels = job["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
        term = preferred["podAffinityTerm"]
        assert term["labelSelector"]["matchLabels"].items() <= labels.items()
        assert term["topologyKey"] == "kubernetes.io/hostname"


def test_everybody_of_the_registrys_pod_is_confined() -> None:
    _, spec = registry_of(registry())
    assert spec["securityContext"]["runAsNonRoot"] is True
    for each in spec["containers"]:
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def pod(name: str, **meta: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default", "uid": name, **meta}}


def test_pods_of_daemon_sets_and_of_the_kubelet_stay_when_a_node_is_drained() -> None:
    pods = [
        pod("app", ownerReferences=[{"kind": "ReplicaSet"}]),
        pod("bare"),
        pod("daemon", ownerReferences=[{"kind": "DaemonSet"}]),
        pod("static", annotations={"kubernetes.io/config.mirror": "x"}),
    ]
    assert [each["metadata"]["name"] for each in nodes.to_evict(pods)] == ["app", "bare"]


def test_the_state_of_a_node_is_read_from_its_conditions() -> None:
    node = {
        "metadata": {
            "name": "demo-compute-0",
            "creationTimestamp": "2026-11-20T08:00:00Z",
            "labels": {"causeway.dev/role": "compute"},
        },
        "spec": {"unschedulable": True},
        "status": {
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-20T08:00:07Z"}],
            "addresses": [{"type": "InternalIP", "address": "10.10.0.4"}],
            "nodeInfo": {"kubeletVersion": "v1.35.4"},
        },
    }
    found = nodes.state_of(node)
    assert (found.ready, found.cordoned, found.seconds_to_ready) == (True, True, 7.0)
    assert nodes.state_of({"metadata": {"name": "new"}}).seconds_to_ready is None


OUTPUTS = {
    "public_api_address": "192.0.2.1",
    "api_address": "10.0.0.9",
    "public_router_address": "",
    "router_address": "10.0.0.8",
}


def test_the_platforms_own_names_lead_to_its_load_balancers() -> None:
    told = addons.names_of(
        Names.model_validate({"zone": "example.org", "furtherZones": ("example.net.",)}), "c-1", OUTPUTS
    )
    assert told["zones"] == ["example.org.", "example.net."]
    assert told["owner"] == "c-1"
    assert told["fixed"] == {"api.example.org.": "192.0.2.1", "*.apps.example.org.": "10.0.0.8"}


@pytest.mark.parametrize(
    ("host", "published"),
    [
        ("registry.apps.example.org", True),
        ("images.example.net", True),
        ("images.another.org", False),
        ("imagesexample.org", False),
        ("", False),
    ],
)
def test_the_registrys_name_is_the_platforms_own_where_it_is_in_a_zone(host: str, published: bool) -> None:
    names = Names.model_validate({"zone": "example.org", "furtherZones": ("example.net.",)})
    fixed = addons.names_of(names, "c-1", OUTPUTS, registry_host=host)["fixed"]
    assert fixed.get(f"{host}.") == ("10.0.0.8" if published else None)
    assert len(fixed) == 2 + published


@pytest.mark.parametrize(
    ("suffix", "names"),
    [
        ("", ["*.apps.example.org."]),
        ("apps.example.org", ["*.apps.example.org."]),
        ("web.example.net", ["*.apps.example.org.", "*.web.example.net."]),
        ("example.net", ["*.apps.example.org.", "*.example.net."]),
        ("web.another.org", ["*.apps.example.org."]),
    ],
)
def test_the_wildcard_of_the_routers_suffix_is_the_platforms_where_it_is_in_a_zone(
    suffix: str, names: list[str]
) -> None:
    zones = Names.model_validate({"zone": "example.org", "furtherZones": ("example.net.",)})
    fixed = addons.names_of(zones, "c-1", OUTPUTS, suffix)["fixed"]
    assert [name for name, address in fixed.items() if address == "10.0.0.8"] == names


@pytest.mark.parametrize("host", ["registry.apps.example.org", ""])
def test_nobody_may_have_the_registrys_host_before_there_is_one(host: str) -> None:
    found = addons.manifests(settings(router=Routing("apps.example.org", ""), registry_host=host))
    (router,) = (each for each in of_kind("DaemonSet", found) if each["metadata"]["name"] == addons.ROUTER)
    (container,) = router["spec"]["template"]["spec"]["containers"]
    told = {each["name"]: each.get("value") for each in container["env"]}
    assert told.get("CAUSEWAY_ROUTER_RESERVED", "") == host


def test_what_has_no_address_has_no_name() -> None:
    told = addons.names_of(
        Names.model_validate({"zone": "example.org", "ownerId": "me"}), "c-1", {"api_address": "10.0.0.9"}
    )
    assert told["fixed"] == {"api.example.org.": "10.0.0.9"}
    assert told["owner"] == "me"


def test_an_address_that_heat_does_not_know_yet_is_none() -> None:
    assert addons.addresses(OUTPUTS) == ("192.0.2.1", "10.0.0.8")
    assert addons.addresses({"api_address": "10.0.0.9", "router_address": None}) == ("10.0.0.9", "")
    assert addons.addresses({}) == ("", "")
