"""``causeway explain pod``: a pod's network, and what keeps it from having one."""

from causeway.cli.explaining import CLOUD, KEY, OUTPUT, PLATFORM, Doors, Output, run
from causeway.cloud.prepared_ports import PreparedPorts
from causeway.engine.explanation import Explanation
from causeway.rooms.pods import explain as pods


def pod(key: KEY, platform: PLATFORM = None, cloud: CLOUD = None, output: OUTPUT = Output.TEXT) -> None:
    """Explain a pod's network: its port, trunk and VLAN, and why it does not start.

    Exit status: 0 nothing is wrong, 1 at least one cause was found, 2 the command line is wrong.
    """

    async def look(doors: Doors, namespace: str, name: str) -> Explanation:
        facts = await pods.gather(
            doors.kube,
            doors.neutron,
            PreparedPorts(doors.cloud),
            doors.platform.cluster_id,
            namespace=namespace,
            name=name,
            controller=doors.controller,
        )
        return pods.explain(facts)

    run(key, platform, cloud, output, look)
