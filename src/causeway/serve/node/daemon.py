"""The process of the node daemon: its parts put together, started in order and stopped cleanly."""

import asyncio

import structlog
from aiohttp import web

from causeway.host import vlan
from causeway.host.bridge import Bridge
from causeway.host.netlink import Netlink
from causeway.kit import metrics
from causeway.kit.errors import Problem
from causeway.serve import figures
from causeway.serve.ending import on_ending
from causeway.serve.node.attachments import Attachments
from causeway.serve.node.config import NodeConfig
from causeway.serve.node.install import install_shim, write_conflist
from causeway.serve.node.ports import NodePorts
from causeway.serve.node.records import Records
from causeway.serve.node.server import Server
from causeway.serve.node.wiring import Wiring

log = structlog.get_logger()


async def serve(config: NodeConfig, ports: NodePorts) -> None:
    """Serve CNI until SIGTERM or SIGINT; the configuration files stay, so that the node stays ready."""
    stop = asyncio.Event()
    on_ending(stop.set)
    records = Records(config.run_dir / "attachments")
    for name in records.load():
        log.warning("unreadable record removed", file=name)
    metrics.ATTACHMENTS.set_function(lambda: len(records.all()))
    trunk = vlan.Trunk(config.trunk or _default_trunk())
    attachments = Attachments(
        Wiring(records, trunk, Bridge(socket_path=config.switch)),
        ports,
        port_deadline=config.port_deadline,
        gateway_deadline=config.gateway_deadline,
    )
    for stray in attachments.tidy():
        log.warning("left over and removed", what=stray)
    server = Server(attachments, config.socket)
    await server.start()
    health = await _start_health(config.health_port, ports)
    install_shim(config.cni_bin_dir, config.run_dir)
    log.info("started", node=config.node, trunk=trunk.name, attachments=len(records.all()))
    try:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(ports.run())
            announcing = group.create_task(_announce(config, ports))
            await stop.wait()
            watching.cancel()
            announcing.cancel()
    finally:
        await server.stop()
        await health.cleanup()
        log.info("stopped")


async def _announce(config: NodeConfig, ports: NodePorts) -> None:
    """Tell the container runtime that the network is there, once it is."""
    await ports.wait_synced()
    path = write_conflist(config.cni_conf_dir)
    log.info("ready", configuration=str(path))


async def _start_health(port: int, ports: NodePorts) -> web.AppRunner:
    async def alive(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def ready(_: web.Request) -> web.Response:
        if ports.synced:
            return web.Response(text="ok\n")
        return web.Response(status=503, text="this node's pods and ports are not read yet\n")

    app = web.Application()
    app.router.add_get("/healthz", alive)
    app.router.add_get("/readyz", ready)
    app.router.add_get("/metrics", figures.show)
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


def _default_trunk() -> str:
    try:
        with Netlink() as netlink:
            return vlan.trunk_of_default_route(netlink)
    except LookupError as error:
        raise Problem.of(
            "trunk interface",
            str(error),
            "Set CAUSEWAY_TRUNK_INTERFACE to the interface the node's port is on.",
        ) from error
