"""gRPC services from the interface's own description: a method of a class for each call, without stubs."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import structlog
from google.protobuf import message_factory

from causeway.cloud.errors import CloudError
from causeway.kit.errors import Problem
from causeway.serve.csi.codes import request_id, status
from causeway.serve.csi.spec import csi_pb2

log = structlog.get_logger()

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


def handlers(service: str, servicer: object) -> Any:
    """Return the handler of ``service`` ("Identity", "Controller", "Node") for a server.

    ``CreateVolume`` is the servicer's ``create_volume``; what it has no method for is UNIMPLEMENTED.
    """
    description = csi_pb2.DESCRIPTOR.services_by_name[service]
    methods = {}
    for each in description.methods:
        call = getattr(servicer, _WORD.sub("_", each.name).lower(), None)
        if call is not None:
            methods[each.name] = grpc.unary_unary_rpc_method_handler(
                _guarded(each.name, call),
                request_deserializer=message_factory.GetMessageClass(each.input_type).FromString,
                response_serializer=message_factory.GetMessageClass(each.output_type).SerializeToString,
            )
    return grpc.method_handlers_generic_handler(description.full_name, methods)


def _guarded(name: str, call: Callable[[Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    async def answer(request: Any, context: Any) -> Any:
        try:
            return await call(request)
        except (Problem, CloudError) as error:
            code, message = status(error)
            log.info("refused", call=name, code=code.name, cause=message, request_id=request_id(error))
        except OSError as error:
            code, message = grpc.StatusCode.INTERNAL, f"{name}: {error}. Look at the path on the node."
            log.warning("failed", call=name, cause=str(error))
        except Exception as error:
            log.exception("defect", call=name)
            code, message = grpc.StatusCode.INTERNAL, f"{name}: {error!r}. Report this with the driver's log."
        return await context.abort(code, message)  # never returns

    return answer
