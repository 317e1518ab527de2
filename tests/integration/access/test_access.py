"""The rights that are shipped are the rights that are used, on both sides, and no log tells a secret."""

import asyncio
import re

from tests.integration.access import audit
from tests.integration.access.drives import DRIVES, RARE
from tests.integration.access.stage import Stage
from tests.integration.deployment import FOLDER

ACCOUNTS = ("causeway-controller", "causeway-node")
# How Keystone's tokens and those of service accounts begin.
TOKENS = re.compile(r"gAAAA[\w-]{20,}|eyJ[\w-]{10,}\.")


async def test_every_right_is_used_and_none_is_missing(stage: Stage) -> None:
    tokens = [await stage.token(each, **await stage.holder(each, each)) for each in ACCOUNTS]
    configs = [stage.kubeconfig(*each)[0] for each in zip(ACCOUNTS, tokens, strict=True)]
    programs = stage.controller(configs[0]), stage.node(configs[1])
    await asyncio.gather(*(drive(stage) for drive in DRIVES))
    assert [program.alive for program in programs] == [True, True]
    assert [program.stop() for program in programs] == [0, 0]

    log = stage.api.directory / "audit.log"
    for account in ACCOUNTS:
        may, did = audit.rights(FOLDER / "20-access.yaml", account), audit.requests(log, account)
        assert {str(each) for each in audit.denied(did)} == set(), f"{account} lacks rights"
        left = audit.unused(may, did)
        assert {str(each) for each in left - RARE.keys()} == set(), f"{account} has rights it does not use"

    said = "".join(program.log for program in programs)
    assert '"level": "debug"' in said
    assert "401" not in re.findall(r'"status": (\d+)', said)
    assert [each for each in [*stage.site.secrets(), *tokens] if each in said] == []
    assert TOKENS.findall(said) == []
