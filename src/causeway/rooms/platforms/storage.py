"""What a platform file says of the drivers by which claims get volumes and shares of the cloud."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from causeway.rooms.platforms.records import LABEL, Name, Record, Violation, Violations

VOLUME_CLASS = "cinder"
"""The StorageClass of volumes."""

ClassName = Annotated[str, Field(max_length=63, pattern=LABEL)]


class Sidecars(Record):
    """Where nodes find the images of Kubernetes' own companions of a volume driver."""

    provisioner: Name = Field("localhost/csi-provisioner:v6.3.0", description="Image of csi-provisioner.")
    attacher: Name = Field("localhost/csi-attacher:v4.12.0", description="Image of csi-attacher.")
    resizer: Name = Field("localhost/csi-resizer:v2.2.0", description="Image of csi-resizer.")
    snapshotter: Name = Field("localhost/csi-snapshotter:v8.6.0", description="Image of csi-snapshotter.")
    snapshot_controller: Name = Field(
        "localhost/snapshot-controller:v8.6.0", description="Image of snapshot-controller."
    )


class VolumeDriver(Record):
    """Volumes of the cloud for claims of pods."""

    install: bool = Field(True, description="Whether the driver and a StorageClass are put in.")
    type: Name | None = Field(
        None, description="Volume type of the StorageClass; the cloud's default without it."
    )
    sidecars: Sidecars = Field(
        default_factory=Sidecars, description="Images of the driver's companions, from a node image of ours."
    )


class ShareClass(Record):
    """A StorageClass of shares."""

    protocol: Literal["NFS", "CEPHFS"] = Field(description="How nodes mount its shares.")
    type: Name | None = Field(None, description="Share type; the cloud's default without it.")


class ShareDriver(Record):
    """Shares of the cloud for claims of pods on several nodes."""

    classes: Annotated[dict[ClassName, ShareClass], Field(min_length=1)] = Field(
        description="The StorageClasses of shares, by their names."
    )

    @field_validator("classes")
    @classmethod
    def _not_the_volumes(cls, classes: dict[str, ShareClass]) -> dict[str, ShareClass]:
        if VOLUME_CLASS in classes:
            expected = f"another name than that of the StorageClass of volumes, {VOLUME_CLASS}"
            raise Violations([Violation((VOLUME_CLASS,), expected, VOLUME_CLASS)])
        return classes
