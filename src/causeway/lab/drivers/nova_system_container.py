"""Nova's virt driver for servers that are system containers of the machine the lab runs on.

The driver decides nothing and remembers nothing: it turns Nova's words into requests to the lab's agent (one
JSON object each way over a unix socket), which knows what exists and what runs. So a restart of nova-compute
finds everything as it is.

An image must be a tar archive of a root file system with an init, in Glance's file store (disk format raw).
"""
# The signatures are Nova's: they have what some driver needs, and this one needs little of it.
# ruff: noqa: ARG002, PLR0917

import base64
import json
import os
import platform
import socket
import time
from pathlib import Path

import nova.conf
import os_resource_classes as orc
from nova import exception, utils
from nova.api.metadata import base as instance_metadata
from nova.compute import power_state
from nova.objects import fields
from nova.virt import driver, hardware
from nova.virt import event as virtevent
from oslo_log import log as logging
from oslo_utils import versionutils

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

SOCKET = "/run/causeway/servers.sock"
# Seconds to go on trying when the agent is not there: it may be in a restart of its own.
CONNECT_DEADLINE = 30
# How often the states of all servers are asked for, to notice one that powered itself off.
WATCH_INTERVAL = 2
STATES = {"running": power_state.RUNNING, "off": power_state.SHUTDOWN}


class AgentError(exception.NovaException):
    """The agent could not do what it was asked; ``kind`` is "image", "problem" or "defect"."""

    msg_fmt = "%(reason)s"

    def __init__(self, kind, reason):
        super().__init__(reason=reason)
        self.kind = kind


def ask(op, **arguments):
    """Return the agent's answer to a request; raises AgentError."""
    with _connected() as connection:
        connection.sendall(json.dumps({"op": op, **arguments}).encode() + b"\n")
        with connection.makefile("rb") as answers:
            line = answers.readline()
    if not line:
        raise AgentError("problem", f"the lab's server agent ended during {op}")
    answer = json.loads(line)
    if "error" in answer:
        raise AgentError(answer["error"]["kind"], answer["error"]["message"])
    return answer["ok"]


def _connected():
    deadline = time.monotonic() + CONNECT_DEADLINE
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(SOCKET)
        except OSError as error:
            connection.close()
            if time.monotonic() > deadline:
                raise AgentError("problem", f"the lab's server agent does not answer: {error}") from error
            time.sleep(0.2)
        else:
            return connection


class SystemContainerDriver(driver.ComputeDriver):
    """One hypervisor, the machine itself; its servers are system containers."""

    capabilities = {  # noqa: RUF012  # as Nova's base class has it
        **driver.ComputeDriver.capabilities,
        "has_imagecache": True,
        "supports_attach_interface": True,
        "supports_extend_volume": True,
        "supports_image_type_raw": True,
        "supports_multiattach": True,
    }

    def __init__(self, virtapi):
        super().__init__(virtapi)
        self._seen = {}

    # The host

    def init_host(self, host):
        """Wait for the agent, remember what runs, and watch it from now on."""
        self._seen = ask("list")
        utils.spawn(self._watch)

    def _watch(self):
        """Tell Nova of a server that went off or on by itself; its own look comes every ten minutes."""
        events = {
            "off": virtevent.EVENT_LIFECYCLE_STOPPED,
            "running": virtevent.EVENT_LIFECYCLE_STARTED,
        }
        while True:
            time.sleep(WATCH_INTERVAL)
            try:
                now = ask("list")
                for server, state in now.items():
                    if self._seen.get(server, state) != state:
                        self.emit_event(virtevent.LifecycleEvent(server, events[state]))
                self._seen = now
            except Exception:
                LOG.exception("The states of the servers are not known")

    def get_available_nodes(self, refresh=False):
        """Return the one node, called as the host."""
        return [CONF.host]

    def get_available_resource(self, nodename):
        """Return what the machine has; what is used Nova counts by itself from its instances."""
        memory, free = _memory_mb()
        disk = os.statvfs(CONF.state_path)
        total_gb = disk.f_blocks * disk.f_frsize >> 30
        free_gb = disk.f_bavail * disk.f_frsize >> 30
        architecture = fields.Architecture.canonicalize(platform.machine())
        return {
            "vcpus": os.cpu_count(),
            "memory_mb": memory,
            "local_gb": total_gb,
            "vcpus_used": 0,
            "memory_mb_used": memory - free,
            "local_gb_used": total_gb - free_gb,
            "hypervisor_type": "system-container",
            "hypervisor_version": versionutils.convert_version_to_int("1.0"),
            "hypervisor_hostname": nodename,
            "cpu_info": json.dumps({"arch": architecture}),
            "disk_available_least": free_gb,
            "supported_instances": [(architecture, "lxc", fields.VMMode.EXE)],
            "numa_topology": None,
        }

    def update_provider_tree(self, provider_tree, nodename, allocations=None):
        """Tell Placement the machine's real size; how far it is overcommitted is configuration."""
        ratios = self._get_allocation_ratios(provider_tree.data(nodename).inventory)
        found = self.get_available_resource(nodename)
        reserved = {
            orc.VCPU: CONF.reserved_host_cpus,
            orc.MEMORY_MB: CONF.reserved_host_memory_mb,
            orc.DISK_GB: self._get_reserved_host_disk_gb_from_config(),
        }
        totals = {
            orc.VCPU: found["vcpus"],
            orc.MEMORY_MB: found["memory_mb"],
            orc.DISK_GB: found["local_gb"],
        }
        inventory = {
            name: {
                "total": total,
                "min_unit": 1,
                "max_unit": total,
                "step_size": 1,
                "allocation_ratio": ratios[name],
                "reserved": reserved[name],
            }
            for name, total in totals.items()
        }
        provider_tree.update_inventory(nodename, inventory)

    def get_host_ip_addr(self):
        """Return the address of the host."""
        return CONF.my_ip

    def get_host_uptime(self):
        """Return what ``uptime`` would print, without its users and load."""
        hours = float(Path("/proc/uptime").read_text().split()[0]) / 3600
        return f"up {hours:.1f} hours"

    def manage_image_cache(self, context, all_instances):
        """Remove unpacked images no server has been made of for a while."""
        used = sorted({each.image_ref for each in all_instances if each.image_ref})
        age = CONF.image_cache.remove_unused_original_minimum_age_seconds
        ask("prune-images", used=used, minimum_age=age)

    def cache_image(self, context, image_id):
        """Unpack an image before a server needs it; says whether there was something to do."""
        return ask("unpack-image", image=image_id)

    # What exists

    def list_instances(self):
        """Return the servers; they have no name but their UUID."""
        return self.list_instance_uuids()

    def list_instance_uuids(self):
        """Return the UUIDs of all servers."""
        return list(ask("list"))

    def instance_exists(self, instance):
        """Return whether the server exists here."""
        return instance.uuid in ask("list")

    def instance_on_disk(self, instance):
        """Return whether the server's files exist here."""
        return self.instance_exists(instance)

    def get_info(self, instance, use_cache=True):
        """Return whether the server is on; raises InstanceNotFound."""
        state = ask("list").get(instance.uuid)
        if state is None:
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        return hardware.InstanceInfo(state=STATES[state])

    def get_console_output(self, context, instance):
        """Return the end of the console log; plain ASCII, as Nova's API takes nothing else."""
        return ask("console", id=instance.uuid)

    # Life and death

    def spawn(
        self,
        context,
        instance,
        image_meta,
        injected_files,
        admin_password,
        allocations,
        network_info=None,
        block_device_info=None,
        power_on=True,
        accel_info=None,
    ):
        """Create the server and start it. There is one host, so every failure is the build's last word."""
        if not instance.image_ref:
            raise exception.BuildAbortException(
                instance_uuid=instance.uuid, reason="this host boots servers from images, not from volumes"
            )
        try:
            ask("unpack-image", image=instance.image_ref)
            ask(
                "spawn",
                id=instance.uuid,
                hostname=instance.hostname,
                image=instance.image_ref,
                memory_mb=instance.flavor.memory_mb,
                vcpus=instance.flavor.vcpus,
                files=_config_drive(instance, injected_files, admin_password, network_info),
                interfaces=[_interface(vif) for vif in network_info or []],
                volumes=_volumes(block_device_info),
                power_on=power_on,
            )
        except AgentError as error:
            if error.kind == "image":
                raise exception.ImageUnacceptable(
                    image_id=instance.image_ref, reason=error.format_message()
                ) from error
            raise exception.BuildAbortException(
                instance_uuid=instance.uuid, reason=error.format_message()
            ) from error

    def destroy(
        self,
        context,
        instance,
        network_info,
        block_device_info=None,
        destroy_disks=True,
        destroy_secrets=True,
    ):
        """End the server and remove all of it; one that does not exist is no error."""
        ask("destroy", id=instance.uuid)

    def cleanup(self, context, instance, network_info, *args, **kwargs):
        """Remove what a failed build left."""
        ask("destroy", id=instance.uuid)

    def power_off(self, instance, timeout=0, retry_interval=0):
        """Ask the server to power off, and end it after ``timeout`` seconds."""
        ask("stop", id=instance.uuid, timeout=timeout)

    def power_on(
        self,
        context,
        instance,
        network_info,
        block_device_info=None,
        accel_info=None,
        share_info=None,
    ):
        """Start the server with the devices it had."""
        ask("start", id=instance.uuid)

    def reboot(
        self,
        context,
        instance,
        network_info,
        reboot_type,
        block_device_info=None,
        bad_volumes_callback=None,
        accel_info=None,
        share_info=None,
    ):
        """Reboot: softly by asking, hard (or when asking does not help) by ending and starting it."""
        timeout = CONF.shutdown_timeout if reboot_type.upper() == "SOFT" else 0
        ask("reboot", id=instance.uuid, timeout=timeout)

    def resume_state_on_host_boot(
        self,
        context,
        instance,
        network_info,
        share_info,
        block_device_info=None,
    ):
        """Start a server that ran when the lab went down."""
        ask("start", id=instance.uuid)

    # Devices

    def plug_vifs(self, instance, network_info):
        """Do nothing: a server plugs its interfaces whenever it starts."""

    def unplug_vifs(self, instance, network_info):
        """Do nothing: a server that is off holds no interfaces."""

    def attach_interface(self, context, instance, image_meta, vif):
        """Add an interface, at once when the server is on."""
        ask("plug", id=instance.uuid, interface=_interface(vif))

    def detach_interface(self, context, instance, vif):
        """Remove an interface."""
        ask("unplug", id=instance.uuid, port=vif["id"])

    def get_volume_connector(self, instance):
        """Return who connects to volumes: the one host."""
        return {"ip": CONF.my_ip, "host": CONF.host, "initiator": ""}

    def default_root_device_name(self, instance, image_meta, root_bdm):
        """Return the name volumes are counted from; the root itself is no block device."""
        return "/dev/vda"

    def attach_volume(
        self,
        context,
        connection_info,
        instance,
        mountpoint,
        disk_bus=None,
        device_type=None,
        encryption=None,
    ):
        """Show the volume in the server as /dev/vdX and /dev/disk/by-id/virtio-<id>."""
        ask("attach-volume", id=instance.uuid, volume=_volume(connection_info, mountpoint))

    def detach_volume(self, context, connection_info, instance, mountpoint, encryption=None):
        """Take the volume from the server."""
        ask("detach-volume", id=instance.uuid, serial=_serial(connection_info))

    def extend_volume(self, context, connection_info, instance, requested_size):
        """Show the volume's new size in the server."""
        ask("resize-volume", id=instance.uuid, serial=_serial(connection_info))


def _config_drive(instance, injected_files, admin_password, network_info):
    metadata = instance_metadata.InstanceMetadata(
        instance,
        content=injected_files,
        extra_md={"admin_pass": admin_password} if admin_password else {},
        network_info=network_info,
    )
    files = {}
    for path, content in metadata.metadata_for_config_drive():
        data = content if isinstance(content, bytes) else content.encode()
        files[path] = base64.b64encode(data).decode()
    return files


def _interface(vif):
    mtu = vif["network"].get_meta("mtu") or 1500
    return {"port": vif["id"], "mac": vif["address"], "mtu": int(mtu)}


def _volumes(block_device_info):
    mapping = driver.block_device_info_get_mapping(block_device_info)
    return [_volume(each["connection_info"], each["mount_device"]) for each in mapping]


def _volume(connection_info, mountpoint):
    if connection_info.get("driver_volume_type") != "local":
        kind = connection_info.get("driver_volume_type")
        raise exception.InvalidVolume(reason=f"volumes of kind {kind} cannot be attached on this host")
    return {
        "device": Path(mountpoint).name,
        "path": connection_info["data"]["device_path"],
        "serial": _serial(connection_info),
    }


def _serial(connection_info):
    return connection_info.get("serial") or connection_info["data"]["volume_id"]


def _memory_mb():
    """Return the machine's memory and how much of it is available, in MiB."""
    found = {}
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        found[name] = int(rest.split()[0]) >> 10
    return found["MemTotal"], found["MemAvailable"]
