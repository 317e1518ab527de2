import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from causeway.rooms.platforms.api_name import certified

KUBEADM = """apiServer:
  certSANs:
  - 10.0.0.5
  extraArgs:
  - name: kubelet-preferred-address-types
    value: InternalIP,Hostname
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
"""
NAME = "api.shop.example.org"
names = st.lists(st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8})?", fullmatch=True), max_size=4)


def test_the_name_is_beside_what_is_there() -> None:
    found = yaml.safe_load(certified(KUBEADM, NAME))
    assert found["apiServer"].pop("certSANs") == ["10.0.0.5", NAME]
    before = yaml.safe_load(KUBEADM)
    del before["apiServer"]["certSANs"]
    assert found == before


@given(names, st.booleans())
def test_nothing_is_lost_and_twice_is_once(others: list[str], there: bool) -> None:
    server = {"apiServer": {"certSANs": others}} if there else {}
    text = yaml.safe_dump({"kind": "ClusterConfiguration", **server})
    once = certified(text, NAME)
    assert certified(once, NAME) == once
    assert yaml.safe_load(once)["apiServer"]["certSANs"] == [*(others if there else []), NAME]


@pytest.mark.parametrize("text", ["", "nonsense", "[1, 2]"])
def test_what_is_no_configuration_stays(text: str) -> None:
    assert certified(text, NAME) == text
