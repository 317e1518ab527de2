from collections.abc import Callable
from pathlib import Path

import pytest

from causeway.kit.errors import Problem
from causeway.kit.progress import Progress
from causeway.lab.images import kubernetes
from causeway.lab.images.golang import Module, Published, go_mod, linker_flags


def put_binaries(directory: Path, version: Callable[[kubernetes.Component], str]) -> None:
    """Put scripts that state a version where binaries are expected."""
    directory.mkdir(parents=True, exist_ok=True)
    for component in kubernetes.COMPONENTS:
        for binary in component.binaries:
            path = directory / binary.name
            path.write_text(f"#!/bin/sh\necho program {version(component)}\n")


def test_staging_modules_are_those_required_at_version_zero() -> None:
    text = """require (
	k8s.io/api v0.0.0
	k8s.io/klog/v2 v2.130.1
	k8s.io/kube-openapi v0.0.0-20250910181357-589584f1c912
	k8s.io/cri-client v0.0.0
)
"""
    assert kubernetes.staging_modules(text) == ["k8s.io/api", "k8s.io/cri-client"]


def test_go_mod_requires_and_replaces() -> None:
    module = Module(
        name="tool",
        language="1.26.0",
        requires={"example.org/tool": "v1.2.3"},
        replaces={"example.org/part": "v0.2.3"},
        programs={},
    )
    assert go_mod(module).splitlines() == [
        "module causeway.dev/build/tool",
        "",
        "go 1.26.0",
        "",
        "require example.org/tool v1.2.3",
        "replace example.org/part => example.org/part v0.2.3",
    ]


def test_language_is_that_of_the_published_module() -> None:
    assert Published("module a\n\ngo 1.26.0\n\ntoolchain go1.26.2\n", "", Path()).language == "1.26.0"


def test_linker_flags_stamp_variables() -> None:
    module = Module(
        name="tool",
        language="1.26.0",
        requires={},
        programs={},
        variables={"a/version.v": "v1", "a/version.d": "x"},
    )
    assert linker_flags(module) == "-s -w -X a/version.d=x -X a/version.v=v1"


def test_binaries_come_from_assets_and_stay_in_the_cache(tmp_path: Path) -> None:
    put_binaries(tmp_path / "assets", lambda component: component.version)
    cache = tmp_path / "cache"
    found = kubernetes.obtain(cache, tmp_path / "log", Progress(), assets=tmp_path / "assets")
    assert set(found) >= {"kubeadm", "kubelet", "kubectl", "kube-apiserver", "etcd", "coredns"}
    sums = (kubernetes.KUBERNETES.directory(cache) / kubernetes.SUMS).read_text()
    assert len(sums.splitlines()) == len(kubernetes.KUBERNETES.binaries)
    # What is in the cache needs no other source.
    assert kubernetes.obtain(cache, tmp_path / "log", Progress(), assets=tmp_path / "gone") == found


def test_assets_may_lie_as_in_the_cache(tmp_path: Path) -> None:
    for component in kubernetes.COMPONENTS:
        put_binaries(component.directory(tmp_path / "assets"), lambda each: each.version)
    cache = tmp_path / "cache"
    found = kubernetes.obtain(cache, tmp_path / "log", Progress(), assets=tmp_path / "assets")
    assert all(path.is_file() for path in found.values())


def test_binary_of_another_version_is_refused_by_name_and_nothing_is_cached(tmp_path: Path) -> None:
    put_binaries(tmp_path / "assets", lambda _: "v1.20.2")
    with pytest.raises(Problem, match=r"kubeadm.*v1\.20\.2.*v1\.35\.4"):
        kubernetes.obtain(tmp_path / "cache", tmp_path / "log", Progress(), assets=tmp_path / "assets")
    assert not kubernetes.KUBERNETES.directory(tmp_path / "cache").exists()


def test_binary_that_does_not_run_is_refused(tmp_path: Path) -> None:
    put_binaries(tmp_path / "assets", lambda component: component.version)
    (tmp_path / "assets/kubelet").write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(Problem, match=r"kubelet.*does not run here"):
        kubernetes.obtain(tmp_path / "cache", tmp_path / "log", Progress(), assets=tmp_path / "assets")
