import json
from ipaddress import IPv4Network
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from causeway.kit.errors import Exit, Problem
from causeway.rooms.platforms import schema
from causeway.rooms.platforms.document import load, parse

from .wrong_files import BASE, WRONG, Wrong

ROOT = Path(__file__).parents[4]


def test_the_right_file_becomes_a_platform() -> None:
    platform = parse(BASE)
    assert platform.name == "demo"
    assert platform.masters.flavor == "m"
    assert [pool.count for pool in platform.pools("compute")] == [2]
    assert platform.spec.networks.new_ranges()["pods"] == IPv4Network("10.20.0.0/16")
    assert platform.spec.api.exposure == "public"


def test_the_demo_is_a_platform() -> None:
    platform = load(ROOT / "demo/platform.yaml")
    assert {pool.role: pool.count for pool in platform.spec.pools} == {"master": 1, "infra": 1, "compute": 2}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
def test_a_wrong_file_is_refused_at_the_place(wrong: Wrong) -> None:
    with pytest.raises(Problem) as refusal:
        parse(wrong.text, "platform.yaml")
    assert refusal.value.exit_code is Exit.USAGE
    findings = refusal.value.findings
    assert [finding.place for finding in findings] == [
        f"platform.yaml:{place}" for place, _ in wrong.expected
    ]
    for finding, (_, words) in zip(findings, wrong.expected, strict=True):
        for word in words:
            assert word in f"{finding.cause} {finding.remedy}"
        assert finding.remedy.endswith((".", "?")), finding


def test_anchors_may_be_used() -> None:
    text = BASE.replace("image: node", "image: &image node", 1).replace(
        "flavor: n\n      image: node", "flavor: n\n      image: *image"
    )
    assert {pool.image for pool in parse(text).spec.pools} == {"node"}


def test_a_bomb_of_aliases_is_refused_quickly() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    with pytest.raises(Problem, match="too much"):
        parse("kind: Platform\n" + "\n".join(lines))


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\xff\xfe", "not UTF-8"), (b"#" * (1 << 21), "larger than 1 MiB")],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "platform.yaml"
    path.write_bytes(content)
    with pytest.raises(Problem, match=words):
        load(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="cannot be read: No such file"):
        load(tmp_path / "platform.yaml")
    with pytest.raises(Problem, match="cannot be read: Is a directory"):
        load(tmp_path)


@given(st.text(max_size=200))
def test_no_text_at_all_causes_a_traceback(text: str) -> None:
    with pytest.raises(Problem):
        parse(text)


KEYS = st.sampled_from(["apiVersion", "kind", "metadata", "spec", "name", "pools", "networks", "cidr", "x"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "x"]), VALUES))
def test_no_value_at_all_causes_a_traceback(values: dict[str, object]) -> None:
    text = yaml.safe_dump({"apiVersion": "causeway.dev/v1alpha1", "kind": "Platform", **values})
    with pytest.raises(Problem) as refusal:
        parse(text)
    assert all(finding.place.startswith("platform.yaml:") for finding in refusal.value.findings)


@given(st.sampled_from(["cloud", "flavor", "image", "external"]), VALUES)
def test_any_value_of_a_key_is_taken_or_refused(key: str, value: object) -> None:
    document = yaml.safe_load(BASE)

    def put(node: object) -> None:
        match node:
            case dict():
                for name in node:
                    if name == key:
                        node[name] = value
                    else:
                        put(node[name])
            case list():
                for item in node:
                    put(item)

    put(document)
    try:
        parse(yaml.safe_dump(document))
    except Problem as problem:
        assert all(key in finding.cause for finding in problem.findings)


def test_the_published_schema_is_the_code() -> None:
    published = (ROOT / "docs/reference/platform.schema.json").read_text()
    assert json.loads(published) == json.loads(schema.text()), (
        "run: causeway preflight --schema > docs/reference/platform.schema.json"
    )
