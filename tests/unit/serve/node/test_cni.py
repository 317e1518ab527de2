import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.host.interface import Address
from causeway.serve.node import cni, shim
from causeway.serve.node.cni import CniError

ENVIRONMENT = {
    "CNI_COMMAND": "ADD",
    "CNI_CONTAINERID": "abc123",
    "CNI_NETNS": "/var/run/netns/cni-1",
    "CNI_IFNAME": "eth0",
    "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID=u-1",
}


def config(version: str = "1.1.0", **more: Any) -> bytes:
    return json.dumps({"cniVersion": version, "name": "causeway", "type": "causeway", **more}).encode()


def refused(code: int, environment: dict[str, str], content: bytes) -> CniError:
    with pytest.raises(CniError) as caught:
        cni.parse(environment, content)
    assert caught.value.code == code
    return caught.value


@given(
    st.dictionaries(
        st.sampled_from(["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH"]),
        st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])),
    ),
    st.binary(),
)
def test_what_the_shim_sends_is_what_the_daemon_reads(environment: dict[str, str], content: bytes) -> None:
    request = shim.encode("ADD", environment, content)
    assert int.from_bytes(request[:4], "big") == len(request) - 4
    assert cni.decode(request[4:]) == ({"CNI_COMMAND": "ADD", **environment}, content)


def test_a_request_names_the_pod() -> None:
    request = cni.parse(ENVIRONMENT, config())
    assert request.pod == ("shop", "web-0", "u-1")
    assert (request.container_id, request.ifname) == ("abc123", "eth0")


def test_a_pod_that_is_not_named_in_full_is_refused() -> None:
    request = cni.parse({**ENVIRONMENT, "CNI_ARGS": "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0"}, config())
    with pytest.raises(CniError, match="K8S_POD_UID") as caught:
        _ = request.pod
    assert caught.value.code == 4


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("ADD", "CNI_CONTAINERID"),
        ("ADD", "CNI_NETNS"),
        ("ADD", "CNI_IFNAME"),
        ("DEL", "CNI_CONTAINERID"),
        ("DEL", "CNI_IFNAME"),
        ("CHECK", "CNI_NETNS"),
    ],
)
def test_a_missing_variable_is_named(command: str, missing: str) -> None:
    environment = {**ENVIRONMENT, "CNI_COMMAND": command}
    del environment[missing]
    assert missing in str(refused(4, environment, config()))


def test_del_needs_no_namespace() -> None:
    environment = {**ENVIRONMENT, "CNI_COMMAND": "DEL"}
    del environment["CNI_NETNS"]
    assert cni.parse(environment, config()).netns == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CNI_COMMAND", "REMOVE"),
        ("CNI_CONTAINERID", "../../etc"),
        ("CNI_CONTAINERID", "-x"),
        ("CNI_IFNAME", "a/b"),
        ("CNI_IFNAME", "with space"),
        ("CNI_IFNAME", ".."),
        ("CNI_IFNAME", "longer-than-the-kernel-takes"),
    ],
)
def test_a_malformed_variable_is_named(name: str, value: str) -> None:
    assert name in str(refused(4, {**ENVIRONMENT, name: value}, config()))


@pytest.mark.parametrize("version", ["", "0.2.0", "0.3.0", "1.2.0", "2.0.0"])
def test_unknown_versions_are_refused(version: str) -> None:
    assert "0.3.1, 0.4.0, 1.0.0, 1.1.0" in str(refused(1, ENVIRONMENT, config(version)))


@pytest.mark.parametrize(
    ("command", "version"), [("CHECK", "0.3.1"), ("GC", "1.0.0"), ("STATUS", "1.0.0"), ("STATUS", "0.4.0")]
)
def test_a_command_newer_than_the_version_is_refused(command: str, version: str) -> None:
    assert command in str(refused(1, {**ENVIRONMENT, "CNI_COMMAND": command}, config(version)))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'"x"'])
def test_a_configuration_that_is_no_object_is_refused(content: bytes) -> None:
    error = refused(6, ENVIRONMENT, content)
    assert error.result(cni.version_of(content))["cniVersion"] == "1.1.0"


def test_in_a_chain_it_has_to_be_first() -> None:
    refused(7, ENVIRONMENT, config(prevResult={"interfaces": []}))


@pytest.mark.parametrize("attachments", [None, "x", [{"containerID": "a"}]])
def test_collecting_without_a_proper_list_is_refused(attachments: Any) -> None:
    more = {} if attachments is None else {"cni.dev/valid-attachments": attachments}
    request = cni.parse({"CNI_COMMAND": "GC"}, config(**more))
    with pytest.raises(CniError) as caught:
        _ = request.valid_attachments
    assert caught.value.code == 7


def result(version: str, node_end: str = "cwp7") -> dict[str, Any]:
    return cni.add_result(
        version,
        ifname="eth0",
        netns="/run/netns/x",
        mac="fa:16:3e:00:00:07",
        mtu=1442,
        addresses=[Address("10.0.0.7/16", "10.0.0.1"), Address("fd00::7/64")],
        node_end=node_end,
        node_mac="02:00:00:00:00:01",
    )


def test_results_have_the_shape_of_their_version() -> None:
    newest = result("1.1.0")
    assert newest == {
        "cniVersion": "1.1.0",
        "interfaces": [
            {"name": "cwp7", "mac": "02:00:00:00:00:01"},
            {"name": "eth0", "mac": "fa:16:3e:00:00:07", "sandbox": "/run/netns/x", "mtu": 1442},
        ],
        "ips": [
            {"address": "10.0.0.7/16", "interface": 1, "gateway": "10.0.0.1"},
            {"address": "fd00::7/64", "interface": 1},
        ],
        "routes": [{"dst": "0.0.0.0/0", "gw": "10.0.0.1"}],
        "dns": {},
    }
    assert "mtu" not in result("1.0.0")["interfaces"][1]
    assert "version" not in result("1.0.0")["ips"][0]
    for version in ("0.3.1", "0.4.0"):
        assert [ip["version"] for ip in result(version)["ips"]] == ["4", "6"]
        assert result(version)["cniVersion"] == version


def test_a_link_without_a_node_end_is_the_only_interface() -> None:
    only = result("1.1.0", node_end="")
    assert [interface["name"] for interface in only["interfaces"]] == ["eth0"]
    assert only["ips"][0]["interface"] == 0


def test_check_expects_what_add_returned() -> None:
    request = cni.parse({**ENVIRONMENT, "CNI_COMMAND": "CHECK"}, config(prevResult=result("1.1.0")))
    assert cni.expected_addresses(request) == [Address("10.0.0.7/16", "10.0.0.1"), Address("fd00::7/64")]


@pytest.mark.parametrize("previous", [None, [], {"ips": [{"address": "x"}]}, {"ips": [{"interface": 3}]}])
def test_check_without_a_usable_previous_result_is_refused(previous: Any) -> None:
    more = {} if previous is None else {"prevResult": previous}
    request = cni.parse({**ENVIRONMENT, "CNI_COMMAND": "CHECK"}, config(**more))
    with pytest.raises(CniError) as caught:
        cni.expected_addresses(request)
    assert caught.value.code == 7


def test_errors_have_the_shape_of_the_specification() -> None:
    error = CniError(cni.Code.TRY_AGAIN, "later", "because")
    assert error.result("1.0.0") == {"cniVersion": "1.0.0", "code": 11, "msg": "later", "details": "because"}
