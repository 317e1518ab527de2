from dataclasses import replace

import pytest

from causeway.kit.errors import Finding
from causeway.rooms.platforms.checks import Severity
from causeway.rooms.platforms.document import parse
from causeway.rooms.platforms.facts import CloudFacts, LoadBalancing, Naming, Network, Quota, Sharing, Stack
from causeway.rooms.platforms.need import Kind, need
from causeway.rooms.platforms.preflight import preflight

from .clouds import CLOUD, COMPUTE, EXTENSIONS, FLAVORS, LOAD_BALANCING, NETWORK, NODE_IMAGE, VOLUMES, subnet
from .wrong_files import BASE


def edited(*edits: tuple[str, str]) -> str:
    text = BASE
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def findings(text: str, cloud: CloudFacts, severity: Severity) -> list[Finding]:
    return [remark.finding for remark in preflight(parse(text), cloud).remarks(severity)]


def the_blocker(text: str, cloud: CloudFacts) -> Finding:
    found = findings(text, cloud, Severity.BLOCKER)
    assert len(found) == 1, found
    return found[0]


def test_nothing_is_in_the_way_on_a_good_cloud() -> None:
    report = preflight(parse(BASE), CLOUD)
    assert not report.blocked
    assert {check.severity for check in report.checks} == {Severity.OK}
    assert len({check.name for check in report.checks}) == len(report.checks)


def with_image(**changes: object) -> CloudFacts:
    return replace(CLOUD, images=(replace(NODE_IMAGE, **changes),))  # type: ignore[arg-type]  # named changes


def with_network(**changes: object) -> CloudFacts:
    return replace(CLOUD, network=replace(NETWORK, **changes))  # type: ignore[arg-type]  # named changes


SPOILT = {
    "service missing": (
        replace(
            CLOUD, identity=replace(CLOUD.identity, services=CLOUD.identity.services - {"orchestration"})
        ),
        "service orchestration",
        "no endpoint",
    ),
    "restricted credential": (
        replace(CLOUD, identity=replace(CLOUD.identity, restricted=True)),
        "credentials",
        "restricted application credential",
    ),
    "stack going": (
        replace(CLOUD, stack=Stack("DELETE_IN_PROGRESS", {}, frozenset())),
        "stack demo",
        "DELETE_IN_PROGRESS",
    ),
    "foreign stack": (
        replace(CLOUD, stack=Stack("CREATE_COMPLETE", {}, frozenset(), ours=False)),
        "metadata.name",
        "a stack of this name exists which is no platform",
    ),
    "no trunks": (with_network(extensions=EXTENSIONS - {"trunk"}), "network extension trunk", "not there"),
    "no image": (replace(CLOUD, images=()), "spec.pools[0].image", "no image node"),
    "two images": (
        replace(CLOUD, images=(NODE_IMAGE, replace(NODE_IMAGE, id="i2"))),
        "spec.pools[0].image",
        "2 images have the name",
    ),
    "image queued": (with_image(status="queued"), "spec.pools[0].image", "queued, not active"),
    "any image": (with_image(properties={}), "spec.pools[0].image", "does not say which Kubernetes"),
    "other release": (
        with_image(properties={"causeway_kubernetes_version": "v1.34.1"}),
        "spec.pools[0].image",
        "holds Kubernetes v1.34.1, the platform wants v1.35.4",
    ),
    "image too large": (with_image(min_disk=15), "spec.pools[1].flavor", "10 GiB of disk, node asks for 15"),
    "image hungry": (with_image(min_ram=1500), "spec.pools[1].flavor", "1024 MiB of RAM, node asks for 1500"),
    "no external network": (with_network(networks=()), "spec.networks.external", "sees no ext"),
    "not external": (
        with_network(networks=(Network("x1", "ext", False, 1500),)),
        "spec.networks.external",
        "is not external",
    ),
    "no addresses": (with_network(free={"x1": 1}), "spec.networks.external", "needs 2 of its addresses, 1"),
    "small pool": (
        with_network(free={}, subnets=(subnet("s", "x1", "172.24.4.0/24", 2, 2),)),
        "spec.networks.external",
        "at most 1",
    ),
    "overlap with outside": (
        with_network(subnets=(subnet("out", "x1", "10.20.128.0/20"),)),
        "spec.networks.pods.cidr",
        "overlaps 10.20.128.0/20 of subnet out on the external network",
    ),
    "no provider": (
        replace(CLOUD, load_balancing=LoadBalancing(frozenset(), LOAD_BALANCING.quotas)),
        "spec.loadBalancerProvider",
        "no provider we know",
    ),
    "no quota for volumes": (
        replace(CLOUD, volumes=replace(VOLUMES, quotas={**VOLUMES.quotas, Kind.GIGABYTES: Quota(25, 10)})),
        "quota gigabytes",
        "needs 20 more, but 15 are left (limit 25, used 10, left 15)",
    ),
    "compute down": (
        replace(CLOUD, compute=Finding("service compute", "it is down", "Wait.")),
        "service compute",
        "down",
    ),
    "networking down": (
        replace(CLOUD, network=Finding("service network", "it is down", "Wait.")),
        "service network",
        "down",
    ),
}


@pytest.mark.parametrize(("cloud", "place", "words"), SPOILT.values(), ids=SPOILT)
def test_what_is_wrong_with_a_cloud_is_said_once(cloud: CloudFacts, place: str, words: str) -> None:
    finding = the_blocker(BASE, cloud)
    assert finding.place == place
    assert words in finding.cause
    assert finding.remedy


def test_only_external_networks_are_offered_for_the_external_one() -> None:
    networks = (Network("x1", "outside", True, 1500), Network("n1", "nodes", False, 1500))
    assert the_blocker(BASE, with_network(networks=networks)).remedy == "Use one of: outside."


ASKED_TOO_MUCH = {
    "flavor": (("flavor: n", "flavor: huge"), "spec.pools[1].flavor", "Use one of: m, n, tiny."),
    "key": (("cloud: lab", "cloud: lab\n  sshKey: you"), "spec.sshKey", "keypair create"),
    "zone": (("flavor: n", "flavor: n\n      zone: z"), "spec.pools[1].zone", "Use one of: nova."),
    "volume type": (("size: 10", "size: 10, type: gold"), "spec.pools[1].containerStorage.type", "ssd"),
    "volume type of claims": (
        ("cloud: lab", "cloud: lab\n  volumes: {type: gold}"),
        "spec.volumes.type",
        "Use one of: ssd;",
    ),
    "provider": (
        ("cloud: lab", "cloud: lab\n  loadBalancerProvider: f5"),
        "spec.loadBalancerProvider",
        "Use one of: amphora, ovn.",
    ),
}


@pytest.mark.parametrize(("edit", "place", "words"), ASKED_TOO_MUCH.values(), ids=ASKED_TOO_MUCH)
def test_what_the_cloud_does_not_have_is_said(edit: tuple[str, str], place: str, words: str) -> None:
    found = findings(edited(edit), CLOUD, Severity.BLOCKER)
    assert {finding.place for finding in found} == {place}
    assert words in found[0].remedy


def test_without_the_volume_driver_its_type_does_not_matter() -> None:
    asked = ("cloud: lab", "cloud: lab\n  volumes: {install: false, type: gold}")
    assert findings(edited(asked), CLOUD, Severity.BLOCKER) == []


SHARED = edited(
    ("cloud: lab", "cloud: lab\n  shares: {classes: {a: {protocol: NFS}, b: {protocol: CEPHFS, type: ceph}}}")
)
SHARES = Sharing(frozenset({"default", "ceph"}), has_default=True)


def test_share_types_that_are_there_are_well() -> None:
    assert not findings(SHARED, replace(CLOUD, shares=SHARES), Severity.BLOCKER)


@pytest.mark.parametrize(
    ("shares", "place", "words"),
    [
        (replace(SHARES, has_default=False), "spec.shares.classes.a", "ceph, default"),
        (Sharing(frozenset({"default"}), has_default=True), "spec.shares.classes.b.type", "default"),
        (Finding("service shared-file-system", "b", "c"), "service shared-file-system", "c"),
    ],
)
def test_a_cloud_without_the_shares_that_are_asked_for_is_told(
    shares: Sharing | Finding, place: str, words: str
) -> None:
    (found,) = findings(SHARED, replace(CLOUD, shares=shares), Severity.BLOCKER)
    assert found.place == place
    assert words in found.remedy


def test_a_registry_in_the_clouds_object_store_needs_one() -> None:
    asked = edited(("cloud: lab", "cloud: lab\n  registry: {storage: swift, host: images.example.org}"))
    (found,) = findings(asked, CLOUD, Severity.BLOCKER)
    assert (found.place, "cinder, or s3" in found.remedy) == ("spec.registry.storage", True)
    services = CLOUD.identity.services | {"object-store"}
    have = replace(CLOUD, identity=replace(CLOUD.identity, services=services))
    assert not findings(asked, have, Severity.BLOCKER)


def test_a_master_must_be_as_large_as_kubeadm_wants() -> None:
    found = findings(edited(("flavor: m", "flavor: tiny")), CLOUD, Severity.BLOCKER)
    assert [finding.cause for finding in found] == [
        "flavor tiny has 1 core, a master needs 2",
        "flavor tiny has 512 MiB of RAM, a master needs 2048",
    ]


def test_a_small_worker_is_warned_of() -> None:
    assert [
        each.place for each in findings(edited(("flavor: n", "flavor: tiny")), CLOUD, Severity.WARNING)
    ] == ["spec.pools[1].flavor"]


def test_everything_is_said_at_once() -> None:
    cloud = replace(
        CLOUD,
        images=(),
        network=replace(NETWORK, extensions=frozenset()),
        load_balancing=Finding("a", "b", "c"),
    )
    places = [each.place for each in findings(edited(("flavor: n", "flavor: huge")), cloud, Severity.BLOCKER)]
    assert {"spec.pools[0].image", "spec.pools[1].flavor", "network extension trunk", "a"} <= set(places)


NAMED = edited(("cloud: lab", "cloud: lab\n  names: {zone: apps.example.org, furtherZones: [example.net]}"))
BOTH = {"apps.example.org.": "PRIMARY", "example.net.": "PRIMARY"}


def test_zones_that_can_be_written_are_well() -> None:
    assert not findings(NAMED, replace(CLOUD, names=Naming(BOTH)), Severity.BLOCKER)


@pytest.mark.parametrize(
    ("names", "place", "words"),
    [
        (Naming({"apps.example.org.": "PRIMARY"}), "spec.names.furtherZones[0]", "does not exist"),
        (Naming({**BOTH, "apps.example.org.": "SECONDARY"}), "spec.names.zone", "cannot be written"),
        (Finding("service dns", "it is down", "Wait."), "service dns", "down"),
    ],
)
def test_zones_that_cannot_be_written_are_told(names: Naming | Finding, place: str, words: str) -> None:
    finding = the_blocker(NAMED, replace(CLOUD, names=names))
    assert (finding.place, words in finding.cause) == (place, True)


# Existing networks

NODES = subnet("s-nodes", "p1", "192.168.0.0/24")
EXISTING = edited(("{cidr: 10.10.0.0/24}", "{network: private, subnet: s-nodes}"))


def beside(**changes: object) -> CloudFacts:
    return with_network(
        **{
            "subnets": (*NETWORK.subnets, NODES),
            "routers_of": {"s-nodes": frozenset({"r1"})},
            **changes,
        }
    )


def test_existing_networks_may_be_used() -> None:
    assert findings(EXISTING, beside(), Severity.BLOCKER) == []


OLD_NETWORKS = {
    "no network": ({"networks": NETWORK.networks[:1]}, "spec.networks.nodes.network", "sees no private"),
    "no subnet": ({"subnets": NETWORK.subnets}, "spec.networks.nodes.subnet", "sees no s-nodes"),
    "no router": ({"routers_of": {}}, "spec.networks.nodes.subnet", "not joined to a router"),
    "no gateway": (
        {"routers_of": {"s-nodes": frozenset({"r2"})}},
        "spec.networks",
        "no gateway in ext",
    ),
    "overlap": (
        {
            "subnets": (*NETWORK.subnets, NODES, subnet("s2", "p2", "10.20.1.0/24")),
            "routers_of": {"s-nodes": frozenset({"r1"}), "s2": frozenset({"r1"})},
        },
        "spec.networks.pods.cidr",
        "of subnet s2 on the same router",
    ),
}


@pytest.mark.parametrize(("changes", "place", "words"), OLD_NETWORKS.values(), ids=OLD_NETWORKS)
def test_an_existing_network_must_fit(changes: dict[str, object], place: str, words: str) -> None:
    finding = the_blocker(EXISTING, beside(**changes))
    assert finding.place == place
    assert words in finding.cause


def test_the_stacks_own_subnet_is_no_overlap() -> None:
    cloud = beside(
        subnets=(*NETWORK.subnets, NODES, subnet("mine", "p2", "10.20.0.0/16")),
        routers_of={"s-nodes": frozenset({"r1"}), "mine": frozenset({"r1"})},
    )
    assert (
        findings(
            EXISTING,
            replace(cloud, stack=Stack("CREATE_COMPLETE", {}, frozenset({"mine"}))),
            Severity.BLOCKER,
        )
        == []
    )


@pytest.mark.parametrize(("first", "accepted"), [(32768, True), (2, False)])
def test_neutron_keeps_out_of_the_services_lower_half(first: int, accepted: bool) -> None:
    text = edited(("{cidr: 172.30.0.0/16}", "{network: private, subnet: s-nodes}"))
    services = subnet("s-nodes", "p1", "172.30.0.0/16", first, -2)
    found = findings(text, beside(subnets=(*NETWORK.subnets, services)), Severity.BLOCKER)
    assert [finding.place for finding in found] == ([] if accepted else ["spec.networks.services.subnet"])
    assert accepted or "start=172.30.128.1,end=172.30.255.254" in found[0].remedy


def test_pods_packets_must_fit_into_the_nodes() -> None:
    text = edited(
        ("{cidr: 10.10.0.0/24}", "{network: private, subnet: s-nodes}"),
        ("{cidr: 10.20.0.0/16}", "{network: big, subnet: s-pods}"),
    )
    cloud = beside(
        networks=(*NETWORK.networks, Network("p2", "big", False, 1500)),
        subnets=(*NETWORK.subnets, NODES, subnet("s-pods", "p2", "10.20.0.0/16")),
        routers_of={"s-nodes": frozenset({"r1"}), "s-pods": frozenset({"r1"})},
    )
    assert "does not fit into the 1442" in the_blocker(text, cloud).cause


# Load balancers

ALLOWED = ("cloud: lab", "cloud: lab\n  api: {allowedCidrs: [192.0.2.0/24]}")


@pytest.mark.parametrize(("enabled", "chosen"), [({"ovn", "amphora"}, "ovn"), ({"amphora"}, "amphora")])
def test_the_best_provider_is_chosen(enabled: set[str], chosen: str) -> None:
    cloud = replace(CLOUD, load_balancing=replace(LOAD_BALANCING, providers=frozenset(enabled)))
    report = preflight(parse(edited(ALLOWED)), cloud)
    assert not report.blocked
    (check,) = [each for each in report.checks if each.name == "load balancer provider"]
    assert check.fact.startswith(chosen)


INFRA = (
    "      containerStorage: {size: 10}\n",
    "    - {name: i, role: infra, count: 1, flavor: n, image: node}\n",
)
UNSEEN = "X-Forwarded-For"


@pytest.mark.parametrize(
    ("enabled", "edits", "remedy"),
    [
        ({"ovn"}, [INFRA], None),
        ({"amphora"}, [INFRA], "Do without them, or have ovn enabled."),
        (
            {"ovn", "amphora"},
            [INFRA, ("cloud: lab", "cloud: lab\n  loadBalancerProvider: amphora")],
            "Use ovn, which this cloud has.",
        ),
        ({"amphora"}, [], None),
        ({"amphora"}, [INFRA, ("cloud: lab", "cloud: lab\n  router: {enabled: false}")], None),
    ],
)
def test_a_router_that_does_not_see_clients_is_said(
    enabled: set[str], edits: list[tuple[str, str]], remedy: str | None
) -> None:
    cloud = replace(CLOUD, load_balancing=replace(LOAD_BALANCING, providers=frozenset(enabled)))
    found = findings(edited(*edits), cloud, Severity.WARNING)
    assert [each.remedy for each in found if UNSEEN in each.cause] == ([remedy] if remedy else [])


def test_a_provider_nobody_knows_is_refused() -> None:
    cloud = replace(CLOUD, load_balancing=replace(LOAD_BALANCING, providers=frozenset({"f5", "ovn"})))
    text = edited(("cloud: lab", "cloud: lab\n  loadBalancerProvider: f5"))
    assert the_blocker(text, cloud).remedy == "Use one of: ovn."


# Quotas


def with_instances(limit: int, used: int | None, held: int = 0) -> CloudFacts:
    stack = Stack("CREATE_COMPLETE", {Kind.INSTANCES: held}, frozenset()) if held else None
    quotas = {**COMPUTE.quotas, Kind.INSTANCES: Quota(limit, used)}
    return replace(CLOUD, compute=replace(COMPUTE, quotas=quotas), stack=stack)


# The platform has 3 servers, a replacement 2 more.
@pytest.mark.parametrize(
    ("limit", "used", "held", "blockers", "warnings"),
    [
        (5, 0, 0, 0, 0),
        (4, 0, 0, 0, 1),
        (3, 0, 0, 0, 1),
        (2, 0, 0, 1, 0),
        (-1, 99, 0, 0, 0),
        (10, 8, 0, 1, 0),
        (5, 3, 3, 0, 0),  # its own use is no obstacle
        (3, 3, 3, 0, 1),
        (4, 3, 2, 0, 1),  # one more, and a foreign one
        (3, 3, 2, 1, 0),
        (1, 9, 0, 1, 0),  # a limit lowered below the use
    ],
)
def test_a_quota_is_held_against_what_is_missing(
    limit: int, used: int, held: int, blockers: int, warnings: int
) -> None:
    report = preflight(parse(BASE), with_instances(limit, used, held))
    assert len(report.remarks(Severity.BLOCKER)) == blockers
    assert len(report.remarks(Severity.WARNING)) == warnings


def test_following_the_remedy_is_enough() -> None:
    """Raise each limit to what the finding names, and nothing is left to say."""
    cloud = with_instances(2, 1)
    finding = the_blocker(BASE, cloud)
    limit = int(finding.remedy.rstrip(".").rsplit(" ", 1)[1])
    assert findings(BASE, with_instances(limit, 1), Severity.BLOCKER) == []
    assert findings(BASE, with_instances(limit, 1), Severity.WARNING) == []


def test_a_quota_that_is_not_told_is_a_warning() -> None:
    cloud = replace(CLOUD, network=replace(NETWORK, quotas={}))
    assert len(findings(BASE, cloud, Severity.WARNING)) == 7


def test_a_deployed_platform_passes_again_with_nothing_to_spare() -> None:
    platform = parse(BASE)
    wanted = need(platform, {flavor.name: flavor for flavor in FLAVORS})
    exact = {kind: Quota(amount, amount) for kind, amount in wanted.steady.items()}
    cloud = CloudFacts(
        identity=CLOUD.identity,
        compute=replace(COMPUTE, quotas=exact),
        images=CLOUD.images,
        network=replace(NETWORK, quotas=exact),
        volumes=replace(VOLUMES, quotas=exact),
        load_balancing=replace(LOAD_BALANCING, quotas=exact),
        stack=Stack("CREATE_COMPLETE", wanted.steady, frozenset()),
    )
    report = preflight(platform, cloud)
    assert not report.blocked
    assert {remark.finding.place for remark in report.remarks(Severity.WARNING)} == {
        f"quota {kind}" for kind, amount in wanted.surge.items() if amount
    }
