"""``causeway explain service``: what serves a Service, and what keeps it from being served."""

from causeway.cli.explaining import CLOUD, KEY, OUTPUT, PLATFORM, Doors, Output, run
from causeway.engine.explanation import Explanation
from causeway.rooms.services import explain as services
from causeway.serve.controller.balancing import balancing_of

EPILOG = "Example: causeway explain service default/web --platform platform.yaml"


def service(key: KEY, platform: PLATFORM = None, cloud: CLOUD = None, output: OUTPUT = Output.TEXT) -> None:
    """Explain a Service: its load balancer, members, floating IP, and why traffic does not arrive.

    Exit status: 0 nothing is wrong, 1 at least one cause was found, 2 the command line is wrong.
    """

    async def look(doors: Doors, namespace: str, name: str) -> Explanation:
        setting = await balancing_of(doors.platform, doors.neutron, doors.octavia)
        facts = await services.gather(
            doors.kube,
            doors.octavia,
            doors.neutron,
            setting=setting,
            namespace=namespace,
            name=name,
            controller=doors.controller,
        )
        return services.explain(facts)

    run(key, platform, cloud, output, look)
