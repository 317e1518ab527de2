"""Making the driver known to its node's kubelet, by version 1 of the kubelet's registration of plugins.

The kubelet watches a directory for sockets, asks at each what it is, dials the driver, and makes what the
driver tells of the node a CSINode object. It asks again after a failure, so there is nothing to repeat here.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import structlog
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from causeway.serve.csi.settings import Common

log = structlog.get_logger()

DIRECTORY = "CAUSEWAY_CSI_REGISTRATION"
"""The variable that says where the kubelet looks; without it nobody is told."""

_PACKAGE = "pluginregistration"
_KIND, _VERSIONS = "CSIPlugin", ("1.0.0",)
_Field = descriptor_pb2.FieldDescriptorProto
_MESSAGES = {
    "InfoRequest": (),
    "PluginInfo": (
        ("type", _Field.TYPE_STRING, _Field.LABEL_OPTIONAL),
        ("name", _Field.TYPE_STRING, _Field.LABEL_OPTIONAL),
        ("endpoint", _Field.TYPE_STRING, _Field.LABEL_OPTIONAL),
        ("supported_versions", _Field.TYPE_STRING, _Field.LABEL_REPEATED),
    ),
    "RegistrationStatus": (
        ("plugin_registered", _Field.TYPE_BOOL, _Field.LABEL_OPTIONAL),
        ("error", _Field.TYPE_STRING, _Field.LABEL_OPTIONAL),
    ),
    "RegistrationStatusResponse": (),
}


def messages() -> dict[str, type[Any]]:
    """Return the classes of the registration's messages by name, fields numbered in their order."""
    file = descriptor_pb2.FileDescriptorProto(name="registration.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind, label) in enumerate(fields, 1):
            message.field.add(name=field, number=number, type=kind, label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = {name: pool.FindMessageTypeByName(f"{_PACKAGE}.{name}") for name in _MESSAGES}
    return {name: message_factory.GetMessageClass(each) for name, each in found.items()}


@asynccontextmanager
async def registered(settings: Common, directory: Path) -> AsyncIterator[None]:
    """Have the kubelet know the driver as long as this is entered; ``directory`` is where it looks."""
    kinds = messages()

    async def info(_request: Any, _context: Any) -> Any:
        return kinds["PluginInfo"](
            type=_KIND,
            name=settings.driver,
            endpoint=settings.endpoint.removeprefix("unix://"),
            supported_versions=_VERSIONS,
        )

    async def told(status: Any, _context: Any) -> Any:
        if status.plugin_registered:
            log.info("the kubelet knows the driver")
        else:
            log.error("the kubelet refuses the driver", cause=status.error)
        return kinds["RegistrationStatusResponse"]()

    calls = {"GetInfo": ("InfoRequest", info), "NotifyRegistrationStatus": ("RegistrationStatus", told)}
    methods = {
        name: grpc.unary_unary_rpc_method_handler(
            call,
            request_deserializer=kinds[request].FromString,
            response_serializer=lambda answer: answer.SerializeToString(),
        )
        for name, (request, call) in calls.items()
    }
    serving = grpc.aio.server()
    serving.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(f"{_PACKAGE}.Registration", methods)]
    )
    socket = directory / f"{settings.driver}-reg.sock"
    serving.add_insecure_port(f"unix://{socket}")
    await serving.start()
    try:
        yield
    finally:
        await serving.stop(None)
        socket.unlink(missing_ok=True)
