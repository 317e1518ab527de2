"""Reading the figures of a process, our own or another's, as a scrape has them."""

import re
from collections import Counter

from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from causeway.kit import metrics


def figure(series: str, text: str | None = None) -> float:
    """Return the value of ``name{label="value",...}`` (labels sorted) in ``text``, else ours; 0 if none."""
    text = generate_latest(metrics.REGISTRY).decode() if text is None else text
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def cloud_calls(text: str, service: str) -> Counter[str]:
    """Return how often each kind of call was made to a service of OpenStack, whatever the answer."""
    calls: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "causeway_cloud_calls_total" and sample.labels["service"] == service:
                calls[sample.labels["call"]] += int(sample.value)
    return calls
