import pytest
from tests.unit.rooms.routes.ingress_examples import class_of, ingress

from causeway.rooms.routes.classes import CONTROLLER, is_ours

OURS, OTHERS = class_of("causeway", CONTROLLER), class_of("nginx", "k8s.io/ingress-nginx")
CLASSES = {"causeway": OURS, "nginx": OTHERS}


@pytest.mark.parametrize(
    ("spec", "annotation", "ours"),
    [
        ("causeway", None, True),
        ("nginx", None, False),
        ("unknown", None, False),
        (None, "causeway", True),
        (None, "nginx", False),
        (None, None, False),
        ("causeway", "nginx", False),
        ("nginx", "causeway", True),
    ],
)
def test_a_class_of_ours_is_named(spec: str | None, annotation: str | None, ours: bool) -> None:
    annotations = {} if annotation is None else {"kubernetes.io/ingress.class": annotation}
    given = ingress(annotations=annotations, ingressClassName=spec)
    assert is_ours(given, CLASSES) is ours


def test_without_a_class_the_default_counts() -> None:
    none, named = ingress(), ingress(ingressClassName="nginx")
    default = class_of("causeway", CONTROLLER, default=True)
    assert is_ours(none, CLASSES | {"causeway": default})
    assert not is_ours(named, CLASSES | {"causeway": default})
    assert not is_ours(none, CLASSES | {"nginx": class_of("nginx", "k8s.io/ingress-nginx", default=True)})
