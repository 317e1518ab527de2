"""The node daemon: gives each pod of its node a Neutron port, of those the controller keeps ready there.

It promises: a pod whose ADD succeeded has the port's address and MAC and reaches its gateway; everything a
pod's traffic needs is in the kernel, so stopping, crashing or replacing the daemon disturbs no pod; what was
attached is on record below ``/run/causeway``, so a new daemon knows it.

What it needs of the DaemonSet that runs it (``causeway serve node``):

- ``hostNetwork: true``; ``privileged: true`` (setns into pods, bpf, tc: CAP_SYS_ADMIN, CAP_NET_ADMIN,
  CAP_BPF); ``priorityClassName: system-node-critical``; tolerations for every taint (``operator: Exists``);
  ``updateStrategy`` RollingUpdate is harmless; ``terminationGracePeriodSeconds: 10``.
- host paths: ``/run/causeway`` (DirectoryOrCreate; socket and records), ``/run/netns`` (DirectoryOrCreate,
  with ``mountPropagation: HostToContainer``), ``/opt/cni/bin`` and ``/etc/cni/net.d`` (DirectoryOrCreate),
  each mounted at the same path; ``/run/openvswitch`` for native nodes.
- environment: ``NODE_NAME`` (fieldRef ``spec.nodeName``), required. Optional, each with its default:
  ``CAUSEWAY_TRUNK_INTERFACE`` (the interface of the default route), ``CAUSEWAY_RUN_DIR``
  (``/run/causeway``), ``CAUSEWAY_CNI_BIN_DIR`` (``/opt/cni/bin``), ``CAUSEWAY_CNI_CONF_DIR``
  (``/etc/cni/net.d``), ``CAUSEWAY_HEALTH_PORT`` (9879), ``CAUSEWAY_PORT_DEADLINE`` (45 s),
  ``CAUSEWAY_GATEWAY_DEADLINE`` (5 s), ``CAUSEWAY_METRICS_ADDRESS`` (none; ADDRESS:PORT where figures are
  shown to who may see them), ``CAUSEWAY_SWITCH_SOCKET`` (``/run/openvswitch/db.sock``; of Open vSwitch, on
  native nodes), ``CAUSEWAY_LOG_LEVEL`` (info), ``OTEL_EXPORTER_OTLP_ENDPOINT`` (none).
- probes on 127.0.0.1 (``host: 127.0.0.1``), port 9879: liveness ``/healthz``, readiness ``/readyz``.
- RBAC: get, list, watch on pods, namespaces, networkpolicies and ``portpools.causeway.dev``; patch on the
  status of the latter, its own alone; reviews of scrapers' tokens; nothing else.
- on the node: ``/usr/bin/perl`` runs the CNI shim, and ``/usr/bin/python3`` (3.9 or newer) what that cannot;
  neither needs a package.

It watches the PortPool and the pods of its node, and what decides whether a pod may take any ready port.
"""

import asyncio
import os

from causeway.kit import logging, trace
from causeway.kube.access import discover
from causeway.kube.client import Client
from causeway.serve.node.config import NodeConfig
from causeway.serve.node.daemon import serve
from causeway.serve.node.ports import NodePorts, of_node
from causeway.serve.scraping import Scraping


def run(config: NodeConfig) -> None:
    """Run the node daemon until it is told to stop by SIGTERM or SIGINT."""
    logging.configure(logging.level_from(os.environ))
    trace.configure("causeway-node", os.environ)

    async def main() -> None:
        async with Client(discover()) as client, Scraping(config.metrics_address, client):
            await serve(config, NodePorts(of_node(client, config.node), client, config.node))

    try:
        asyncio.run(main())
    finally:
        trace.close()
