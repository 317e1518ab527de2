"""``causeway explain policy``: what a NetworkPolicy allows, and whether the cloud does so."""

from causeway.cli.explaining import CLOUD, KEY, OUTPUT, PLATFORM, Doors, Output, run
from causeway.cloud.security_groups import SecurityGroups
from causeway.engine.explanation import Explanation
from causeway.rooms.policies import explain as policies

EPILOG = "Example: causeway explain policy default/deny --platform platform.yaml"


def policy(key: KEY, platform: PLATFORM = None, cloud: CLOUD = None, output: OUTPUT = Output.TEXT) -> None:
    """Explain a NetworkPolicy: the pods it is for, what it allows them, and what of that is in effect.

    Exit status: 0 nothing is wrong, 1 at least one cause was found, 2 the command line is wrong.
    """

    async def look(doors: Doors, namespace: str, name: str) -> Explanation:
        facts = await policies.gather(
            doors.kube,
            SecurityGroups(doors.cloud),
            doors.neutron,
            cluster=doors.platform.cluster_id,
            services=(doors.platform.service_cidr,),
            namespace=namespace,
            name=name,
            controller=doors.controller,
        )
        return policies.explain(facts)

    run(key, platform, cloud, output, look)
