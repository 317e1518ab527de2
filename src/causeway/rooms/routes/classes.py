"""Whose an Ingress is: pure."""

from collections.abc import Mapping

from causeway.kube.ingresses import Ingress, IngressClass

CONTROLLER = "causeway.dev/router"
_NAMED = "kubernetes.io/ingress.class"
_DEFAULT = "ingressclass.kubernetes.io/is-default-class"


def is_ours(ingress: Ingress, classes: Mapping[str, IngressClass]) -> bool:
    """Return whether a class of ours is named, or none is named and one of ours is the default.

    The older annotation is looked at first, as OpenShift and ingress-nginx do. A name that is no class's is
    somebody else's.
    """
    annotation = ingress.metadata.annotations.get(_NAMED)
    named = ingress.spec.ingress_class_name if annotation is None else annotation
    if named:
        return named in classes and classes[named].spec.controller == CONTROLLER
    return any(
        each.spec.controller == CONTROLLER and each.metadata.annotations.get(_DEFAULT) == "true"
        for each in classes.values()
    )
