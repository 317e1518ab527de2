"""What labels and policies mean, for everybody who has to ask: which pods a policy is for, and in which way.

The controller and every node's daemon decide by the same words, so that no pod is taken for one without a
policy by one of them alone. The semantics are those of ``networking.k8s.io/v1`` and of LabelSelector.
"""

from collections.abc import Mapping

from causeway.kube.objects import LabelRequirement, LabelSelector, NetworkPolicy


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Return whether ``labels`` meet every requirement of ``selector``; an empty selector means all."""
    return all(labels.get(key) == value for key, value in selector.match_labels.items()) and all(
        _meets(requirement, labels) for requirement in selector.match_expressions
    )


def selects(policy: NetworkPolicy, pod_labels: Mapping[str, str]) -> bool:
    """Return whether ``policy`` is for a pod of its own namespace with these labels."""
    return matches(policy.spec.pod_selector, pod_labels)


def directions(policy: NetworkPolicy) -> tuple[bool, bool]:
    """Return whether a policy is about (ingress, egress).

    The API fills in ``policyTypes`` that were left out: ingress always, egress if there are rules for it.
    """
    types = policy.spec.policy_types
    if not types:
        return True, bool(policy.spec.egress)
    return "Ingress" in types, "Egress" in types


def _meets(requirement: LabelRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value is not None and value in requirement.values
        case "NotIn":
            return value is None or value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case _:  # the API accepts no others
            return False
