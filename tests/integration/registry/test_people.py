"""People push: with a token of theirs where the API server takes such, else with that of an account."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.kube_api import KubeApi
from tests.integration.registry.stage import DEADLINE, Stage
from tests.integration.registry.test_registry import PULLER, PUSHER

ADA, BEN = "token-of-ada", "token-of-ben"
IN_SHOP = ("-n", "shop")


@pytest.fixture(scope="module")
def kube_api(
    kubernetes_binaries: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KubeApi]:
    """A Kubernetes API that takes tokens of people, and whose roles `edit` and `admin` are put together."""
    directory = tmp_path_factory.mktemp("kube")
    people = directory / "people.csv"
    people.write_text(f'{ADA},ada,1\n{BEN},ben,2,"shop-developers"\n')
    api = KubeApi(directory, kubernetes_binaries, flags=(f"--token-auth-file={people}",))
    controllers = api.controllers("clusterrole-aggregation-controller")
    try:
        api.start()
        controllers.start()
        yield api
    finally:
        controllers.end()
        api.stop()


def person(name: str, kind: str = "User") -> dict[str, str]:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}


async def test_a_persons_token_does_what_the_persons_roles_say(stage: Stage) -> None:
    await stage.namespace("shop")
    await stage.namespace("other")
    await stage.bind("shop", PUSHER, person("ada"))
    await stage.bind("shop", PULLER, person("shop-developers", "Group"))
    archive, digest = stage.image("front")

    status, said = await stage.skopeo(ADA, "copy", archive, "HOST/shop/front:1")
    assert status == 0, said
    status, said = await stage.skopeo(BEN, "inspect", "--format={{.Digest}}", "HOST/shop/front:1")
    assert (status, said.strip()) == (0, digest)
    for token, target, words in (
        (BEN, "HOST/shop/front:2", "denied"),
        (ADA, "HOST/other/front:1", "denied"),
        ("token-of-nobody", "HOST/shop/front:2", "must be a token of this platform"),
    ):
        status, said = await stage.skopeo(token, "copy", archive, target)
        assert status != 0, (token, target)
        assert words in said, said
    await stage.unbind("shop", PUSHER)
    status, said = await stage.skopeo(ADA, "copy", archive, "HOST/shop/front:2")
    assert status != 0
    assert "denied" in said, said


async def test_who_has_a_certificate_alone_pushes_with_a_token_of_an_account(
    stage: Stage, kube_api: KubeApi
) -> None:
    """The commands of docs/how-to/registry.md."""
    for namespace in ("shop", "other"):
        await stage.namespace(namespace)
    await stage.bind("shop", "admin", person("zoe"))
    await stage.bind("shop", "edit", person("yan"))
    zoe, yan = Person(kube_api, "zoe"), Person(kube_api, "yan")
    for each in (zoe, yan):
        await each.until_allowed("update")
    archive, _ = stage.image("front")

    await zoe.kubectl(*IN_SHOP, "create", "serviceaccount", "builder")
    account = ("--clusterrole=causeway-registry-pusher", "--serviceaccount=shop:builder")
    await zoe.kubectl(*IN_SHOP, "create", "rolebinding", "builder", *account)
    builder = {"kind": "ServiceAccount", "namespace": "shop", "name": "builder"}
    await stage.until_given(True, "shop", PUSHER, builder)
    token = await yan.kubectl(*IN_SHOP, "create", "token", "builder")
    status, said = await stage.skopeo(token, "copy", archive, "HOST/shop/front:1")
    assert status == 0, said

    # An account that nobody let push does not, and in other namespaces they are nobody.
    await yan.kubectl(*IN_SHOP, "create", "serviceaccount", "plain")
    plain = await yan.kubectl(*IN_SHOP, "create", "token", "plain")
    for given, target in ((plain, "HOST/shop/front:2"), (token, "HOST/other/front:1")):
        status, said = await stage.skopeo(given, "copy", archive, target)
        assert status != 0, target
        assert "denied" in said, said
    status, said = await yan.asked("-n", "other", "create", "token", "builder")
    assert status != 0
    assert 'cannot create resource "serviceaccounts/token"' in said, said


class Person:
    """Somebody with a certificate, at the command line."""

    def __init__(self, api: KubeApi, name: str) -> None:
        self._argv = [str(api.binaries["kubectl"]), "--kubeconfig", str(api.person(name))]

    async def asked(self, *words: str) -> tuple[int, str]:
        """Return how a command ended, and what it said."""
        ended = await asyncio.create_subprocess_exec(
            *self._argv, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await ended.communicate()
        assert ended.returncode is not None
        return ended.returncode, said.decode().strip()

    async def kubectl(self, *words: str) -> str:
        """Return what a command said that succeeded."""
        status, said = await self.asked(*words)
        assert status == 0, said
        return said

    async def until_allowed(self, verb: str) -> None:
        """Wait until roles that were put together let do something with images; the words are of the page."""
        deadline = time.monotonic() + DEADLINE
        while verb not in await self._allowed():
            assert time.monotonic() < deadline, f"never allowed to {verb}: {await self._allowed()}"
            await asyncio.sleep(0.1)

    async def _allowed(self) -> str:
        rules = (await self.kubectl(*IN_SHOP, "auth", "can-i", "--list")).splitlines()
        return next((each for each in rules if each.startswith("images.registry.causeway.dev")), "")
