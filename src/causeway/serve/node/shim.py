#!/usr/bin/python3 -IS
"""The CNI plugin: hands what the container runtime asks to the node daemon and prints what it answers.

Installed on the node beside ``shim.sh``, which calls it where that cannot do the exchange itself, it runs
under the node's own Python without any package. It imports as little as it can (``_socket`` and late
``json``: 6 ms instead of 20), for on a node without Perl each pod start waits for it.
"""

import os
import sys

RUN_DIR = "/run/causeway"  # written here by the installer
SUPPORTED_VERSIONS = ("0.3.1", "0.4.0", "1.0.0", "1.1.0")
NEWEST = "1.1.0"
ANSWER = 90.0  # seconds; the daemon's own deadlines end long before
TRY_AGAIN, IO_FAILURE, DECODING, UNAVAILABLE = 11, 5, 6, 50


class DaemonUnreachable(Exception):
    """The node daemon does not answer."""


def encode(command: str, environment: "dict[str, str]", config: bytes) -> bytes:
    """Return a request: its length in four bytes, NUL-ended variables, one more NUL, the configuration."""
    names = ("CONTAINERID", "NETNS", "IFNAME", "ARGS", "PATH")
    variables = [f"CNI_COMMAND={command}"]
    variables += [
        f"CNI_{name}={environment[f'CNI_{name}']}" for name in names if f"CNI_{name}" in environment
    ]
    body = b"".join(os.fsencode(variable) + b"\0" for variable in variables) + b"\0" + config
    return len(body).to_bytes(4, "big") + body


def ask(path: str, request: bytes) -> "tuple[int, bytes]":
    """Return (exit status, output) the daemon at the socket ``path`` answers with."""
    import _socket  # noqa: PLC0415 - the whole socket module costs 6 ms of every pod start

    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.settimeout(ANSWER)
        connection.connect(path)
        connection.sendall(request)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    except OSError as error:
        raise DaemonUnreachable(str(error)) from error
    finally:
        connection.close()
    answer = b"".join(parts)
    if not answer:
        raise DaemonUnreachable("it ended while the request was under way")
    return answer[0], answer[1:]


def main() -> int:
    """Serve one call of the container runtime; return the exit status."""
    command = os.environ.get("CNI_COMMAND", "")
    config = sys.stdin.buffer.read()
    if command == "VERSION":
        return _version(config)
    try:
        status, output = ask(f"{RUN_DIR}/cni.sock", encode(command, dict(os.environ), config))
    except DaemonUnreachable as error:
        if command == "DEL" and _nothing_attached():
            return 0
        return _error(
            config,
            UNAVAILABLE if command == "STATUS" else TRY_AGAIN,
            "the Causeway node daemon does not answer",
            f"{error}. Look at the pod causeway-node of this node in kube-system.",
        )
    sys.stdout.buffer.write(output)
    return status


def _nothing_attached() -> bool:
    """Return whether the daemon has no record of this attachment, so that there is nothing to remove."""
    record = f"{os.environ.get('CNI_CONTAINERID', '')}@{os.environ.get('CNI_IFNAME', '')}.json"
    return "/" not in record and not os.path.exists(f"{RUN_DIR}/attachments/{record}")  # noqa: PTH110 - 8 ms


def _version(config: bytes) -> int:
    import json  # noqa: PLC0415 - only this rare call needs it

    try:
        asked = json.loads(config or b"{}")["cniVersion"]
    except KeyError:
        asked = NEWEST
    except (ValueError, TypeError) as error:
        return _error(config, DECODING, "the configuration is not JSON", str(error))
    json.dump({"cniVersion": asked, "supportedVersions": list(SUPPORTED_VERSIONS)}, sys.stdout)
    return 0


def _error(config: bytes, code: int, message: str, details: str) -> int:
    import json  # noqa: PLC0415 - only failures need it

    try:
        version = json.loads(config)["cniVersion"]
    except (ValueError, KeyError, TypeError):
        version = NEWEST
    json.dump({"cniVersion": version, "code": code, "msg": message, "details": details}, sys.stdout)
    return 1


if __name__ == "__main__":
    sys.exit(main())
