"""Traffic-control filters: bpf programs on what a link receives."""

import errno
import struct
from dataclasses import dataclass

from causeway.host.netlink import (
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_EXCL,
    Netlink,
    Request,
    attributes,
    nested,
    string,
    text,
    u32,
)

_RTM_NEWQDISC, _RTM_NEWTFILTER, _RTM_DELTFILTER, _RTM_GETTFILTER = 36, 44, 45, 46
_TCA_KIND, _TCA_OPTIONS = 1, 2
_BPF_FD, _BPF_NAME, _BPF_FLAGS = 6, 7, 8
_DIRECT_ACTION = 1
_CLSACT_HANDLE, _CLSACT_PARENT, _INGRESS = 0xFFFF0000, 0xFFFFFFF1, 0xFFFFFFF2
_MESSAGE = struct.Struct("=BxxxiIII")  # family, link, handle, parent, priority and protocol

ETH_P_ALL, ETH_P_8021Q = 0x0003, 0x8100


@dataclass(frozen=True, slots=True)
class Filter:
    """A bpf filter on a link's ingress."""

    priority: int
    name: str


def _info(priority: int, protocol: int) -> int:
    network_order = struct.unpack("=H", struct.pack("!H", protocol))[0]
    return priority << 16 | int(network_order)


def accept(link: int) -> Request:
    """Return the request for the queueing discipline that holds a link's filters; one it has is fine."""
    body = _MESSAGE.pack(0, link, _CLSACT_HANDLE, _CLSACT_PARENT, 0) + text(_TCA_KIND, "clsact")
    return Request(
        f"accept filters on link {link}",
        _RTM_NEWQDISC,
        body,
        NLM_F_CREATE | NLM_F_EXCL,
        fine=frozenset({errno.EEXIST}),
    )


def put(link: int, *, name: str, program: int, priority: int, protocol: int) -> Request:
    """Return the request to run a program on what a link receives, in place of a filter of that priority.

    ``program`` is a descriptor of ``bpf.loaded``.
    """
    body = _MESSAGE.pack(0, link, 1, _INGRESS, _info(priority, protocol))
    body += text(_TCA_KIND, "bpf") + nested(
        _TCA_OPTIONS,
        u32(_BPF_FD, program),
        text(_BPF_NAME, name),
        u32(_BPF_FLAGS, _DIRECT_ACTION),
    )
    return Request(f"put the filter {name} on link {link}", _RTM_NEWTFILTER, body, NLM_F_CREATE)


def remove(link: int, *, priority: int, protocol: int) -> Request:
    """Return the request to remove the filters of that priority and protocol; none, or no link, is fine."""
    body = _MESSAGE.pack(0, link, 0, _INGRESS, _info(priority, protocol))
    return Request(
        f"remove filter {priority} of link {link}",
        _RTM_DELTFILTER,
        body,
        fine=frozenset({errno.ENOENT, errno.EINVAL, errno.ENODEV}),
    )


def on_ingress(netlink: Netlink, link: int) -> list[Filter]:
    """Return the bpf filters on what a link receives."""
    body = _MESSAGE.pack(0, link, 0, _INGRESS, 0)
    found = set()
    nothing = frozenset({errno.EINVAL, errno.ENOENT})  # it holds none
    asked = Request(f"list filters of link {link}", _RTM_GETTFILTER, body, NLM_F_DUMP, fine=nothing)
    for message in netlink.ask(asked)[0]:
        _, _, _, _, info = _MESSAGE.unpack_from(message.body)
        parts = attributes(message.body[_MESSAGE.size :])
        options = attributes(parts.get(_TCA_OPTIONS, b""))
        if string(parts.get(_TCA_KIND)) == "bpf" and _BPF_NAME in options:
            found.add(Filter(info >> 16, string(options[_BPF_NAME])))
    return sorted(found, key=lambda item: item.priority)
