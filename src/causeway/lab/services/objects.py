"""Swift (``--with objects``): one proxy and one of each storage server, on one device of one replica."""

from causeway.lab.model import Directory, File, Http, Service, Step, Tcp, Unit

PORTS = {"account": 6202, "container": 6201, "object": 6200}
DEVICE = "/var/lib/causeway/objects/sdb1"


def units() -> tuple[Unit, ...]:
    """Return the units of the object store."""
    shared = File("swift.conf.j2", "/etc/swift/swift.conf")
    proxy = File("swift-proxy.conf.j2", "/etc/swift/proxy-server.conf")
    storage = tuple(unit for kind, port in PORTS.items() for unit in _storage(kind, port, shared))
    return (
        *storage,
        Service(
            "swift-proxy",
            ("swift-proxy-server", proxy.path, "-v"),
            needs=("memcached", "objects-identities", *(f"swift-{kind}-ring" for kind in PORTS)),
            files=(shared, proxy),
            directories=(Directory("/var/cache/swift"),),
            ready=Http(8080, "/healthcheck"),
        ),
    )


def _storage(kind: str, port: int, shared: File) -> tuple[Step, Service]:
    configuration = File(
        "swift-storage.conf.j2", f"/etc/swift/{kind}-server.conf", values={"kind": kind, "port": port}
    )
    builder = f"{kind}.builder"
    ring = (
        f"cd /etc/swift && rm -f {builder} {kind}.ring.gz && swift-ring-builder {builder} create 4 1 1"
        f" && swift-ring-builder {builder} add --region 1 --zone 1 --ip 127.0.0.1 --port {port}"
        f" --device sdb1 --weight 100 && swift-ring-builder {builder} rebalance"
    )
    return (
        Step(
            f"swift-{kind}-ring", ("sh", "-c", ring), files=(shared,), directories=(Directory("/etc/swift"),)
        ),
        Service(
            f"swift-{kind}",
            (f"swift-{kind}-server", configuration.path, "-v"),
            needs=(f"swift-{kind}-ring",),
            files=(shared, configuration),
            directories=(Directory(DEVICE), Directory("/var/cache/swift")),
            ready=Tcp(port),
        ),
    )
