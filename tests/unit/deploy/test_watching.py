"""The dashboard and the alerts ask for what there is."""

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.process_collector import ProcessCollector

from causeway.kit import metrics

TOP = Path(__file__).resolve().parents[3]
DASHBOARD = TOP / "deploy" / "grafana" / "causeway.json"
ALERTS = TOP / "deploy" / "prometheus" / "causeway-alerts.yaml"
REFERENCE = TOP / "docs" / "reference" / "metrics.md"
EVERYWHERE = {"instance", "job", "le"}  # labels a scrape adds, and the one of histograms


def offered() -> dict[str, set[str]]:
    """Every series there can be, with its labels."""
    found = {}
    for collector in metrics.REGISTRY._collector_to_names:
        labels = set(getattr(collector, "_labelnames", None) or getattr(collector, "_labels", None) or ())
        for name in metrics.REGISTRY._collector_to_names[collector]:
            found[name] = labels
    for family in metrics.REGISTRY.collect():  # some are known only when asked
        for sample in family.samples:
            found.setdefault(sample.name, set(sample.labels))
    return found


def expressions() -> list[str]:
    """What is asked, by panels and alerts."""
    panels = [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    rules = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
    return asked + [rule["expr"] for rule in rules]


@pytest.mark.parametrize("expression", expressions())
def test_every_figure_asked_for_is_kept(expression: str) -> None:
    known = offered()
    names = set(re.findall(r"\b(?:causeway|process)_[a-z_]+", expression))
    assert names <= known.keys()
    grouped = [label for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(", ")]
    selected = re.findall(r"([a-z_]+)(?:=~|!~|!=|=)\"", expression)
    allowed = EVERYWHERE.union(*(known[name] for name in names))
    assert {*grouped, *selected} <= allowed


def test_the_dashboard_is_what_the_tool_writes() -> None:
    tool: dict[str, Any] = runpy.run_path(str(TOP / "tools" / "dashboard.py"))
    assert DASHBOARD.read_text() == tool["text"](), "run `make dashboard`"


def test_panels_neither_overlap_nor_share_an_id() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        taken = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells
        assert max(x for x, _ in taken) < 24
        cells |= taken
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_every_alert_says_what_and_how_bad() -> None:
    for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"].keys() == {"summary", "description"}
        assert rule["for"]


def test_every_figure_is_documented_as_it_is() -> None:
    rows = {
        name: (kind, set(re.findall(r"`([a-z_]+)`", labels)), meaning)
        for name, kind, labels, meaning in re.findall(
            r"^\| `(\w+)` \| (\w+) \|([^|]*)\| (.*) \|$", REFERENCE.read_text(), re.MULTILINE
        )
    }
    kept = {}
    for collector in metrics.REGISTRY._collector_to_names:
        if not isinstance(collector, ProcessCollector):
            for family in collector.describe():  # type: ignore[attr-defined]  # all but that one have it
                name = family.name + ("_total" if family.type == "counter" else "")
                kept[name] = (family.type, offered()[family.name], family.documentation)
    assert rows == kept
