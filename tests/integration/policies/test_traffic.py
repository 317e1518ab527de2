"""What policies allow, as packets see it: real ports, security groups, OVN, an Octavia load balancer."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.integration.policies.conftest import Stage

WEB = {"matchLabels": {"app": "web"}}
CLIENT = {"matchLabels": {"app": "client"}}


async def test_ingress(stage: "Stage") -> None:
    await stage.expect({("stranger", "web1", "TCP", 80): True, ("near", "web1", "UDP", 53): True})
    await stage.apply("deny", podSelector=WEB)
    await stage.expect(
        {
            ("client", "web1", "TCP", 80): False,
            ("stranger", "web1", "UDP", 53): False,
            ("near", "web2", "TCP", 80): False,
            ("n1", "web1", "TCP", 80): True,  # a probe of its node
            ("n2", "web1", "TCP", 80): False,
            ("web1", "client", "TCP", 80): True,  # what goes out is not its subject
            ("web1", "near", "UDP", 53): True,
        }
    )
    both = {"namespaceSelector": {"matchLabels": {"team": "blue"}}, "podSelector": CLIENT}
    block = {"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.128/25", "192.0.2.0/29"]}}
    await stage.apply(
        "allow",
        podSelector=WEB,
        ingress=[
            {"from": [both], "ports": [{"port": "web"}]},
            {"from": [{"podSelector": CLIENT}], "ports": [{"port": 8000, "endPort": 8500}]},
            {"from": [block], "ports": [{"port": 53, "protocol": "UDP"}]},
        ],
    )
    await stage.expect(
        {
            ("stranger", "web1", "TCP", 8080): True,  # what web1 calls web
            ("stranger", "web1", "TCP", 9090): False,
            ("stranger", "web2", "TCP", 9090): True,  # what web2 calls web
            ("stranger", "web2", "TCP", 8080): False,
            ("client", "web1", "TCP", 8080): True,
            ("client", "web1", "TCP", 8443): True,
            ("client", "web1", "TCP", 9090): False,
            ("near", "web1", "UDP", 53): True,
            ("near", "web1", "TCP", 80): False,
            ("far", "web1", "UDP", 53): False,
            ("client", "web1", "UDP", 53): False,
        }
    )
    await stage.withdraw("deny")
    await stage.withdraw("allow")
    await stage.expect({("stranger", "web1", "TCP", 80): True, ("far", "web2", "UDP", 53): True})


async def test_egress_and_services(stage: "Stage") -> None:
    vip = "172.30.0.10"
    await stage.add_service()
    await stage.expect({("client", vip, "TCP", 80): True, ("web1", vip, "TCP", 80): True})
    await stage.apply("deny", podSelector={}, policyTypes=["Ingress", "Egress"])
    await stage.expect(
        {
            ("client", vip, "TCP", 80): False,
            ("client", "near", "TCP", 80): False,
            ("client", "web1", "TCP", 8080): False,
            ("client", "n1", "TCP", 80): True,
            ("client", "n2", "TCP", 80): False,
            ("n1", "web1", "TCP", 8080): True,
        }
    )
    await stage.apply(
        "allow",
        podSelector={},
        ingress=[{"from": [{"podSelector": CLIENT}]}],
        egress=[
            {"to": [{"podSelector": WEB}], "ports": [{"port": 8080}]},
            {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "192.0.2.128/25"]}}]},
        ],
    )
    await stage.expect(
        {
            ("client", "web1", "TCP", 8080): True,
            ("client", "web1", "TCP", 80): False,
            ("client", vip, "TCP", 80): True,  # all that answers there is allowed
            ("web1", vip, "TCP", 80): True,  # by itself, through its own service
            ("client", "near", "TCP", 80): True,
            ("client", "far", "TCP", 80): False,
            ("stranger", vip, "TCP", 80): False,  # its address is kept, and it is none of the clients
        }
    )
    only_8443: dict[str, Any] = {"to": [{"podSelector": WEB}], "ports": [{"port": 8443}]}
    await stage.apply("allow", podSelector={}, ingress=[{}], egress=[only_8443])
    await stage.expect({("client", "web1", "TCP", 8443): True, ("client", vip, "TCP", 80): False})
