"""What the rooms are told of each other."""

from tests.models.feeds import informers
from tests.models.networks import ModelNetworks

from causeway.cloud.networks import Network, Subnet
from causeway.cloud.ownership import Owner
from causeway.kube.events import Recorder
from causeway.kube.informers import Informers
from causeway.kube.objects import Condition, Meta, Namespace, NamespaceStatus, Pod
from causeway.kube.podnetwork import NETWORK_CONDITION
from causeway.rooms.interfaces.controller import Interfaces
from causeway.rooms.interfaces.model import Found, Known
from causeway.rooms.namespaces.controller import Namespaces
from causeway.rooms.namespaces.model import KIND, Own, Setting
from causeway.rooms.pods.neighbours import Further, NetworkOfNamespace
from causeway.rooms.pods.neighbours import Subnet as PodSubnet
from causeway.rooms.services.model import Place
from causeway.serve.controller.neighbours import FurtherInterfaces, NetworksOfNamespaces, Places

SHARED = NetworkOfNamespace("pods", (PodSubnet("s", 16, "10.20.0.1"),), ("pod",), 1442)
S4, S6 = Subnet("s4", "n", "10.40.0.0/24", 4, "10.40.0.1"), Subnet("s6", "n", "fd00:40::/64", 6)


def namespaces() -> tuple[Informers, Namespaces]:
    cloud = ModelNetworks()
    setting = Setting("c", "r", False, (), (), frozenset())
    followed = informers({})
    return followed, Namespaces(
        setting,
        networks=cloud,
        groups=cloud,
        kube=None,  # type: ignore[arg-type]  # nothing is reconciled here
        recorder=Recorder(None, "test"),  # type: ignore[arg-type]  # nor told
        sources=followed,
    )


def test_a_namespace_is_on_the_shared_network_or_on_its_own_or_not_known() -> None:
    followed, room = namespaces()
    networks = NetworksOfNamespaces(room, SHARED)
    woken: list[str] = []
    networks.on_change(woken.append)
    shop = Namespace(Meta("shop", uid="u"))
    followed.namespaces.store.put(shop)
    assert networks.of("") == SHARED
    assert networks.of("shop") is None
    assert networks.of("nowhere") is None
    room.answers.give(shop, None)
    assert networks.of("shop") == SHARED
    room.answers.give(shop, Own("n", 1500, (S4, S6), "g"))
    subnets = (PodSubnet("s4", 24, "10.40.0.1"), PodSubnet("s6", 64))
    assert networks.of("shop") == NetworkOfNamespace("n", subnets, ("g",), 1500, "shop")
    assert woken == ["shop", "shop"]


def test_why_a_namespace_has_no_network_is_what_its_condition_says() -> None:
    followed, room = namespaces()
    networks = NetworksOfNamespaces(room, SHARED)
    followed.namespaces.store.put(Namespace(Meta("new", uid="n")))
    refused = Condition(NETWORK_CONDITION, "False", "Quota", "No more networks.")
    followed.namespaces.store.put(Namespace(Meta("shop", uid="u"), NamespaceStatus(conditions=(refused,))))
    reason, finding = networks.trouble("shop") or ("", None)
    assert (reason, finding and finding.remedy) == ("Quota", "No more networks.")
    assert [networks.trouble(name) for name in ("new", "nowhere")] == [None, None]


def test_members_are_where_namespaces_have_their_networks() -> None:
    _, room = namespaces()
    places = Places([Place("10.20.0.0/16", "pods")], room)
    assert list(places) == [Place("10.20.0.0/16", "pods")]
    room.view.networks.put("n", Network("n", "shop", description=Owner("c", KIND, "u").description()))
    room.view.subnets.put("s4", S4)
    assert list(places) == [Place("10.20.0.0/16", "pods"), Place("10.40.0.0/24", "s4")]
    assert (len(places), places[0].subnet_id, places[1:][0].subnet_id) == (2, "pods", "s4")


class Asked(Interfaces):
    """Knows what every pod asks for."""

    def of(self, pod: Pod) -> tuple[Known, ...]:
        first = Found("n", 1500, (S4, S6), ("s4",), ("z", "a"))
        return (Known("net1", first, ("10.40.0.9",), "m"), Known("net2", Found("n", 1500, (S4,), ("s4",))))


def test_a_further_network_is_no_namespaces() -> None:
    asked = Asked(
        networks=ModelNetworks(),
        recorder=Recorder(None, "test"),  # type: ignore[arg-type]  # nothing is told
        definitions=informers({}).definitions,
    )
    first, second = FurtherInterfaces(asked, ("pod",)).of(Pod(Meta("web")))
    assert first.network.namespace == "network/n"
    assert first == Further("net1", first.network, ("s4",), ("a", "z"), ("10.40.0.9",), "m")
    assert second.groups == ("pod",)
