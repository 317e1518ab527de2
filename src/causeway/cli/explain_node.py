"""``causeway explain node``: what a node needs to serve pods, and what it lacks."""

from causeway.cli.explaining import CLOUD, NAME, OUTPUT, PLATFORM, Doors, Output, run_named
from causeway.cloud.nova import Nova
from causeway.engine.explanation import Explanation
from causeway.rooms.nodes import explain as nodes


def node(name: NAME, platform: PLATFORM = None, cloud: CLOUD = None, output: OUTPUT = Output.TEXT) -> None:
    """Explain a node: its server, ports, kubelet, node daemon and pool, and why it serves no pods.

    Exit status: 0 nothing is wrong, 1 at least one cause was found, 2 the command line is wrong.
    """

    async def look(doors: Doors, name: str) -> Explanation:
        facts = await nodes.gather(
            doors.kube,
            doors.neutron,
            Nova(doors.cloud),
            cluster=doors.platform.cluster_id,
            name=name,
            controller=doors.controller,
        )
        return nodes.explain(facts)

    run_named(name, platform, cloud, output, look)
