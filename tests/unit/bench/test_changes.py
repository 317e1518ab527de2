from itertools import islice

from bench.router.changes import KINDS, State, changes


def test_what_is_done_is_undone_but_for_certificates() -> None:
    state = State()
    for number, change in enumerate(islice(changes(100), 10 * len(KINDS)), 1):
        state.take(change)
        assert (change.number >= 100) == (change.kind == "host")  # hosts that nobody asks for
        half = number % (2 * len(KINDS)) == len(KINDS)
        if half:
            assert all((state.endpoints, state.weights, state.path, state.host))
        elif number % len(KINDS) == 0:
            assert not any((state.endpoints, state.weights, state.path, state.host))
    assert set(state.certificate.values()) <= {0, 1}


def test_a_certificate_becomes_another_each_time() -> None:
    state = State()
    change = next(each for each in changes(1) if each.kind == "certificate")
    seen = []
    for _ in range(3):
        state.take(change)
        seen.append(state.certificate[change.number])
    assert seen == [0, 1, 0]
