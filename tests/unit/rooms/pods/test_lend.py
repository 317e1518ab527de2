"""Single decisions about prepared ports in a node's plan."""

from dataclasses import replace

import msgspec
from tests.unit.rooms.pods.test_plan import NEED, entry, port, state

from causeway.cloud.prepared_ports import PreparedPort, tags_of
from causeway.kube.objects import Claim
from causeway.rooms.pods.model import Attach, Attachment, Bind, Detach, Unbind, Wish
from causeway.rooms.pods.plan import plan

WISH = replace(NEED, plain=False, groups=("deny",), wish=Wish("own"))
OWN = PreparedPort(
    **{key: getattr(port("own"), key) for key in port("own").__struct_fields__}
    | {"name": "mine", "tags": tags_of("c", "shop"), "security_groups": ("theirs",)}
)
HERE = {"own": Attachment("t1", 7), "a": Attachment("t1", 1)}
LENT = entry("own", 7, pod_uid="u", prepared=True)


def test_it_is_attached_in_one_call_with_others_and_then_listed_for_its_pod() -> None:
    there = state(ports={"p": port("p")}, needs=(WISH,), prepared={"own": OWN})
    assert plan(there).steps == (Attach("t1", (("p", 1), ("own", 2))),)
    made = plan(state(entry("a", 1), needs=(WISH,), prepared={"own": OWN}, attached=HERE))
    assert made.steps == ()
    assert made.names == {}
    assert [(one.port_id, one.pod_uid, one.prepared) for one in made.entries] == [
        ("a", "", False),
        ("own", "u", True),
    ]


def test_nothing_is_done_for_a_wish_that_is_refused_or_rests() -> None:
    for wish in (Wish(), Wish("", "PortNotFound")):
        assert plan(state(entry("a", 1), needs=(replace(WISH, wish=wish),))).steps == ()
    there = state(entry("a", 1), needs=(WISH,), prepared={"own": OWN}, resting=frozenset({"own"}))
    assert plan(there).steps == ()


def test_its_groups_are_never_changed_and_it_is_only_let_go() -> None:
    claims = {"own": Claim("own", "u", "shop", "front")}
    there = state(
        entry("a", 1), LENT, prepared={"own": OWN}, attached=HERE, needs=(replace(WISH, wish=None),)
    )
    there = replace(there, ports={"a": port("a")})
    assert plan(replace(there, claims=claims)).steps == ()
    gone = replace(there, needs=())
    (_, listed) = plan(gone).entries
    assert listed.retiring
    retired = replace(gone, entries=(entry("a", 1), listed), settled=frozenset({"own"}))
    assert plan(retired).steps == (Detach("t1", ("own",)),)
    assert plan(replace(retired, settled=frozenset())).steps == (), "its node may still hand it out"
    assert plan(replace(retired, claims=claims)).steps == (), "its node has handed it out"
    off = replace(retired, attached={"a": HERE["a"]})
    assert plan(off).steps == ()
    assert [one.port_id for one in plan(off).entries] == ["a"]


def test_on_a_native_node_it_is_bound_and_unbound() -> None:
    native = state(trunk_id="native", native=True, targets={}, prepared={"own": OWN}, needs=(WISH,))
    assert plan(native).steps == (Bind("own", "w1"),)
    bound = replace(native, attached={"own": Attachment("native", 0)})
    (listed,) = plan(bound).entries
    assert (listed.segmentation_id, listed.pod_uid, listed.retiring) == (0, "u", False)
    leaving = replace(bound, entries=(listed,), needs=(), present=False)
    assert plan(leaving).steps == (Unbind("own"),)


def test_what_is_on_the_trunk_and_wanted_by_nobody_retires_first() -> None:
    made = plan(state(entry("a", 1), prepared={"own": OWN}, attached=HERE))
    assert made.steps == ()
    assert made.entries[1].retiring
    assert not made.entries[1].pod_uid


def test_it_is_put_back_where_its_node_knows_it_unless_it_is_used_elsewhere() -> None:
    there = state(entry("a", 1), LENT, needs=(WISH,), prepared={"own": OWN}, attached={"a": HERE["a"]})
    there = replace(there, ports={"a": port("a")}, vlans={"a": 1})
    assert plan(there).steps == (Attach("t1", (("own", 7),)),)
    elsewhere = {"own": msgspec.structs.replace(OWN, device_owner="compute:nova")}
    made = plan(replace(there, prepared=elsewhere))
    assert made.steps == ()
    assert made.entries[1].retiring
