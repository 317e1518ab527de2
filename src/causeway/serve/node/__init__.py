"""The node daemon: gives each pod of its node the Neutron port the controller made for it.

It promises: a pod whose ADD succeeded has the port's address and MAC and reaches its gateway; everything a
pod's traffic needs is in the kernel, so stopping, crashing or replacing the daemon disturbs no pod; what was
attached is on record below ``/run/causeway``, so a new daemon knows it.

What it needs of the DaemonSet that runs it (``causeway serve node``):

- ``hostNetwork: true``; ``privileged: true`` (setns into pods, bpf, tc: CAP_SYS_ADMIN, CAP_NET_ADMIN,
  CAP_BPF); ``priorityClassName: system-node-critical``; tolerations for every taint (``operator: Exists``);
  ``updateStrategy`` RollingUpdate is harmless; ``terminationGracePeriodSeconds: 10``.
- host paths: ``/run/causeway`` (DirectoryOrCreate; socket and records), ``/run/netns`` (DirectoryOrCreate,
  with ``mountPropagation: HostToContainer``), ``/opt/cni/bin`` and ``/etc/cni/net.d`` (DirectoryOrCreate),
  each mounted at the same path.
- environment: ``NODE_NAME`` (fieldRef ``spec.nodeName``), required. Optional, each with its default:
  ``CAUSEWAY_TRUNK_INTERFACE`` (the interface of the default route), ``CAUSEWAY_RUN_DIR``
  (``/run/causeway``), ``CAUSEWAY_CNI_BIN_DIR`` (``/opt/cni/bin``), ``CAUSEWAY_CNI_CONF_DIR``
  (``/etc/cni/net.d``), ``CAUSEWAY_HEALTH_PORT`` (9879), ``CAUSEWAY_PORT_DEADLINE`` (45 s),
  ``CAUSEWAY_GATEWAY_DEADLINE`` (5 s).
- probes on 127.0.0.1 (``host: 127.0.0.1``), port 9879: liveness ``/healthz``, readiness ``/readyz``.
- RBAC: get, list, watch on ``podports.causeway.dev``; nothing else.
- on the node: ``/usr/bin/python3`` (3.9 or newer) runs the CNI shim; it needs no package.

It watches PodPorts by the label ``causeway.dev/node=<NODE_NAME>``, which the controller puts on each.
"""

import asyncio

from causeway.kit import logging
from causeway.kube.access import discover
from causeway.kube.client import Client
from causeway.serve.node.config import NodeConfig
from causeway.serve.node.daemon import serve
from causeway.serve.node.ports import WatchedPorts, of_node


def run(config: NodeConfig) -> None:
    """Run the node daemon until it is told to stop by SIGTERM or SIGINT."""
    logging.configure()

    async def main() -> None:
        async with Client(discover()) as client:
            await serve(config, WatchedPorts(of_node(client, config.node), config.node))

    asyncio.run(main())
