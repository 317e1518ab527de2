"""What pods may write to ask for further interfaces."""

import json

import pytest

from causeway.kube.interfaces import (
    AttachmentDefinition,
    AttachmentSpec,
    Interface,
    NetworkNamed,
    interfaces_of,
    network_named,
)
from causeway.kube.objects import Meta, Pod


def asking(text: str) -> Pod:
    return Pod(Meta("web", "shop", annotations={"k8s.v1.cni.cncf.io/networks": text}))


def test_the_short_form() -> None:
    assert interfaces_of(Pod(Meta("web", "shop"))) == ()
    assert interfaces_of(asking("")) == ()
    assert interfaces_of(asking("data, infra/backup@net1,third@fast0,more")) == (
        Interface("shop", "data", "net2"),
        Interface("infra", "backup", "net1"),
        Interface("shop", "third", "fast0"),
        Interface("shop", "more", "net3"),
    )


def test_the_long_form() -> None:
    wishes = [
        {"name": "data", "ips": ["10.9.0.7", "fd00:9::7/64"], "mac": "02:00:00:00:00:0A"},
        {"name": "backup", "namespace": "infra", "interface": "bk0", "default-route": ["10.8.0.1"]},
    ]
    assert interfaces_of(asking(json.dumps(wishes))) == (
        Interface("shop", "data", "net1", ("10.9.0.7", "fd00:9::7"), "02:00:00:00:00:0a"),
        Interface("infra", "backup", "bk0", gateways=("10.8.0.1",)),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("data@eth0", "eth0 is asked for twice"),
        ("one@net1,two@net1", "net1 is asked for twice"),
        ("Data", "'Data' is not a name"),
        ("a/b/c", "'a/b' is not a namespace"),
        (",", "'' is not a name"),
        ("data@far/too", "no name of an interface"),
        ("data@far-too-long-for-linux", "no name of an interface"),
        ("[{]", "no list of networks"),
        ('[{"namespace": "x"}]', "no list of networks"),
        ('[{"name": "x", "colour": 1}]', "no list of networks"),
        ('[{"name": "x", "bandwidth": {"ingressRate": 1}}]', "bandwidth is not supported"),
        ('[{"name": "x", "ips": ["10.0.0.300"]}]', "10.0.0.300"),
        ('[{"name": "x", "mac": "02:00"}]', "no MAC address"),
        ('[{"name": "x", "default-route": ["next"]}]', "next"),
    ],
)
def test_what_is_wrong_is_named(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("[", r"\[")):
        interfaces_of(asking(text))


def definition(config: object) -> AttachmentDefinition:
    text = config if isinstance(config, str) else json.dumps(config)
    return AttachmentDefinition(Meta("data", "shop"), AttachmentSpec(text))


def test_a_definition_names_a_network_of_the_cloud() -> None:
    plain = {"cniVersion": "1.0.0", "name": "data", "type": "causeway", "network": "data-net"}
    assert network_named(definition(plain)) == NetworkNamed("data-net")
    more = {**plain, "subnets": ["s1"], "securityGroups": ["g1", "g2"]}
    assert network_named(definition(more)) == NetworkNamed("data-net", ("s1",), ("g1", "g2"))
    listed = {"cniVersion": "1.0.0", "name": "data", "plugins": [{"type": "causeway", "network": "n"}]}
    assert network_named(definition(listed)) == NetworkNamed("n")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("", "no JSON object"),
        ("[]", "no JSON object"),
        ({"type": "macvlan", "network": "n"}, "its type is 'macvlan'"),
        ({"plugins": [{"type": "causeway"}, {"type": "tuning"}]}, "several plugins"),
        ({"type": "causeway"}, "no key network"),
        ({"type": "causeway", "network": "n", "subnets": "s"}, "subnets is no list"),
    ],
)
def test_what_is_wrong_with_a_definition_is_named(config: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        network_named(definition(config))
