"""Which Debian packages the lab's root file system is made of: the list to change when a service is added."""

from collections.abc import Collection

SUITE = "trixie"
EXTRAS = ("dns", "shares", "objects", "baremetal", "ceph")
# Extras that are of no use without others.
BRINGS = {"ceph": ("shares",)}

BASE = (
    "ca-certificates",
    "ethtool",
    "iproute2",
    "iputils-ping",
    "procps",
    "tcpdump",
    # what every service stands on
    "mariadb-server",
    "mariadb-client",
    "rabbitmq-server",
    "memcached",
    "python3-pymysql",
    "python3-mysqldb",
    "python3-sqlalchemy-ext",
    "python3-memcache",
    "uwsgi-core",
    "uwsgi-plugin-python3",
    "openvswitch-switch",
    "ovn-central",
    "ovn-host",
    # identity, images, placement
    "keystone",
    "glance-api",
    "glance-common",
    "placement-api",
    # networks
    "neutron-api",
    "neutron-rpc-server",
    "neutron-ovn-maintenance-worker",
    "neutron-periodic-workers",
    "neutron-common",
    # servers
    "nova-api",
    "nova-conductor",
    "nova-scheduler",
    "nova-compute",
    # load balancers
    "octavia-api",
    "octavia-driver-agent",
    "python3-ovn-octavia-provider",
    # stacks; the clients are what Heat's resources call
    "heat-api",
    "heat-engine",
    "python3-heatclient",
    "python3-octaviaclient",
    # volumes
    "cinder-api",
    "cinder-scheduler",
    "cinder-volume",
    "python3-cinderclient",
)

OF_EXTRA = {
    "dns": (
        "designate-api",
        "designate-central",
        "designate-worker",
        "designate-mdns",
        "designate-producer",
        "designate-common",
        "python3-designateclient",
        "bind9",
        "bind9-utils",
    ),
    "shares": ("manila-api", "manila-scheduler", "manila-share", "manila-common", "python3-manilaclient"),
    "objects": ("swift-proxy", "swift-account", "swift-container", "swift-object", "python3-swiftclient"),
    "baremetal": ("ironic-api", "ironic-conductor", "ironic-common", "python3-ironicclient"),
    "ceph": (
        "ceph-mon",
        "ceph-mgr",
        "ceph-osd",
        "ceph-mds",
        "radosgw",
        "ceph-common",
        "ceph-fuse",
        # what Manila's driver speaks to it with
        "python3-rados",
        "python3-cephfs",
        "python3-ceph-argparse",
    ),
}


def with_needed(extras: Collection[str]) -> tuple[str, ...]:
    """Return ``extras`` and those they bring, in a fixed order."""
    wanted = {each for extra in extras for each in (extra, *BRINGS.get(extra, ()))}
    return tuple(extra for extra in EXTRAS if extra in wanted)


def of_extras(extras: Collection[str]) -> tuple[str, ...]:
    """Return the packages that ``extras`` add to the base, in a fixed order."""
    return tuple(package for extra in EXTRAS if extra in extras for package in OF_EXTRA[extra])
