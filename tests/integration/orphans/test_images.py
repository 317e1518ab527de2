"""Images of a platform that is gone: told with proof, and deleted only when data may go; others never are."""

import json
import uuid

from openstack.connection import Connection
from tests.integration.kube_api import KubeApi
from tests.integration.orphans.conftest import Scene

from causeway.kube.client import Client
from causeway.rooms.platforms import image_store

SOMEBODY = "5d8c0e6f1b2a4c3d9e7f0a1b2c3d4e5f"  # a user of nobody here


def containers(cloud: Connection) -> set[str]:
    return {each.name for each in cloud.object_store.containers()}


async def test_images_go_with_a_word_of_their_own_and_with_the_keys_for_them(
    scene: Scene, kube: Client, kube_api: KubeApi
) -> None:
    del kube
    cloud = scene.project.cloud
    alive, gone = (image_store.ensure(cloud, each) for each in (scene.alive, scene.gone))
    for each in (alive.container, gone.container, f"{gone.container}+segments"):
        cloud.object_store.put(f"/{each}")
        cloud.object_store.put(f"/{each}/docker/registry/v2/a b", data=b"x")
    mark = {image_store.mark_of(image_store.access_of(scene.gone, SOMEBODY)): SOMEBODY}
    cloud.object_store.post(f"/{gone.container}", headers=mark)
    # A name alone says nothing: what is in it may be anything.
    named = image_store.container_of(str(uuid.uuid4()))
    cloud.object_store.put(f"/{named}", headers={"X-Container-Meta-Causeway-Cluster": scene.gone})
    foreign = {named, "images"}
    cloud.object_store.put("/images")
    all_there = {alive.container, gone.container, f"{gone.container}+segments", *foreign}
    try:
        status, answer = scene.causeway("--delete", "--older-than", "0", kubeconfig=kube_api.kubeconfig)
        told = {each["id"]: each for each in answer["orphans"]}
        assert (status, set(told)) == (1, {gone.container, *keys(scene)})
        assert told[gone.container]["proof"].startswith(f"cluster {scene.gone} is gone")
        assert containers(cloud) == all_there  # its cluster was not named

        status, answer = scene.causeway("--cluster", scene.gone, "--delete", "--older-than", "0")
        told = {each["id"]: each for each in answer["orphans"]}
        assert "--delete-volumes" in told[gone.container]["kept"]
        assert told[gone.access]["deleted"]
        assert containers(cloud) == all_there
        assert gone.access not in credentials(cloud)

        words = ("--cluster", scene.gone, "--delete", "--delete-volumes", "--older-than", "0")
        status, answer = scene.causeway(*words)
        told = {each["id"]: each for each in answer["orphans"]}
        (others,) = keys(scene) - {gone.access}
        assert f"--user {SOMEBODY}" in told[others]["kept"]  # only he and administrators may
        assert (status, told[gone.container]["deleted"]) == (1, True)
        assert containers(cloud) == {alive.container, *foreign}

        status, answer = scene.causeway(kubeconfig=kube_api.kubeconfig)
        assert (status, answer["orphans"], answer["unseen"]) == (0, [], [])
        assert alive.access in credentials(cloud)
    finally:
        for each in (scene.alive, scene.gone):
            image_store.revoke(cloud, each)
            image_store.delete(cloud, each)
        for name in foreign:
            cloud.object_store.delete(f"/{name}")


def keys(scene: Scene) -> set[str]:
    cloud = scene.project.cloud
    return {image_store.access_of(scene.gone, each) for each in (str(cloud.current_user_id), SOMEBODY)}


def credentials(cloud: Connection) -> set[str]:
    """Return the access keys this user has."""
    query = {"user_id": cloud.current_user_id, "type": "ec2"}
    found = cloud.identity.get("/credentials", params=query).json()["credentials"]
    return {json.loads(each["blob"])["access"] for each in found}
