"""Kubernetes' own companions of a volume driver, built from their published sources.

They use the packages of a newer Kubernetes than the nodes run, and are made to work with older ones. All are
built in one graph of modules, so that what they share is compiled once.
"""

from collections.abc import Callable

from causeway.lab.images.golang import Module, Toolchain
from causeway.lab.images.kubernetes import Binary, Component, staging_modules

_ORIGIN = "github.com/kubernetes-csi"
PROVISIONER, ATTACHER, RESIZER = "csi-provisioner", "csi-attacher", "csi-resizer"
SNAPSHOTTER, SNAPSHOT_CONTROLLER = "csi-snapshotter", "snapshot-controller"
_SNAPSHOTS = (f"{_ORIGIN}/external-snapshotter/v8", "v8.6.0")  # the last for the Kubernetes below
DEFINITIONS = (f"{_ORIGIN}/external-snapshotter/client/v8", "v8.6.0")
"""The module that publishes the definitions of snapshots, and its version."""

_MODULES = {
    PROVISIONER: (f"{_ORIGIN}/external-provisioner/v6", "v6.3.0"),
    ATTACHER: (f"{_ORIGIN}/external-attacher/v4", "v4.12.0"),
    RESIZER: (f"{_ORIGIN}/external-resizer/v2", "v2.2.0"),
    SNAPSHOTTER: _SNAPSHOTS,
    SNAPSHOT_CONTROLLER: _SNAPSHOTS,
}
_KUBERNETES = "v1.36.1"  # whose packages they use


def _module(program: str) -> Callable[[Toolchain], Module]:
    def module(toolchain: Toolchain) -> Module:
        path, version = _MODULES[program]
        used = toolchain.published("k8s.io/kubernetes", _KUBERNETES)
        return Module(
            name=program,
            language=toolchain.published(path, version).language,
            requires=dict(_MODULES.values()),
            replaces=dict.fromkeys(staging_modules(used.go_mod), f"v0{_KUBERNETES[2:]}"),
            programs={program: f"{path}/cmd/{program}"},
            variables={"main.version": version},
            tags=("grpcnotrace",),
        )

    return module


COMPONENTS = tuple(
    Component(program, version, (Binary(program),), _module(program))
    for program, (_, version) in _MODULES.items()
)
