"""Cinder's driver for volumes that are sparse files of the lab's directory, with real bytes in them.

The connection is of type ``local``: whoever attaches sees the file itself and makes a block device of it.
"""
# The signatures are Cinder's: they have what some driver needs, and this one needs little of it.
# ruff: noqa: ARG002

import os
import pathlib

from cinder import exception, interface
from cinder.image import image_utils
from cinder.volume import driver, volume_utils
from oslo_concurrency import processutils

DIRECTORY = pathlib.Path("/var/lib/causeway/volumes")
BLOCK_SIZE = "1M"


@interface.volumedriver
class FileDriver(driver.VolumeDriver):
    """One file per volume or snapshot, called as Cinder calls it."""

    VERSION = "1.0"
    CI_WIKI_NAME = "None"

    def do_setup(self, context):
        """Make the directory of volumes."""
        DIRECTORY.mkdir(mode=0o700, parents=True, exist_ok=True)

    def check_for_setup_error(self):
        """Refuse a directory that cannot be written."""
        if not os.access(DIRECTORY, os.W_OK):
            raise exception.VolumeBackendAPIException(data=f"{DIRECTORY} cannot be written")

    # Volumes

    def create_volume(self, volume):
        """Make an empty file of the volume's size; it takes space as it is written."""
        _resize(_file(volume), volume["size"])

    def create_volume_from_snapshot(self, volume, snapshot):
        """Copy a snapshot's file."""
        _copy(_file(snapshot), _file(volume), volume["size"])

    def create_cloned_volume(self, volume, src_vref):
        """Copy another volume's file."""
        _copy(_file(src_vref), _file(volume), volume["size"])

    def extend_volume(self, volume, new_size):
        """Let the file grow to ``new_size`` GiB."""
        _resize(_file(volume), new_size)

    def delete_volume(self, volume):
        """Remove the file; one that is gone is no error."""
        _file(volume).unlink(missing_ok=True)

    def retype(self, context, volume, new_type, diff, host):
        """Say that the volume is of the new type: a file is the same under every type, but for encryption."""
        return not any(old != new for old, new in diff["encryption"].values())

    # Snapshots

    def create_snapshot(self, snapshot):
        """Copy the volume's file as it is now."""
        _copy(_file(snapshot["volume"]), _file(snapshot), snapshot["volume_size"])

    def delete_snapshot(self, snapshot):
        """Remove the snapshot's file; one that is gone is no error."""
        _file(snapshot).unlink(missing_ok=True)

    def revert_to_snapshot(self, context, volume, snapshot):
        """Put the snapshot's bytes back into the volume."""
        _copy(_file(snapshot), _file(volume), volume["size"])

    # Images

    def copy_image_to_volume(self, context, volume, image_service, image_id, disable_sparse=False):
        """Write an image into the volume, converted to raw."""
        image_utils.fetch_to_raw(
            context,
            image_service,
            image_id,
            str(_file(volume)),
            BLOCK_SIZE,
            size=volume["size"],
            disable_sparse=disable_sparse,
        )
        _resize(_file(volume), volume["size"])

    def copy_volume_to_image(self, context, volume, image_service, image_meta):
        """Upload the volume's bytes as an image."""
        volume_utils.upload_volume(context, image_service, image_meta, str(_file(volume)), volume)

    # Attachment

    def initialize_connection(self, volume, connector, **kwargs):
        """Return where the file is, and have it as large as the volume.

        cinder-backup truncates what it writes to, and leaves out the zeros at its end.
        """
        _resize(_file(volume), volume["size"])
        return {
            "driver_volume_type": "local",
            "data": {"device_path": str(_file(volume)), "volume_id": volume["id"]},
        }

    def terminate_connection(self, volume, connector, **kwargs):
        """Do nothing: a file needs no farewell."""

    def ensure_export(self, context, volume):
        """Do nothing: the file is there for whoever is on this machine."""

    def create_export(self, context, volume, connector):
        """Do nothing, as ``ensure_export``."""

    def remove_export(self, context, volume):
        """Do nothing, as ``ensure_export``."""

    def _update_volume_stats(self):
        space = os.statvfs(DIRECTORY)
        written = sum(path.stat().st_size for path in DIRECTORY.iterdir())
        self._stats = {
            "volume_backend_name": self.configuration.safe_get("volume_backend_name") or "file",
            "vendor_name": "Causeway",
            "driver_version": self.VERSION,
            "storage_protocol": "file",
            "total_capacity_gb": space.f_blocks * space.f_frsize / (1 << 30),
            "free_capacity_gb": space.f_bavail * space.f_frsize / (1 << 30),
            "provisioned_capacity_gb": written / (1 << 30),
            # Files are sparse: what is promised may exceed what there is, as far as the operator allows.
            "thin_provisioning_support": True,
            "thick_provisioning_support": False,
            "max_over_subscription_ratio": self.configuration.max_over_subscription_ratio,
            "reserved_percentage": 0,
            # Several servers may have the file; what they write meets in it, not in their caches.
            "multiattach": True,
            "QoS_support": False,
        }


def _file(entry):
    return DIRECTORY / entry["name"]


def _resize(path, size_gb):
    with path.open("ab") as file:
        file.truncate(size_gb << 30)
    path.chmod(0o600)


def _copy(source, target, size_gb):
    """Copy only what was written; holes stay holes."""
    processutils.execute("cp", "--sparse=always", "--reflink=auto", str(source), str(target))
    _resize(target, size_gb)
