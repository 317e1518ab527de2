"""The registry of images in a platform file."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from causeway.rooms.platforms.records import LABEL, Name, Record, Violation, Violations, Zone

OLDEST_MINOR = 34  # the first minor release whose kubelet shows a pod's service account to a registry


_CRON = r"^[-0-9*/,]+( [-0-9*/,A-Za-z]+){4}$"


class Bucket(Record):
    """A bucket that exists, and where its keys are."""

    endpoint: Annotated[str, Field(max_length=253, pattern=r"^https?://\S+$")] = Field(
        description="URL of the object store."
    )
    bucket: Annotated[str, Field(min_length=3, max_length=63, pattern=r"^[a-z0-9][-.a-z0-9]+$")] = Field(
        description="Name of the bucket, which is not made."
    )
    region: Name = Field("us-east-1", description="Region that requests are signed for.")
    secret: Annotated[str, Field(min_length=1, max_length=63, pattern=LABEL)] = Field(
        "causeway-registry-s3",
        description="Secret in kube-system with the keys access-key and secret-key.",
    )


class Collecting(Record):
    """When what no image needs is deleted, and which images are."""

    schedule: Annotated[str, Field(max_length=100, pattern=_CRON)] = Field(
        "0 3 * * *", description="When, as cron writes it, in UTC."
    )
    untagged: Literal["keep", "delete"] = Field(
        "keep", description="What becomes of images whose tag has gone over to another."
    )


class Registry(Record):
    """A registry that pods' images are pushed to and pulled from."""

    storage: Literal["cinder", "swift", "s3"] = Field(
        description="Where images are: on a volume of the cloud, in its object store, or in a bucket."
    )
    size: Annotated[int, Field(ge=1, le=16384)] = Field(20, description="Size of the volume in GiB.")
    s3: Bucket | None = Field(None, description="The bucket; with storage s3 alone.")
    host: Zone | None = Field(None, description="Host images are named by; registry.SUFFIX without it.")
    quota: Annotated[int, Field(ge=1, le=1 << 20)] | None = Field(
        None, description="GiB that the images of a namespace may take; as much as there is without it."
    )
    collect: Collecting = Field(Collecting(), description="When unused blobs are deleted.")
    image: Name = Field("localhost/registry:v3.1.1", description="Image of the registry's program.")

    @model_validator(mode="after")
    def _bucket_where_needed(self) -> "Registry":
        if (self.s3 is not None) != (self.storage == "s3"):
            found = f"storage {self.storage} {'without' if self.s3 is None else 'with'} s3"
            raise Violations([Violation((), "storage s3 together with s3", found)])
        return self
