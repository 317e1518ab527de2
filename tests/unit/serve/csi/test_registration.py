"""The kubelet's side of the registration, against a driver that is served."""

from pathlib import Path
from typing import Any

import grpc

from causeway.serve.csi import registration
from causeway.serve.csi.settings import Common


async def called(socket: Path, method: str, request: Any, kind: type[Any]) -> Any:
    async with grpc.aio.insecure_channel(f"unix://{socket}") as channel:
        call = channel.unary_unary(
            f"/pluginregistration.Registration/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=kind.FromString,
        )
        return await call(request, timeout=60)


async def test_the_kubelet_learns_the_driver_and_where_it_is(tmp_path: Path) -> None:
    settings, kinds = Common("unix:///plugins/d/csi.sock", "d"), registration.messages()
    socket = tmp_path / "d-reg.sock"
    async with registration.registered(settings, tmp_path):
        said = await called(socket, "GetInfo", kinds["InfoRequest"](), kinds["PluginInfo"])
        told = kinds["RegistrationStatus"](plugin_registered=False, error="no")
        await called(socket, "NotifyRegistrationStatus", told, kinds["RegistrationStatusResponse"])
    assert (said.type, said.name, said.endpoint) == ("CSIPlugin", "d", "/plugins/d/csi.sock")
    assert list(said.supported_versions) == ["1.0.0"]
    assert not socket.exists()


def test_messages_are_as_the_kubelet_reads_them() -> None:
    kinds = registration.messages()
    info = kinds["PluginInfo"](type="t", name="n", endpoint="e", supported_versions=["v", "w"])
    assert info.SerializeToString() == b"\x0a\x01t\x12\x01n\x1a\x01e\x22\x01v\x22\x01w"
    assert kinds["RegistrationStatus"].FromString(b"\x08\x01\x12\x01x").error == "x"
