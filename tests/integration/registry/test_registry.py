"""Push and pull with tokens of Kubernetes: who may, who may not, and that images outlive the registry."""

from pathlib import Path

from tests.integration.registry.stage import Stage

from causeway.rooms.registry.reviews import AUDIENCE

PUSHER, PULLER = "causeway-registry-pusher", "causeway-registry-puller"


def account(namespace: str, name: str) -> dict[str, str]:
    return {"kind": "ServiceAccount", "namespace": namespace, "name": name}


async def test_who_has_the_role_pushes_pods_of_the_namespace_pull_and_nobody_else_does(
    stage: Stage, tmp_path: Path
) -> None:
    await stage.namespace("shop", "builder", "default")
    await stage.namespace("shops", "default", "deployer")
    await stage.bind("shop", PUSHER, account("shop", "builder"))
    builder, ours = await stage.token("shop", "builder"), await stage.token("shop", "default", AUDIENCE)
    theirs = await stage.token("shops", "default", AUDIENCE)
    archive, digest = stage.image("front")

    status, said = await stage.skopeo(builder, "copy", archive, "HOST/shop/front:1")
    assert status == 0, said
    status, said = await stage.skopeo(ours, "inspect", "--format={{.Digest}}", "HOST/shop/front:1")
    assert (status, said.strip()) == (0, digest)
    status, said = await stage.skopeo(
        ours, "copy", "HOST/shop/front:1", f"oci-archive:{tmp_path / 'got.tar'}"
    )
    assert status == 0, said

    # A pod of its own namespace does not push; others neither pull nor push; without a token nobody does.
    for token, words in (
        (ours, ("copy", archive, "HOST/shop/front:2")),
        (theirs, ("inspect", "HOST/shop/front:1")),
        (theirs, ("copy", archive, "HOST/shop/front:2")),
        (builder, ("copy", archive, "HOST/shops/front:1")),
        (builder, ("copy", archive, "HOST/front:1")),
        ("", ("inspect", "HOST/shop/front:1")),
        ("", ("copy", archive, "HOST/shop/front:2")),
        ("no-token", ("inspect", "HOST/shop/front:1")),
    ):
        status, said = await stage.skopeo(token, *words)
        assert status != 0, (words, said)
        assert "unauthorized" in said or "denied" in said or "authentication required" in said, said

    # Another namespace may be let pull; the right ends with the role.
    await stage.bind("shop", PULLER, account("shops", "deployer"))
    other = await stage.token("shops", "deployer")
    status, said = await stage.skopeo(other, "inspect", "HOST/shop/front:1")
    assert status == 0, said
    await stage.unbind("shop", PULLER)
    status, said = await stage.skopeo(other, "inspect", "HOST/shop/front:1")
    assert status != 0, said


async def test_images_outlive_the_registry_and_go_when_they_are_deleted(stage: Stage) -> None:
    await stage.namespace("kept", "builder")
    await stage.bind("kept", PUSHER, account("kept", "builder"))
    token = await stage.token("kept", "builder")
    archive, digest = stage.image("kept")
    status, said = await stage.skopeo(token, "copy", archive, "HOST/kept/base/os:1")
    assert status == 0, said
    stage.stop()
    await stage.start()
    status, said = await stage.skopeo(token, "inspect", "--format={{.Digest}}", "HOST/kept/base/os:1")
    assert (status, said.strip()) == (0, digest)
    status, said = await stage.skopeo(token, "delete", "HOST/kept/base/os:1")
    assert status == 0, said
    status, said = await stage.skopeo(token, "inspect", "HOST/kept/base/os:1")
    assert status != 0, said
    assert "unknown" in said, said


async def test_without_a_token_nothing_is_told(stage: Stage) -> None:
    paths = ("/v2/", "/v2/_catalog", "/auth/token", "/debug/vars")
    assert [stage.status(each) for each in paths] == [401, 401, 401, 404]
