"""The registry of images that a platform may have, built from its published sources.

Of what it can store images on, our program has what a platform offers: the rest is most of its size.
"""

from importlib.resources import files

from causeway.lab.images.golang import Module, Toolchain
from causeway.lab.images.kubernetes import Binary, Component

_PATH = "github.com/distribution/distribution/v3"
VERSION = "v3.1.1"
PROGRAM = "registry"


def _module(toolchain: Toolchain) -> Module:
    return Module(
        name=PROGRAM,
        language=toolchain.published(_PATH, VERSION).language,
        requires={_PATH: VERSION},
        programs={PROGRAM: "."},
        variables={f"{_PATH}/version.version": VERSION},
        sources={"main.go": files("causeway.lab.images").joinpath("files/registry.go").read_text()},
    )


COMPONENT = Component(PROGRAM, VERSION, (Binary(PROGRAM),), _module)
