"""What the schema of routes cannot say, or an older object does not keep to."""

import re

from causeway.kube.routes import RouteSpec, RouteTLS
from causeway.rooms.routes.bounds import LONGEST_PATH
from causeway.rooms.routes.endpoints import MOST_WEIGHT
from causeway.rooms.routes.model import Refused

_ALTERNATES = 3
PATH = re.compile(r"/[!$-:=@-\[\]-_a-~]*", re.ASCII)  # printable, without " # ; < > ? \ and `
_TERMINATIONS = ("edge", "passthrough", "reencrypt")
_POLICIES = ("", "None", "Allow", "Redirect")


def check(spec: RouteSpec) -> None:
    """Raise ``Refused`` for a route that contradicts itself or asks for what there is not."""
    for target in (spec.to, *spec.alternate_backends):
        if target.kind not in ("", "Service"):
            raise Refused(f"spec: {target.kind} {target.name} is no Service")
        if not 0 <= (1 if target.weight is None else target.weight) <= MOST_WEIGHT:
            raise Refused(f"spec: the weight of {target.name} is not within 0 to {MOST_WEIGHT}")
    if len(spec.alternate_backends) > _ALTERNATES:
        raise Refused(f"spec.alternateBackends: more than {_ALTERNATES}")
    if len(spec.path) > LONGEST_PATH:
        raise Refused(f"spec.path: is longer than {LONGEST_PATH} characters")
    if spec.path and not PATH.fullmatch(spec.path):
        raise Refused('spec.path: must begin with / and have no spaces and none of ? # ; < > " \\ `')
    if spec.tls is not None:
        _check_tls(spec.tls)
        if spec.tls.termination == "passthrough" and spec.path:
            raise Refused("spec.path: passthrough termination does not support paths")


def _check_tls(tls: RouteTLS) -> None:
    if tls.termination not in _TERMINATIONS:
        raise Refused(f"spec.tls.termination: {tls.termination!r} is none of {', '.join(_TERMINATIONS)}")
    passthrough = tls.termination == "passthrough"
    policy = tls.insecure_edge_termination_policy
    if policy not in _POLICIES or (passthrough and policy == "Allow"):
        raise Refused(f"spec.tls.insecureEdgeTerminationPolicy: {policy!r} is not possible here")
    own = tls.certificate or tls.key or tls.ca_certificate or tls.destination_ca_certificate
    if passthrough and own:
        raise Refused("spec.tls: passthrough termination does not support certificates")
    if tls.termination == "edge" and tls.destination_ca_certificate:
        raise Refused("spec.tls: edge termination does not support destination certificates")
