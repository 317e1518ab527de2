"""The driver's name and abilities, the same from both services."""

from google.protobuf import wrappers_pb2

from causeway import __version__
from causeway.serve.csi.settings import Common
from causeway.serve.csi.spec import csi_pb2 as csi


class Identity:
    """The Identity service."""

    def __init__(self, settings: Common) -> None:
        self._settings = settings

    async def get_plugin_info(self, _: csi.GetPluginInfoRequest) -> csi.GetPluginInfoResponse:
        """Return the driver's name, which StorageClasses and PersistentVolumes carry."""
        return csi.GetPluginInfoResponse(name=self._settings.driver, vendor_version=__version__)

    async def get_plugin_capabilities(
        self, _: csi.GetPluginCapabilitiesRequest
    ) -> csi.GetPluginCapabilitiesResponse:
        """Return what the driver can do in general."""
        service = csi.PluginCapability.Service
        services = [service.CONTROLLER_SERVICE]
        if self._settings.zones:
            services.append(service.VOLUME_ACCESSIBILITY_CONSTRAINTS)
        expansion = csi.PluginCapability.VolumeExpansion
        return csi.GetPluginCapabilitiesResponse(
            capabilities=[
                *(csi.PluginCapability(service=service(type=each)) for each in services),
                csi.PluginCapability(volume_expansion=expansion(type=expansion.ONLINE)),
            ]
        )

    async def probe(self, _: csi.ProbeRequest) -> csi.ProbeResponse:
        """Say that the driver is ready. The cloud is not asked: restarting would not mend it."""
        return csi.ProbeResponse(ready=wrappers_pb2.BoolValue(value=True))
