"""The blocking half of the cloud's door: credentials, tokens, endpoints, trust.

``openstack.config`` and ``keystoneauth1`` know every kind of credential and catalogue there is. Nothing here
may run in an event loop; ``session`` calls it from a thread, and only for what happens rarely.
"""

import os
import re
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

from keystoneauth1 import exceptions as keystone
from keystoneauth1.identity.base import BaseIdentityPlugin
from openstack.config import OpenStackConfig
from openstack.exceptions import ConfigException

from causeway.cloud import errors
from causeway.cloud.entries import unknown
from causeway.kit.errors import Exit, Problem

_TIMEOUT = (10.0, 30.0)  # seconds to connect, and between two bytes of Keystone's answer

# Old catalogues of Nova and Cinder have the project's id behind the version.
_VERSION = re.compile(r"/v\d(\.\d+)?(/[0-9a-f]{32})?$")


@dataclass(frozen=True, repr=False)
class Token:
    """A token (kept out of every representation), its project and when it ends on the monotonic clock.

    Keystone says how long a token lives by its own clock. Ours may be wrong or be set while the token is in
    use, so only the difference of Keystone's two times counts, from before the token was asked for.
    """

    value: str
    project_id: str
    ends: float

    def seconds_left(self) -> float:
        """Return how long the token is still valid."""
        return self.ends - time.monotonic()


class Credentials:
    """One cloud of a clouds.yaml, as read at one moment."""

    def __init__(self, name: str | None, config_file: Path | None) -> None:
        """Read cloud ``name`` (None: OS_CLOUD) of ``config_file`` (None: the usual places).

        Raises ``Problem`` when there is no such cloud or its entry cannot be used.
        """
        self._place = f"cloud {name}" if name else "cloud of OS_CLOUD"
        try:
            if config_file is None:
                config = OpenStackConfig()
            else:  # of the environment OS_CLIENT_CONFIG_FILE would go before the file that was named
                config = OpenStackConfig(config_files=[str(config_file)], load_envvars=False)
            name = name or os.environ.get("OS_CLOUD")
            if name and name not in config.get_cloud_names():
                known = config.get_cloud_names() if config.config_filename else []
                finding = unknown(name, known, config.config_filename, chosen=config_file is not None)
                raise Problem(finding, exit_code=Exit.USAGE)
            self._region = config.get_one(cloud=name)
            self._session = self._region.get_session()
            if self._session.timeout is None:  # api_timeout of the entry goes first
                self._session.timeout = _TIMEOUT  # type: ignore[assignment]  # handed to requests as it is
        except (ConfigException, keystone.ClientException) as error:
            raise self._unusable(
                str(error), "Correct clouds.yaml, or name another (OS_CLOUD, OS_CLIENT_CONFIG_FILE)."
            ) from error
        auth = self._session.auth
        if not isinstance(auth, BaseIdentityPlugin):
            raise self._unusable(
                "its auth_type does not ask Keystone for a token", "Use a password or application credential."
            )
        self._auth = auth
        self.file = config_file or (Path(config.config_filename) if config.config_filename else None)
        self.tls = self._tls_context()

    def authenticate(self) -> Token:
        """Return a new token; raises ``CloudError`` when Keystone refuses or does not answer."""
        self._auth.invalidate()
        asked = time.monotonic()
        try:
            access = self._auth.get_access(self._session)
        except keystone.Unauthorized as error:
            request_id = error.request_id or ""
            raise errors.Unauthorized("identity", _cause(error), status=401, request_id=request_id) from error
        except keystone.ConnectionError as error:
            raise errors.Unreachable("identity", _cause(error)) from error
        except keystone.ClientException as error:
            status = getattr(error, "http_status", None)
            raise errors.ServerError("identity", _cause(error), status=status) from error
        if not access.auth_token or access.expires is None or access.issued is None:
            raise errors.ServerError("identity", "Keystone answered without a token")
        lifetime = (access.expires - access.issued).total_seconds()
        return Token(access.auth_token, access.project_id or "", asked + lifetime)

    def endpoint(self, service: str) -> str:
        """Return the URL of ``service`` (a catalogue type) without a version at its end."""
        try:
            url = self._region.get_endpoint(service) or self._session.get_endpoint(
                self._auth,
                service_type=service,
                interface=self._region.get_interface(service),
                region_name=self._region.get_region_name(service),
                skip_discovery=True,
            )
        except keystone.ClientException as error:
            raise errors.MissingService(service, _cause(error)) from error
        if not url:
            raise errors.MissingService(service, f"the catalogue has no service of type {service}")
        return without_version(str(url))

    def region(self, service: str) -> str:
        """Return the region named in clouds.yaml, else the one the catalogue has ``service`` in."""
        named = self._region.get_region_name(service)
        if named:
            return str(named)
        try:
            catalogue = self._auth.get_access(self._session).service_catalog
        except keystone.ClientException as error:
            raise errors.ServerError("identity", _cause(error)) from error
        found = catalogue.get_endpoints_data(
            service_type=service, interface=self._region.get_interface(service) or "public"
        )
        return next((each.region_name or "" for listed in found.values() for each in listed), "")

    def _tls_context(self) -> ssl.SSLContext:
        verify, certificate = self._region.get_requests_verify_args()
        if verify is False:
            raise self._unusable(
                "verify: false would let anybody on the way read the credentials",
                "Remove it and name the authority's certificate with cacert.",
            )
        context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
        if isinstance(certificate, tuple):
            context.load_cert_chain(*certificate)
        elif certificate:
            context.load_cert_chain(certificate)
        return context

    def _unusable(self, cause: str, remedy: str) -> Problem:
        return Problem.of(self._place, cause, remedy, exit_code=Exit.USAGE)


def without_version(url: str) -> str:
    """Return an endpoint without the version some catalogues carry: our paths begin with it."""
    return _VERSION.sub("", url.rstrip("/"))


def _cause(error: Exception) -> str:
    return " ".join(str(error).split(" (HTTP")[0].split())
