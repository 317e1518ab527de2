"""``causeway explain namespace``: which network its pods live on, and what keeps them from it."""

from causeway.cli.explaining import CLOUD, NAME, OUTPUT, PLATFORM, Doors, Output, run_named
from causeway.cloud.networks import Networks
from causeway.cloud.security_groups import SecurityGroups
from causeway.engine.explanation import Explanation
from causeway.rooms.namespaces import explain as namespaces
from causeway.rooms.namespaces.setting import setting_of


def namespace(
    name: NAME, platform: PLATFORM = None, cloud: CLOUD = None, output: OUTPUT = Output.TEXT
) -> None:
    """Explain a namespace: its network, policies and quotas, and why its pods have no address.

    Exit status: 0 nothing is wrong, 1 at least one cause was found, 2 the command line is wrong.
    """

    async def look(doors: Doors, name: str) -> Explanation:
        settings, networks = doors.platform, Networks(doors.cloud)
        setting = await setting_of(
            networks,
            doors.neutron,
            cluster=settings.cluster_id,
            pod_network_id=settings.pod_network_id,
            pod_subnet_id=settings.pod_subnet_id,
            near=[settings.node_subnet_id, settings.service_subnet_id],
            pools=settings.namespace_subnet_pool_ids,
            own_by_default=settings.namespace_networks == "own",
            global_namespaces=settings.global_namespaces,
        )
        facts = await namespaces.gather(
            doors.kube,
            networks,
            SecurityGroups(doors.cloud),
            setting,
            name=name,
            controller=doors.controller,
        )
        return namespaces.explain(facts)

    run_named(name, platform, cloud, output, look)
