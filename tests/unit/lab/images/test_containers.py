import pytest

from causeway.lab.images.containers import short_name


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("registry.example/kube-apiserver:v1.35.4", "kube-apiserver"),
        ("registry.example:5000/coredns/coredns:v1.13.1", "coredns"),
        ("localhost/causeway:0.1.0", "causeway"),
    ],
)
def test_short_name_is_the_last_part_without_tag(image: str, name: str) -> None:
    assert short_name(image) == name
