"""Writes the Grafana dashboard deploy/grafana/causeway.json from panels that can be read and changed.

Usage: python tools/dashboard.py (make dashboard).
"""

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parent.parent / "deploy" / "grafana" / "causeway.json"
SCHEMA = 41  # Grafana 12
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDE, HIGH = 24, 8  # of the grid, and of a row of panels in it


def quantile(share: float, metric: str, by: str, where: str = "") -> str:
    """Return the query of a quantile of a histogram."""
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket{where}[$__rate_interval])))"


def rate(metric: str, by: str, where: str = "") -> str:
    """Return the query of a counter's rate."""
    return f"sum by ({by}) (rate({metric}{where}[$__rate_interval]))"


Member = tuple[str, str, dict[str, str], str]
"""A panel: title, unit, queries by legend, and what it tells."""

ROWS: dict[str, list[Member]] = {
    "At a glance": [
        ("Leaders", "short", {"leading": "sum(causeway_leading)"}, "Exactly one is right."),
        (
            "Objects that fail",
            "short",
            {"{{room}}": "sum by (room) (causeway_queue_failing)"},
            "Keys whose last reconciliation failed; their Events and `causeway explain` say why.",
        ),
        (
            "Free ports",
            "short",
            {"{{node}}": 'sum by (node) (causeway_pool_ports{state="free"})'},
            "Ready for pods that come; none means that pods wait for the cloud.",
        ),
        (
            "Refused by the cloud",
            "reqps",
            {
                "{{service}} {{code}}": rate(
                    "causeway_cloud_calls_total", "service, code", '{code!~"2..|404"}'
                )
            },
            "Calls that were answered by an error, timed out or met nobody.",
        ),
    ],
    "Rooms": [
        (
            "Waiting",
            "short",
            {"{{room}}": "sum by (room) (causeway_queue_length)"},
            "Keys that wait for a worker.",
        ),
        (
            "Waiting longest",
            "s",
            {"{{room}}": "max by (room) (causeway_queue_oldest_seconds)"},
            "Age of the key that waits longest.",
        ),
        (
            "Reconciled",
            "ops",
            {
                "{{room}}": rate("causeway_reconciled_total", "room"),
                "{{room}} {{error}}": rate("causeway_reconcile_errors_total", "room, error"),
            },
            "Successes by room, failures by room and type of error.",
        ),
        (
            "Time of a reconciliation",
            "s",
            {
                "{{room}} p50": quantile(0.5, "causeway_reconcile_seconds", "room"),
                "{{room}} p99": quantile(0.99, "causeway_reconcile_seconds", "room"),
            },
            "However it ended.",
        ),
    ],
    "Pods": [
        (
            "Pools",
            "short",
            {
                "{{state}}": "sum by (state) (causeway_pool_ports)",
                "pods waiting": "sum(causeway_pods_waiting)",
            },
            "Ports of all nodes by what becomes of them, those that ought to be free, and pods that wait.",
        ),
        (
            "CNI calls",
            "ops",
            {"{{command}} {{code}}": rate("causeway_cni_calls_total", "command, code")},
            "Code 0 is success, 11 means that the runtime tries again.",
        ),
        (
            "CNI ADD",
            "s",
            {
                "p50": quantile(0.5, "causeway_cni_seconds", "command", '{command="ADD"}'),
                "p99": quantile(0.99, "causeway_cni_seconds", "command", '{command="ADD"}'),
            },
            "In the node daemon, waiting for a port included.",
        ),
        (
            "Attached",
            "short",
            {
                "{{instance}}": "causeway_attachments",
                "free {{instance}}": 'causeway_node_pool_ports{state="free"}',
            },
            "Pods' interfaces on each node, and the ports free for more as the node sees it.",
        ),
    ],
    "Services": [
        (
            "Load balancers",
            "short",
            {
                "{{status}}": "sum by (status) (causeway_load_balancers)",
                "stuck": "sum(causeway_load_balancers_stuck)",
            },
            "By provisioning status; stuck ones are PENDING for more than five minutes.",
        ),
    ],
    "Cloud": [
        (
            "Calls",
            "reqps",
            {"{{service}}": rate("causeway_cloud_calls_total", "service")},
            "Calls to OpenStack.",
        ),
        (
            "Calls by kind",
            "reqps",
            {"{{call}}": f"topk(10, {rate('causeway_cloud_calls_total', 'call')})"},
            "The ten most frequent.",
        ),
        (
            "Answer time p95",
            "s",
            {
                "{{service}} {{call}}": (
                    f"topk(10, {quantile(0.95, 'causeway_cloud_call_seconds', 'service, call')})"
                )
            },
            "The ten slowest.",
        ),
        (
            "Asked to slow down",
            "ops",
            {
                "{{service}}": rate("causeway_cloud_pauses_total", "service"),
                "tokens": "sum(rate(causeway_cloud_tokens_total[$__rate_interval]))",
            },
            "Answers that ask for a pause, and tokens obtained.",
        ),
    ],
    "Kubernetes": [
        (
            "Requests",
            "reqps",
            {"{{verb}} {{resource}}": rate("causeway_kube_calls_total", "verb, resource")},
            "Requests to the API.",
        ),
        (
            "Refused",
            "reqps",
            {
                "{{verb}} {{resource}} {{code}}": rate(
                    "causeway_kube_calls_total", "verb, resource, code", '{code!~"2.."}'
                )
            },
            "409 and 404 are ordinary now and then, 403 is a right that is missing.",
        ),
        (
            "Answer time p95",
            "s",
            {
                "{{verb}} {{resource}}": quantile(
                    0.95, "causeway_kube_call_seconds", "verb, resource", '{verb!="WATCH"}'
                )
            },
            "Of requests that are no watches.",
        ),
        (
            "Watches begun again",
            "ops",
            {"{{resource}} {{reason}}": rate("causeway_watch_restarts_total", "resource, reason")},
            "After an error, or after a version that is no longer kept.",
        ),
    ],
    "Processes": [
        (
            "Memory",
            "bytes",
            {"{{instance}}": 'process_resident_memory_bytes{job=~"causeway.*"}'},
            "Resident, of controllers and node daemons.",
        ),
        (
            "Processor",
            "percentunit",
            {"{{instance}}": 'rate(process_cpu_seconds_total{job=~"causeway.*"}[$__rate_interval])'},
            "Of one core.",
        ),
    ],
}


def dashboard() -> dict[str, Any]:
    """Return the dashboard in Grafana's JSON model."""
    panels: list[dict[str, Any]] = []
    height = 0
    for title, members in ROWS.items():
        place = {"h": 1, "w": WIDE, "x": 0, "y": height}
        row = {"id": len(panels) + 1, "type": "row", "title": title, "gridPos": place}
        panels.append(row | {"collapsed": False, "panels": []})
        width = WIDE // len(members)
        for number, member in enumerate(members):
            place = {"h": HIGH, "w": width, "x": number * width, "y": height + 1}
            panels.append(panel(len(panels) + 1, place, member))
        height += 1 + HIGH
    return {
        "title": "Causeway",
        "uid": "causeway",
        "description": "Pods, services and nodes on OpenStack: what the controller and the node daemons do.",
        "tags": ["causeway", "kubernetes", "openstack"],
        "schemaVersion": SCHEMA,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "",
        "annotations": {"list": []},
        "links": [],
        "templating": {
            "list": [
                {
                    "name": "datasource",
                    "label": "Prometheus",
                    "type": "datasource",
                    "query": "prometheus",
                    "current": {},
                    "hide": 0,
                    "refresh": 1,
                }
            ]
        },
        "panels": panels,
    }


def panel(number: int, place: dict[str, int], member: Member) -> dict[str, Any]:
    """Return one panel."""
    title, unit, queries, about = member
    style = {"unit": unit, "min": 0, "custom": {"fillOpacity": 10, "showPoints": "never"}}
    legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
    return {
        "id": number,
        "type": "timeseries",
        "title": title,
        "description": about,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": style, "overrides": []},
        "options": {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": SOURCE,
                "editorMode": "code",
                "range": True,
                "expr": query,
                "legendFormat": label,
            }
            for index, (label, query) in enumerate(queries.items())
        ],
    }


def text() -> str:
    """Return the file's content."""
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
