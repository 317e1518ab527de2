"""What the Controller services of all drivers have in common: a cloud, and the room's work upon it."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import ClassVar

from causeway.cloud import errors
from causeway.cloud.session import Cloud
from causeway.kit.errors import Problem
from causeway.serve.csi import server
from causeway.serve.csi.settings import ControllerSettings
from causeway.serve.csi.spec import csi_pb2 as csi

Can = csi.ControllerServiceCapability.RPC


class ControllerService:
    """A Controller service, by what it can do."""

    capabilities: ClassVar[Sequence[csi.ControllerServiceCapability.RPC.Type]]

    async def controller_get_capabilities(
        self, _: csi.ControllerGetCapabilitiesRequest
    ) -> csi.ControllerGetCapabilitiesResponse:
        """Return what the controller can do."""
        return csi.ControllerGetCapabilitiesResponse(
            capabilities=[csi.ControllerServiceCapability(rpc=Can(type=each)) for each in self.capabilities]
        )


Begin = Callable[[Cloud, AsyncExitStack], Awaitable[ControllerService]]
"""Makes a service that works in a cloud, and leaves to the stack what is to be closed when it ends."""


def run(name: str, settings: ControllerSettings, begin: Begin) -> None:
    """Run the service that ``begin`` makes, as process ``name``, until SIGTERM or SIGINT.

    Raises ``Problem`` when the cloud cannot be signed in to, or the socket cannot be had.
    """
    server.run(name, _serve(settings, begin))


async def _serve(settings: ControllerSettings, begin: Begin) -> None:
    try:
        cloud = await Cloud.open(settings.cloud, settings.clouds_file)
    except errors.CloudError as error:
        raise Problem.of(f"cloud {settings.cloud}", str(error), error.remedy) from error
    async with cloud, AsyncExitStack() as ending:
        await server.serve(settings.common, Controller=await begin(cloud, ending))
