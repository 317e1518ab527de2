"""Causes: what is only a consequence goes, the first one is first, and each has a remedy."""

import pytest

from causeway.rooms.platforms.causes import Evidence, gave_up, rank, remedy_for, told_on


def test_the_first_cause_goes_before_later_ones_and_consequences_are_left_out() -> None:
    found = rank(
        [
            Evidence("masters", "OS::Heat::ResourceGroup", "resources.masters: No valid host was found", "3"),
            Evidence("compute_nodes/0/server", "OS::Nova::Server", "CREATE aborted (Task cancelled)", "2"),
            Evidence("masters/0/server", "OS::Nova::Server", "No valid host was found.", "2"),
            Evidence("infra_nodes/0/volume", "OS::Cinder::Volume", "VolumeSizeExceedsAvailableQuota", "1"),
        ]
    )
    assert [finding.place for finding in found] == ["infra_nodes/0/volume", "masters/0/server"]


def test_a_lone_consequence_is_better_than_nothing() -> None:
    found = rank([Evidence("stack demo", "OS::Heat::Stack", "CREATE aborted (timed out)")])
    assert len(found) == 1
    assert not rank([])


def test_messages_lose_the_names_of_pythons_classes() -> None:
    text = (
        "OverQuotaClient: Quota exceeded for resources: ['port'].\nNeutron server returns request_ids: ['r']"
    )
    finding = rank([Evidence("net", "OS::Neutron::Net", text)])[0]
    assert finding.cause.startswith("Quota exceeded for resources: ['port']")


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("Quota exceeded for resources: ['floatingip'].", "quota of floatingip"),
        ("Quota exceeded for cores: Requested 4, but already used 1 of 2 cores", "quota of cores"),
        ("No valid host was found. There are not enough hosts available.", "No host has room"),
        ("No more IP addresses available on network 1.", "no free address"),
        ("Flavor's memory is too small for requested image.", "larger flavor"),
        ("schedule allocate volume:Could not find any available weighted backend.", "Cinder has no back end"),
        ("Provider 'amphora' is not enabled.", "another loadBalancerProvider"),
        ("Timed out waiting for a reply to message ID 1", "did not answer in time"),
        ("rule:create_network is disallowed by policy: Forbidden", "lacks a role"),
        ("something nobody has seen", "goes on where it stopped"),
    ],
)
def test_known_failures_have_their_remedies(text: str, remedy: str) -> None:
    assert remedy in remedy_for(text)


CONSOLE = """\
[  OK  ] Reached target multi-user.target
\x1b[0;32mcauseway: 08:21:37 starting the cluster\x1b[0m
[  11.2] noise
causeway: 08:21:38 FAILED in step init; the last lines of /var/log/causeway-node.log:
causeway| error: preflight checks failed
"""


def test_a_console_is_reduced_to_what_our_script_told() -> None:
    told = told_on(CONSOLE)
    assert told[0] == "causeway: 08:21:37 starting the cluster"
    assert told[-1] == "causeway| error: preflight checks failed"
    assert gave_up(told)
    assert not gave_up(told_on("causeway: 08:21:37 starting the cluster"))
    assert told_on("[  OK  ] booting\n\n") == ["[  OK  ] booting"]
