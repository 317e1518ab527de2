"""What is tried where Designate does not reach Neutron; the rest is tried on the real ones."""

import json
from collections.abc import Mapping
from typing import Any, cast

from keystoneauth1.exceptions import ConnectFailure
from openstack.connection import Connection
from openstack.exceptions import HttpException
from requests import Response

from causeway.cloud.ownership import Owner
from causeway.rooms.platforms import name_removal

MARK = Owner("c", "name").description()


class Cloud:
    """A Designate with two record sets, whose way to Neutron answers with ``reverse``."""

    def __init__(self, reverse: int) -> None:
        self.dns = self
        self.calls: list[str] = []
        self._reverse = reverse

    def endpoint_for(self, service: str) -> str:
        return f"https://{service}.example"

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Response:
        if path == "/reverse/floatingips":
            return _answer(self._reverse, b'{"floatingips": []}')
        facts = {"zone_id": "z", "name": "www.test.", "description": MARK, "action": "NONE"}
        sets = [facts | {"id": kind, "type": kind} for kind in ("TXT", "A")]
        page = [] if "marker" in (params or {}) else sets
        return _answer(200, json.dumps({"recordsets": page}).encode())

    def delete(self, path: str) -> Response:
        self.calls.append(path)
        return _answer(202)


def _answer(status: int, content: bytes = b"{}") -> Response:
    made: Any = Response()
    made.status_code, made._content = status, content
    made.headers["Content-Type"] = "application/json"
    return cast(Response, made)


def test_a_record_set_goes_before_the_note_that_says_whose_it_is() -> None:
    cloud = Cloud(200)
    assert name_removal.delete(cast(Connection, cloud), "c", lambda _: None) is None
    assert cloud.calls == ["/zones/z/recordsets/A", "/zones/z/recordsets/TXT"]


def test_where_addresses_cannot_be_asked_about_all_else_goes_and_it_is_told() -> None:
    cloud = Cloud(504)
    failed = name_removal.delete(cast(Connection, cloud), "c", lambda _: None)
    assert isinstance(failed, HttpException)
    assert failed.status_code == 504
    assert len(cloud.calls) == 2


class Lost(Cloud):
    """One whose way to Neutron is cut by a proxy, once."""

    lost = False

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Response:
        if path == "/reverse/floatingips" and not self.lost:
            self.lost = True
            raise ConnectFailure("cut")
        return super().get(path, params)


def test_a_connection_that_is_lost_is_tried_again() -> None:
    assert name_removal.delete(cast(Connection, Lost(200)), "c", lambda _: None) is None


def test_a_designate_without_floating_ips_has_none_to_take_names_from() -> None:
    assert name_removal.delete(cast(Connection, Cloud(404)), "c", lambda _: None) is None
