"""Every figure the long-running parts keep, in one place, so that it can be seen what there is to ask for.

The doors and the engine count here; whoever serves the figures renders ``REGISTRY``. Names are an interface:
dashboards, alerts and tests ask for them. Labels take few values: kinds of calls, never identifiers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

Values = Mapping[tuple[str, ...], float]
"""Values by those of the labels."""

REGISTRY = CollectorRegistry()
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's own lack; half of all series otherwise
ProcessCollector(registry=REGISTRY)


class Read(Collector):
    """A gauge whose values are all read whenever somebody asks, so that none outlives what it was about."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str]) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._source: Callable[[], Values] = dict
        REGISTRY.register(self)

    @contextmanager
    def reading(self, source: Callable[[], Values]) -> Iterator[None]:
        """Have the values read from ``source`` meanwhile; it must be quick and must not raise."""
        self._source = source
        try:
            yield
        finally:
            self._source = dict

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Return the gauge without values."""
        yield GaugeMetricFamily(self._name, self._documentation, labels=self._labels)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return the gauge with the values of this moment."""
        family = GaugeMetricFamily(self._name, self._documentation, labels=self._labels)
        for labels, value in self._source().items():
            family.add_metric(labels, value)
        yield family


_CALL = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_CNI = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.25, 2.5, 5.0, 10.0, 30.0, 60.0)

# the doors

CLOUD_CALLS = Counter(
    "causeway_cloud_calls",
    "Calls to OpenStack by service, call without identifiers, and HTTP status (or timeout, unreachable).",
    ["service", "call", "code"],
    registry=REGISTRY,
)
CLOUD_SECONDS = Histogram(
    "causeway_cloud_call_seconds",
    "Seconds until OpenStack had answered a call.",
    ["service", "call"],
    buckets=_CALL,
    registry=REGISTRY,
)
CLOUD_PAUSES = Counter(
    "causeway_cloud_pauses",
    "Answers by which a service of OpenStack asked to slow down.",
    ["service"],
    registry=REGISTRY,
)
CLOUD_TOKENS = Counter(
    "causeway_cloud_tokens", "Tokens obtained from Keystone by this process.", registry=REGISTRY
)
KUBE_CALLS = Counter(
    "causeway_kube_calls",
    "Requests to the Kubernetes API by verb, resource and HTTP status (or unreachable).",
    ["verb", "resource", "code"],
    registry=REGISTRY,
)
KUBE_SECONDS = Histogram(
    "causeway_kube_call_seconds",
    "Seconds until the Kubernetes API had answered a request; of a watch, until it began.",
    ["verb", "resource"],
    buckets=_CALL,
    registry=REGISTRY,
)
WATCH_RESTARTS = Counter(
    "causeway_watch_restarts",
    "Watches begun again: expired means after a new list, broken after an error.",
    ["resource", "reason"],
    registry=REGISTRY,
)

# the engine

QUEUE_LENGTH = Gauge(
    "causeway_queue_length", "Keys waiting for a worker of the room.", ["room"], registry=REGISTRY
)
QUEUE_OLDEST = Gauge(
    "causeway_queue_oldest_seconds",
    "Seconds the longest-waiting key of the room waits for a worker.",
    ["room"],
    registry=REGISTRY,
)
QUEUE_FAILING = Gauge(
    "causeway_queue_failing",
    "Keys of the room whose last reconciliation failed.",
    ["room"],
    registry=REGISTRY,
)
RECONCILED = Counter(
    "causeway_reconciled", "Reconciliations of the room that succeeded.", ["room"], registry=REGISTRY
)
RECONCILE_ERRORS = Counter(
    "causeway_reconcile_errors",
    "Reconciliations of the room that failed, by the type of the error.",
    ["room", "error"],
    registry=REGISTRY,
)
RECONCILE_SECONDS = Histogram(
    "causeway_reconcile_seconds",
    "Seconds a reconciliation of the room took, however it ended.",
    ["room"],
    buckets=_CALL,
    registry=REGISTRY,
)
POOL_PORTS = Read(
    "causeway_pool_ports",
    "Ports in the pools as the leader sees them: free, awaited by one pod, claimed, retiring; wanted is how "
    "many ought to be free.",
    ["node", "state"],
)
LOAD_BALANCERS = Read(
    "causeway_load_balancers", "Load balancers of the platform's services by provisioning status.", ["status"]
)
LOAD_BALANCERS_STUCK = Read(
    "causeway_load_balancers_stuck", "Load balancers that are PENDING for more than five minutes.", []
)
LEADING = Gauge("causeway_leading", "1 if this controller leads, 0 if it stands by.", registry=REGISTRY)

# the node

CNI_CALLS = Counter(
    "causeway_cni_calls",
    "Calls of the container runtime by command and CNI error code (0: success; gone: it gave up).",
    ["command", "code"],
    registry=REGISTRY,
)
CNI_SECONDS = Histogram(
    "causeway_cni_seconds",
    "Seconds a call of the container runtime took in the node daemon, waiting for a port included.",
    ["command"],
    buckets=_CNI,
    registry=REGISTRY,
)
NODE_POOL_PORTS = Read(
    "causeway_node_pool_ports",
    "Ports of this node as its daemon sees them: free, claimed.",
    ["state"],
)
PODS_WAITING = Read("causeway_pods_waiting", "Pods on this node that wait for a port.", [])
ATTACHMENTS = Gauge("causeway_attachments", "Pods' interfaces attached on this node.", registry=REGISTRY)

# the router

ROUTES_REFUSED = Gauge("causeway_routes_refused", "Routes this router does not serve.", registry=REGISTRY)
ROUTER_LOADS = Gauge(
    "causeway_router_loads",
    "Times this process had HAProxy load a configuration, which changes of routes need not.",
    registry=REGISTRY,
)
ROUTE_TRAFFIC = Read(
    "causeway_route_traffic",
    "What HAProxy counted for a route since it has its backend: requests, connections, current connections, "
    "bytes, answers by class, failed connections to servers, servers in use.",
    ["namespace", "route", "figure"],
)
