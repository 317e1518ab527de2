import pytest

from causeway.lab.model import Service, Step, checked


def test_units_come_after_what_they_need() -> None:
    units = checked(
        [
            Service("api", ("x",), needs=("tables",)),
            Step("tables", ("y",), needs=("db",)),
            Service("db", ("z",)),
        ]
    )
    assert [unit.name for unit in units] == ["db", "tables", "api"]


def test_a_need_nobody_fulfils_is_refused() -> None:
    with pytest.raises(ValueError, match="api needs db"):
        checked([Service("api", ("x",), needs=("db",))])


def test_a_circle_of_needs_is_refused() -> None:
    with pytest.raises(ValueError, match="circle"):
        checked([Service("a", ("x",), needs=("b",)), Service("b", ("x",), needs=("a",))])


def test_a_name_used_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="two units"):
        checked([Service("a", ("x",)), Step("a", ("x",))])
