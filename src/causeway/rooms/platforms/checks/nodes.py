"""Checks of what servers are made from: images, flavors and volume types."""

from collections.abc import Iterator

from causeway.kit.errors import Finding
from causeway.rooms.platforms.checks import Check, Remark, blocker, listing, unreadable, warning
from causeway.rooms.platforms.facts import CloudFacts, Image, Volumes
from causeway.rooms.platforms.model import Platform, Pool
from causeway.rooms.platforms.need import Flavor

VERSION_PROPERTY = "causeway_kubernetes_version"  # set on every node image when it is built
MASTER_CORES = 2  # kubeadm refuses a control plane with fewer
MASTER_RAM = 2048  # MiB
NODE_RAM = 1024  # MiB; less runs, but hardly any pod


def images(platform: Platform, facts: CloudFacts) -> Check:
    """Judge whether each pool's image exists once, can be used and holds the wanted Kubernetes."""
    if isinstance(facts.images, Finding):
        return unreadable("images", facts.images)
    remarks: list[Remark] = []
    for place, name in _once(platform, "image"):
        remarks += _image_remarks(place, name, _named(name, facts.images), platform)
    return Check("images", listing({pool.image for pool in platform.spec.pools}), tuple(remarks))


def _image_remarks(place: str, name: str, found: list[Image], platform: Platform) -> Iterator[Remark]:
    if not found:
        remedy = "Upload a node image, or name one of `openstack image list`."
        yield blocker(place, f"there is no image {name} for this project", remedy)
    elif len(found) > 1:
        remedy = f"Write the ID of one: {listing(image.id for image in found)}."
        yield blocker(place, f"{len(found)} images have the name {name}", remedy)
    else:
        image, wanted = found[0], platform.spec.kubernetes.version
        if image.status != "active":
            yield blocker(
                place, f"image {name} is {image.status}, not active", "Wait for it, or upload it again."
            )
        version = image.properties.get(VERSION_PROPERTY)
        if version is None:
            remedy = f"Use a node image; those have the property {VERSION_PROPERTY}."
            yield blocker(place, f"image {name} does not say which Kubernetes it holds", remedy)
        elif version != wanted:
            remedy = f"Write version: {version}, or use an image of {wanted}."
            yield blocker(
                place, f"image {name} holds Kubernetes {version}, the platform wants {wanted}", remedy
            )


def flavors(platform: Platform, facts: CloudFacts) -> Check:
    """Judge whether each pool's flavor exists and is large enough for its role and its image."""
    if isinstance(facts.compute, Finding):
        return unreadable("flavors", facts.compute)
    remarks: list[Remark] = []
    for index, pool in enumerate(platform.spec.pools):
        place = f"spec.pools[{index}].flavor"
        flavor = find_flavor(pool.flavor, facts.compute.flavors)
        if flavor is None:
            known = listing(each.name for each in facts.compute.flavors)
            remarks.append(blocker(place, f"there is no flavor {pool.flavor}", f"Use one of: {known}."))
        else:
            remarks += _size_remarks(place, pool, flavor)
            images = () if isinstance(facts.images, Finding) else facts.images
            for image in _named(pool.image, images)[:1]:
                remarks += _fit_remarks(place, flavor, image)
    return Check("flavors", listing({pool.flavor for pool in platform.spec.pools}), tuple(remarks))


def _size_remarks(place: str, pool: Pool, flavor: Flavor) -> Iterator[Remark]:
    if pool.role == "master":
        if flavor.cores < MASTER_CORES:
            cause = f"flavor {flavor.name} has {flavor.cores} core, a master needs {MASTER_CORES}"
            yield blocker(place, cause, "Use a larger flavor.")
        if flavor.ram < MASTER_RAM:
            cause = f"flavor {flavor.name} has {flavor.ram} MiB of RAM, a master needs {MASTER_RAM}"
            yield blocker(place, cause, "Use a larger flavor.")
    elif flavor.ram < NODE_RAM:
        cause = f"flavor {flavor.name} has {flavor.ram} MiB of RAM, which leaves little for pods"
        yield warning(place, cause, f"Use a flavor of {NODE_RAM} MiB or more.")


def _fit_remarks(place: str, flavor: Flavor, image: Image) -> Iterator[Remark]:
    if 0 < flavor.disk < image.min_disk:
        cause = f"flavor {flavor.name} has {flavor.disk} GiB of disk, {image.name} asks for {image.min_disk}"
        yield blocker(place, cause, "Use a flavor with a larger disk.")
    if flavor.ram < image.min_ram:
        cause = f"flavor {flavor.name} has {flavor.ram} MiB of RAM, {image.name} asks for {image.min_ram}"
        yield blocker(place, cause, "Use a flavor with more RAM.")


def volume_types(platform: Platform, facts: CloudFacts) -> Check:
    """Judge whether the volume types exist."""
    if isinstance(facts.volumes, Finding):
        return unreadable("volume types", facts.volumes)
    remarks = tuple(_type_remarks(platform, facts.volumes))
    asked = {pool.container_storage.type for pool in platform.spec.pools if pool.container_storage}
    if platform.spec.volumes.install:
        asked.add(platform.spec.volumes.type)
    return Check("volume types", listing(each or "the default" for each in asked), remarks)


def _type_remarks(platform: Platform, volumes: Volumes) -> Iterator[Remark]:
    for index, pool in enumerate(platform.spec.pools):
        wanted = pool.container_storage.type if pool.container_storage else None
        if wanted and wanted not in volumes.types:
            place = f"spec.pools[{index}].containerStorage.type"
            remedy = f"Use one of: {listing(volumes.types)}; without type, the cloud's default is used."
            yield blocker(place, f"there is no volume type {wanted}", remedy)
    claims = platform.spec.volumes
    if claims.install and claims.type and claims.type not in volumes.types:
        remedy = f"Use one of: {listing(volumes.types)}; without type, the cloud's default is used."
        yield blocker("spec.volumes.type", f"there is no volume type {claims.type}", remedy)


def find_flavor(name: str, flavors: tuple[Flavor, ...]) -> Flavor | None:
    """Return the flavor with that ID or name."""
    return next((flavor for flavor in flavors if name in (flavor.id, flavor.name)), None)


def _named(name: str, images: tuple[Image, ...]) -> list[Image]:
    by_id = [image for image in images if image.id == name]
    return by_id or [image for image in images if image.name == name]


def _once(platform: Platform, key: str) -> Iterator[tuple[str, str]]:
    """Yield each different value of a pool's key with the place of its first use."""
    seen = set()
    for index, pool in enumerate(platform.spec.pools):
        value = getattr(pool, key)
        if value not in seen:
            seen.add(value)
            yield f"spec.pools[{index}].{key}", value
