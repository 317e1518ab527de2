"""The store against the plain idea of it: a dictionary searched from end to end."""

from hypothesis import given
from hypothesis import strategies as st

from causeway.kube.objects import Meta, Pod, PodSpec, key_of
from causeway.kube.store import Store

pods = st.builds(
    lambda name, uid, version, node: Pod(
        Meta(name=name, namespace="n", uid=uid, resource_version=f"{uid}{version}{node}"),
        PodSpec(node_name=node),
    ),
    st.sampled_from("abc"),
    st.sampled_from(["u1", "u2"]),
    st.integers(0, 2),
    st.sampled_from(["", "w1", "w2"]),
)
steps = st.one_of(
    st.tuples(st.just("put"), pods),
    st.tuples(st.just("remove"), st.sampled_from(["n/a", "n/b", "n/c"])),
    st.tuples(st.just("replace"), st.lists(pods, max_size=3)),
)


@given(st.lists(steps, max_size=12))
def test_store_and_indexes_agree_with_a_dictionary_and_changes_tell_everything(
    history: list[tuple[str, object]],
) -> None:
    store: Store[Pod] = Store({"node": lambda pod: [pod.spec.node_name] if pod.spec.node_name else []})
    model: dict[str, Pod] = {}
    told: dict[str, Pod] = {}  # what somebody knows who only hears of changes
    for step, what in history:
        if step == "put":
            assert isinstance(what, Pod)
            model[key_of(what)] = what
            change = store.put(what)
            changes = [change] if change else []
        elif step == "remove":
            model.pop(str(what), None)
            change = store.remove(str(what))
            changes = [change] if change else []
        else:
            assert isinstance(what, list)
            model = {key_of(pod): pod for pod in what}
            changes = list(store.replace(what))
        for change in changes:
            assert told.get(change.key) == change.old
            if change.new is None:
                del told[change.key]
            else:
                told[change.key] = change.new
        assert {key_of(pod): pod for pod in store.all()} == model == told
        for node in ("w1", "w2"):
            expected = {key for key, pod in model.items() if pod.spec.node_name == node}
            assert {key_of(pod) for pod in store.by("node", node)} == expected
