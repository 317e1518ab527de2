import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.rooms.platforms.forwarding import forwarded

KUBEADM = """.:53 {
    errors
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    reload
}
"""
OURS = """# causeway: zones of the cloud
shop.example.org:53 example.net:53 {
    errors
    cache 30
    forward . 192.0.2.53 192.0.2.54
}
# causeway: end
"""
ZONES, SERVERS = ["shop.example.org.", "example.net."], ["192.0.2.53", "192.0.2.54"]


def test_the_zones_have_a_block_of_their_own_behind_what_is_there() -> None:
    assert forwarded(KUBEADM, ZONES, SERVERS) == KUBEADM + OURS


def test_another_server_takes_the_place_of_the_one_there() -> None:
    changed = forwarded(KUBEADM + OURS, ["example.net."], ["192.0.2.55"])
    assert changed.count("causeway") == 2
    assert "192.0.2.53" not in changed
    assert changed.startswith(KUBEADM)


@pytest.mark.parametrize(("zones", "servers"), [([], SERVERS), (ZONES, []), ([], [])])
def test_without_zones_or_servers_nothing_of_ours_is_left(zones: list[str], servers: list[str]) -> None:
    assert forwarded(KUBEADM + OURS, zones, servers) == KUBEADM
    assert forwarded(KUBEADM.rstrip("\n"), zones, servers) == KUBEADM.rstrip("\n")


@given(
    st.text("ab.:{}\n# ", max_size=80),
    st.text("ab.:{}\n# ", max_size=80),
    st.sampled_from([(), ZONES]),
    st.sampled_from([(), SERVERS]),
)
def test_what_others_wrote_stays_and_twice_is_once(
    before: str, behind: str, zones: list[str], servers: list[str]
) -> None:
    there = f"{before}\n{OURS}{behind}"
    once = forwarded(there, zones, servers)
    assert forwarded(once, zones, servers) == once
    assert [line for line in once.split("\n") if line and line not in OURS.split("\n")] == [
        line for line in there.split("\n") if line and line not in OURS.split("\n")
    ]
