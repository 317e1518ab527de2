"""Figures that are read when somebody asks."""

from prometheus_client.exposition import generate_latest

from causeway.kit import metrics


def shown() -> list[str]:
    return [line for line in generate_latest(metrics.REGISTRY).decode().splitlines() if "pool_ports{" in line]


def test_a_state_is_read_when_asked_and_leaves_nothing_behind() -> None:
    levels: dict[tuple[str, ...], float] = {("w1", "free"): 3.0, ("w2", "free"): 0.0}
    with metrics.POOL_PORTS.reading(lambda: levels):
        assert shown() == [
            'causeway_pool_ports{node="w1",state="free"} 3.0',
            'causeway_pool_ports{node="w2",state="free"} 0.0',
        ]
        del levels["w2", "free"]
        assert shown() == ['causeway_pool_ports{node="w1",state="free"} 3.0']
    assert shown() == []
