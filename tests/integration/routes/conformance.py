"""Gateway API's own conformance suite and its echo server, built from their published module."""

import fcntl
from pathlib import Path
from typing import NamedTuple

from tests.integration.routes.gateway_api import MODULE, VERSION

from causeway.lab.images.golang import Module, Toolchain

SUITE, ECHO = "gateway-api", "echo-basic"
# The suite is a function for a test: this is a program that has no other.
_PROGRAM = f"""package main

import (
	"regexp"
	"testing"

	"{MODULE}/conformance"
)

func main() {{
	testing.Main(
		regexp.MatchString,
		[]testing.InternalTest{{{{Name: "TestConformance", F: conformance.RunConformance}}}},
		nil,
		nil,
	)
}}
"""


class Programs(NamedTuple):
    """The suite, and the application its Deployments run."""

    suite: Path
    echo: Path


def obtain(cache: Path, log: Path) -> Programs:
    """Return the programs, built unless the cache has them; test runs at the same time build them once."""
    home = cache / "gateway-api-conformance"
    home.mkdir(parents=True, exist_ok=True)
    built = home / VERSION
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            partial = home / f"{VERSION}.partial"
            partial.mkdir(exist_ok=True)
            toolchain = Toolchain(cache, log)
            toolchain.build(_module(toolchain), partial)
            partial.rename(built)
    return Programs(built / SUITE, built / ECHO)


def _module(toolchain: Toolchain) -> Module:
    conformance = f"{MODULE}/conformance"
    return Module(
        name=SUITE,
        language=toolchain.published(conformance, VERSION).language,
        requires={MODULE: VERSION, conformance: VERSION},
        programs={SUITE: ".", ECHO: f"{conformance}/{ECHO}"},
        sources={"main.go": _PROGRAM},
    )
