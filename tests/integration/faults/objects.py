"""The objects tests make, as users, kubelets and the endpoint controller would."""

from collections.abc import Mapping, Sequence

from causeway.kube.errors import Object

Ports = Sequence[tuple[int, str]]
WEB: Ports = ((80, "TCP"),)


def pod(name: str, node: str, **labels: str) -> Object:
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"nodeName": node, "containers": [{"name": "c", "image": "i"}]},
    }


def policy(name: str, namespace: str, *, selects: str, lets: Mapping[str, Sequence[Object]]) -> Object:
    """Return a policy for the pods of an app, or for all; ``lets`` are its rules by Ingress and Egress."""
    selector = {"matchLabels": {"app": selects}} if selects else {}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"podSelector": selector, "policyTypes": list(lets)}
        | {way.lower(): list(rules) for way, rules in lets.items()},
    }


def namespace(name: str, *, own: bool) -> Object:
    """Return a namespace with, or without, a network of its own."""
    annotations = {"causeway.dev/network": "own" if own else "shared"}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "annotations": annotations},
    }


def service(name: str, namespace: str, ports: Ports = WEB, *, external: bool = False) -> Object:
    listed = [
        {"name": f"{protocol.lower()}-{port}", "port": port, "protocol": protocol} for port, protocol in ports
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"ports": listed, "type": "LoadBalancer" if external else "ClusterIP"},
    }


def endpoints(name: str, namespace: str, ports: Ports = WEB, *, ready: Sequence[bool] = (True,)) -> Object:
    """Return the slice of a service: one endpoint for each of ``ready``."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-1",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "ports": [
            {"name": f"{protocol.lower()}-{port}", "port": 8000 + port, "protocol": protocol}
            for port, protocol in ports
        ],
        "endpoints": [
            {"addresses": [f"10.20.200.{10 + number}"], "conditions": {"ready": one}}
            for number, one in enumerate(ready)
        ],
    }
