import base64
import json
from typing import get_args

import msgspec
import pytest

from causeway.lab.servers import protocol
from causeway.lab.servers.protocol import Spawn


def test_a_spawn_is_read_with_its_devices() -> None:
    line = json.dumps(
        {
            "op": "spawn",
            "id": "s1",
            "hostname": "web",
            "image": "i1",
            "memory_mb": 512,
            "vcpus": 1,
            "files": {"openstack/latest/user_data": base64.b64encode(b"#!/bin/sh").decode()},
            "interfaces": [{"port": "p1", "mac": "fa:16:3e:00:00:01", "mtu": 1442}],
            "volumes": [{"device": "vdb", "path": "/f", "serial": "v1"}],
        }
    ).encode()
    request = protocol.decode(line)
    assert isinstance(request, Spawn)
    assert request.files["openstack/latest/user_data"] == b"#!/bin/sh"
    assert request.interfaces[0].mtu == 1442
    assert request.power_on


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"[]",
        b'{"op": "dance"}',
        b'{"op": "start"}',
        b'{"op": "start", "id": 5}',
        b'{"op": "stop", "id": "s1", "timeout": "soon"}',
        b'{"op": "plug", "id": "s1", "interface": {"port": "p1"}}',
    ],
)
def test_what_is_no_request_is_refused(line: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        protocol.decode(line)


def test_every_request_has_a_name_of_its_own() -> None:
    names = [each.__struct_config__.tag for each in get_args(protocol.AnyRequest)]
    assert len(set(names)) == len(names)


def test_answers_are_lines_of_json() -> None:
    assert json.loads(protocol.answer({"s1": "off"})) == {"ok": {"s1": "off"}}
    refusal = protocol.refusal(protocol.Failure("image", "no"))
    assert json.loads(refusal) == {"error": {"kind": "image", "message": "no"}}
    assert refusal.endswith(b"\n")
