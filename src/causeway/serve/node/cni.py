"""The words of CNI: requests, results and errors exactly as its specification 1.1 says. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import msgspec

from causeway.host.interface import Address
from causeway.serve.node.shim import NEWEST, SUPPORTED_VERSIONS

COMMANDS = ("ADD", "DEL", "CHECK", "STATUS", "GC", "VERSION")
_SINCE = {"CHECK": "0.4.0", "STATUS": "1.1.0", "GC": "1.1.0"}  # the version that brought a command
_REQUIRED = {
    "ADD": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
    "CHECK": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
    "DEL": ("CNI_CONTAINERID", "CNI_IFNAME"),
}
_CONTAINER_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.\-]*")
_INTERFACE_NAME_MOST = 15


class Code(IntEnum):
    """Error codes: below 100 the specification's, from 100 on ours."""

    INCOMPATIBLE_VERSION = 1
    UNKNOWN_CONTAINER = 3
    INVALID_ENVIRONMENT = 4
    IO_FAILURE = 5
    DECODING = 6
    INVALID_CONFIG = 7
    TRY_AGAIN = 11
    UNAVAILABLE = 50
    LINK_FAILED = 100  # the kernel refused a part of the pod's link
    DEGRADED = 101  # CHECK found that something is missing
    INTERNAL = 999


class CniError(Exception):
    """A failure as the runtime gets it: ``message`` is short, ``details`` names cause and remedy."""

    def __init__(self, code: Code, message: str, details: str = "") -> None:
        super().__init__(f"{message}: {details}" if details else message)
        self.code = code
        self.message = message
        self.details = details

    def result(self, version: str) -> dict[str, Any]:
        """Return the error object."""
        found = {"cniVersion": version, "code": int(self.code), "msg": self.message}
        return found | ({"details": self.details} if self.details else {})


@dataclass(frozen=True)
class Request:
    """One call of the container runtime; variables that were not given are ""."""

    command: str
    version: str
    container_id: str
    netns: str
    ifname: str
    args: Mapping[str, str]
    config: Mapping[str, Any]

    @property
    def pod(self) -> tuple[str, str, str]:
        """Return (namespace, name, uid) of the pod; raises ``CniError`` when the runtime did not say."""
        names = ("K8S_POD_NAMESPACE", "K8S_POD_NAME", "K8S_POD_UID")
        missing = [name for name in names if not self.args.get(name)]
        if missing:
            raise CniError(Code.INVALID_ENVIRONMENT, "invalid CNI_ARGS", f"{', '.join(missing)} not given")
        return self.args[names[0]], self.args[names[1]], self.args[names[2]]

    @property
    def valid_attachments(self) -> set[tuple[str, str]]:
        """Return the (container ID, interface name) pairs GC has to keep."""
        try:
            return {
                (str(item["containerID"]), str(item["ifname"]))
                for item in self.config["cni.dev/valid-attachments"]
            }
        except (KeyError, TypeError) as error:
            raise CniError(
                Code.INVALID_CONFIG, "invalid configuration", f"cni.dev/valid-attachments: {error}"
            ) from error


def decode(payload: bytes) -> tuple[dict[str, str], bytes]:
    """Return (variables, configuration) of what the shim sent (see ``shim.encode``)."""
    environment, _, config = payload.partition(b"\0\0")
    variables = (item.partition("=") for item in environment.decode(errors="surrogateescape").split("\0"))
    return {name: value for name, _, value in variables if name}, config


def parse(environment: Mapping[str, str], config: bytes) -> Request:
    """Return the request; raises ``CniError`` for what the specification does not allow."""
    command = environment.get("CNI_COMMAND", "")
    if command not in COMMANDS:
        raise CniError(Code.INVALID_ENVIRONMENT, "invalid CNI_COMMAND", f"{command!r} is none of {COMMANDS}")
    try:
        content = msgspec.json.decode(config, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise CniError(Code.DECODING, "the configuration is not a JSON object", str(error)) from error
    version = content.get("cniVersion", "")
    if version not in SUPPORTED_VERSIONS:
        raise CniError(
            Code.INCOMPATIBLE_VERSION,
            "incompatible CNI version",
            f"the configuration says {version!r}; supported are {', '.join(SUPPORTED_VERSIONS)}",
        )
    if SUPPORTED_VERSIONS.index(version) < SUPPORTED_VERSIONS.index(_SINCE.get(command, version)):
        raise CniError(
            Code.INCOMPATIBLE_VERSION,
            "incompatible CNI version",
            f"{command} needs {_SINCE[command]} or newer",
        )
    _check_environment(command, environment)
    if command == "ADD" and content.get("prevResult"):
        raise CniError(
            Code.INVALID_CONFIG,
            "invalid configuration",
            "causeway makes the interface: put it first in plugins",
        )
    return Request(
        command=command,
        version=version,
        container_id=environment.get("CNI_CONTAINERID", ""),
        netns=environment.get("CNI_NETNS", ""),
        ifname=environment.get("CNI_IFNAME", ""),
        args=_args(environment.get("CNI_ARGS", "")),
        config=content,
    )


def version_of(config: bytes) -> str:
    """Return the version an error has to name, whatever else is wrong with the configuration."""
    try:
        version = msgspec.json.decode(config, type=dict[str, Any]).get("cniVersion")
    except msgspec.MsgspecError:
        return NEWEST
    return version if isinstance(version, str) and version else NEWEST


def _check_environment(command: str, environment: Mapping[str, str]) -> None:
    required = _REQUIRED.get(command, ())
    wrong = [name for name in required if not environment.get(name)]
    container_id, ifname = environment.get("CNI_CONTAINERID", ""), environment.get("CNI_IFNAME", "")
    if container_id and not _CONTAINER_ID.fullmatch(container_id):
        wrong.append("CNI_CONTAINERID")
    if ifname and (
        len(ifname) > _INTERFACE_NAME_MOST
        or ifname in {".", ".."}
        or any(character in "/:" or character.isspace() for character in ifname)
    ):
        wrong.append("CNI_IFNAME")
    if wrong and required:
        raise CniError(
            Code.INVALID_ENVIRONMENT,
            "invalid environment variables",
            f"missing or malformed: {', '.join(wrong)}",
        )


def _args(text: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in text.split(";") if pair)
    return {name: value for name, _, value in pairs}


def add_result(
    version: str,
    *,
    ifname: str,
    netns: str,
    mac: str,
    mtu: int,
    addresses: Sequence[Address],
    node_end: str,
    node_mac: str,
) -> dict[str, Any]:
    """Return the result of ADD in the shape of ``version``; ``node_end`` is "" where there is none."""
    inside: dict[str, Any] = {"name": ifname, "mac": mac, "sandbox": netns}
    if version == NEWEST:
        inside["mtu"] = mtu
    outside = [{"name": node_end, "mac": node_mac}] if node_end else []
    interfaces = [*outside, inside]
    ips, routes = [], []
    for address in addresses:
        family = "6" if ":" in address.cidr else "4"
        ip: dict[str, Any] = {"address": address.cidr, "interface": len(interfaces) - 1}
        if version in {"0.3.1", "0.4.0"}:
            ip["version"] = family
        if address.gateway:
            ip["gateway"] = address.gateway
            routes.append({"dst": "::/0" if family == "6" else "0.0.0.0/0", "gw": address.gateway})
        ips.append(ip)
    return {"cniVersion": version, "interfaces": interfaces, "ips": ips, "routes": routes, "dns": {}}


def expected_addresses(request: Request) -> list[Address]:
    """Return what CHECK's ``prevResult`` gives the pod's interface.

    A gateway is named only where ``prevResult`` has the default route by it: a later plugin may have changed
    that.
    """
    previous = request.config.get("prevResult")
    if not isinstance(previous, dict):
        raise CniError(Code.INVALID_CONFIG, "invalid configuration", "CHECK needs prevResult")
    try:
        interfaces = previous.get("interfaces") or []
        gateways = {
            route.get("gw") for route in previous.get("routes") or [] if route["dst"] in {"0.0.0.0/0", "::/0"}
        }
        return [
            Address(ip["address"], gateway if (gateway := ip.get("gateway", "")) in gateways else "")
            for ip in previous.get("ips") or []
            if interfaces[ip["interface"]]["name"] == request.ifname
        ]
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise CniError(Code.INVALID_CONFIG, "invalid configuration", f"prevResult: {error!r}") from error
