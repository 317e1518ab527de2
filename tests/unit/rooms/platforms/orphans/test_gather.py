"""Reading the services' answers: what is ours, of whom, and since when."""

from datetime import UTC, datetime
from typing import Any

from causeway.cloud.ownership import DRIVER_CLUSTER, VOLUME, Owner
from causeway.rooms.platforms.image_store import Found, access_of
from causeway.rooms.platforms.orphans.gather import landscape_of
from causeway.rooms.platforms.stored import COLLECTIONS, CONTAINER, Stored

CLUSTER = "3d9195d1-6bc1-423b-82eb-f2c605ddc198"
BALANCER, GONE = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
POD = Owner(CLUSTER, "pod", "u1")


def answers(**found: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    kinds = [
        "ports",
        "trunks",
        "floatingips",
        "security-groups",
        "address-groups",
        "networks",
        "subnets",
        "routers",
    ]
    kinds += ["balancers", "servers", "stacks", "credentials", "record sets", *COLLECTIONS]
    return {kind: found.get(kind.replace("-", "_").replace(" ", "_"), []) for kind in kinds}


def port(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "name": name, "network_id": "n", "tags": [], **more}


def test_tags_and_descriptions_say_whose_a_thing_is() -> None:
    found = landscape_of(
        answers(
            ports=[port("tagged", tags=POD.tags(), created_at="2030-01-01T10:00:00Z"), port("foreign")],
            floatingips=[{"id": "f", "floating_ip_address": "172.24.4.9", "description": POD.description()}],
            balancers=[
                {"id": BALANCER, "name": "b", "tags": POD.tags(), "created_at": "2030-01-01T10:00:00"}
            ],
            servers=[
                {"id": "s", "name": "w1", "metadata": {"causeway-cluster": CLUSTER}},
                {"id": "t", "name": "other", "metadata": {}},
            ],
            record_sets=[
                {
                    "id": "r",
                    "zone_id": "z",
                    "name": "www.example.org.",
                    "type": "A",
                    "description": Owner(CLUSTER, "name").description(),
                },
            ],
        )
    )
    assert [(each.type, each.id) for each in found.things] == [
        ("port", "tagged"),
        ("floating IP", "f"),
        ("load balancer", BALANCER),
        ("record set", "z/r"),
        ("server", "s"),
    ]
    ten = datetime(2030, 1, 1, 10, tzinfo=UTC)
    assert [each.made for each in found.things] == [ten, None, ten, None, None]


def test_credentials_and_stacks_name_their_cluster() -> None:
    found = landscape_of(
        answers(
            credentials=[
                {"id": "1", "name": f"causeway-demo-{CLUSTER}-0a1b2c3d"},
                {"id": "2", "name": f"causeway-demo-{CLUSTER}"},
                {"id": "3", "name": "somebody's own"},
            ],
            stacks=[
                {
                    "stack_name": "demo",
                    "stack_status": "CREATE_COMPLETE",
                    "tags": [f"causeway-cluster={CLUSTER}"],
                },
                {"stack_name": "other", "stack_status": "CREATE_COMPLETE", "tags": None},
            ],
        )
    )
    assert [(each.id, each.owner.cluster) for each in found.things] == [("1", CLUSTER), ("2", CLUSTER)]
    assert found.stacks == {CLUSTER: "demo"}


def test_the_port_of_a_load_balancer_that_is_gone_is_told_only_on_a_network_of_ours() -> None:
    found = landscape_of(
        answers(
            networks=[{"id": "n", "name": "pods", "tags": Owner(CLUSTER, "network").tags()}],
            ports=[
                port(f"ovn-lb-vip-{BALANCER}"),
                port(f"ovn-lb-vip-{GONE}"),
                port(f"octavia-lb-{GONE}", network_id="another"),
            ],
            balancers=[{"id": BALANCER, "name": "b"}],
        )
    )
    (stray,) = [each for each in found.things if each.type == "port"]
    assert (stray.name, stray.described) == (f"ovn-lb-vip-{GONE}", False)


def test_volumes_are_a_nodes_or_a_claims_and_another_drivers_are_strangers() -> None:
    ours = {**Owner(CLUSTER, VOLUME, "pvc-a").metadata(), DRIVER_CLUSTER: CLUSTER}
    ours |= {"csi.storage.k8s.io/pvc/namespace": "shop", "csi.storage.k8s.io/pvc/name": "data"}
    found = landscape_of(
        answers(
            volumes=[
                {"id": "n", "metadata": {"causeway-cluster": CLUSTER}, "attachments": [{"server_id": "s"}]},
                {
                    "id": "c",
                    "name": "pvc-a",
                    "size": 3,
                    "metadata": ours,
                    "attachments": [{"server_id": "s"}],
                },
                {"id": "o", "size": 1, "metadata": {DRIVER_CLUSTER: "kubernetes"}},
                {"id": "f", "size": 1, "metadata": {}},
            ],
            snapshots=[{"id": "z", "size": 3, "volume_id": "c", "metadata": ours}],
            backups=[{"id": "y", "size": 3, "volume_id": "c", "metadata": ours}],
        )
    )
    assert [(each.type, each.id, each.owner.kind) for each in found.things] == [
        ("volume", "n", "node"),
        ("volume", "c", "volume"),
        ("snapshot", "z", "volume"),
        ("backup", "y", "volume"),
    ]
    assert [each.users for each in found.things] == [(), ("s",), (), ()]
    assert found.things[1].about == "3 GiB, claim shop/data, attached to s"
    assert [(each.id, each.owner.cluster) for each in found.strangers] == [("o", "kubernetes")]


def test_images_are_their_platforms_and_so_are_the_keys_for_them() -> None:
    container = Stored(
        CONTAINER, "causeway-registry-c", "", 3, "available", "2030-01-01T10:00:00+00:00", CLUSTER
    )
    found = landscape_of(answers(), [Found(container, ("u",))])
    keys, images = found.things
    assert (keys.type, keys.id, keys.name, keys.data) == (
        "EC2 credential",
        access_of(CLUSTER, "u"),
        "u",
        False,
    )
    assert (images.type, images.about, images.data) == (CONTAINER, "3 GiB", True)
    assert {each.owner for each in found.things} == {Owner(CLUSTER, "registry")}
    assert {each.made for each in found.things} == {datetime(2030, 1, 1, 10, tzinfo=UTC)}
    assert found.unseen == ()


def test_what_nobody_may_look_at_is_said() -> None:
    assert landscape_of(answers(), None).unseen != ()
