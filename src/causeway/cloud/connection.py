"""A connection to the cloud a ``clouds.yaml`` entry names, and its failures in words a person can act on.

For the command line's rare, complex calls; the long-running processes have asynchronous clients of their own.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import keystoneauth1.exceptions as auth
from openstack import exceptions as sdk
from openstack.config import OpenStackConfig
from openstack.config.cloud_region import CloudRegion
from openstack.connection import Connection

from causeway import __version__
from causeway.cloud.entries import unknown
from causeway.kit.errors import Exit, Finding, Problem

CONNECT_SECONDS = 5.0
READ_SECONDS = 120.0  # Heat may think that long about a large template

for _library in ("keystoneauth", "openstack"):  # what they warn of is raised as well; once is enough
    logging.getLogger(_library).addHandler(logging.NullHandler())


def connect(cloud_name: str) -> Connection:
    """Return an authenticated connection to the cloud of that name in ``clouds.yaml``.

    Raises ``Problem``: there is no such entry, the cloud cannot be reached, or the credentials are refused.
    """
    place = f"cloud {cloud_name}"
    try:
        connection = Connection(config=_entry(cloud_name))
        if connection.session.timeout is None:  # api_timeout of the entry goes first
            seconds = (CONNECT_SECONDS, READ_SECONDS)
            connection.session.timeout = seconds  # type: ignore[assignment]  # handed to requests as it is
        connection.session.get_token()
    except (auth.ClientException, sdk.SDKException) as error:
        raise Problem(explain(error, place)) from error
    except Exception as error:
        if type(error) is not Exception:  # keystoneauth raises the bare class for an absent option
            raise
        raise Problem(explain(sdk.ConfigException(str(error)), place)) from error
    return connection


# What urllib3 wraps around the reason of a failed connection.
_POOL_NOISE = re.compile(
    r"HTTPS?ConnectionPool\(.*?\): Max retries .*?\(Caused by \w+\([\"']?(.*?)[\"']?\)\)$"
)


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Turn any failure of the cloud inside the block into a ``Problem`` at ``place``."""
    try:
        yield
    except (auth.ClientException, sdk.SDKException) as error:
        raise Problem(explain(error, place)) from error


# The first row whose types match says what a failure means (its own words follow) and what to do.
_MEANINGS: tuple[tuple[tuple[type[Exception], ...], str, str], ...] = (
    (
        (auth.Unauthorized,),
        "the credentials were refused",
        "Check user, password, project and domains of the clouds.yaml entry; a token may have expired and an "
        "application credential may have been deleted.",
    ),
    (
        (auth.AuthPluginException, sdk.ConfigException),
        "the clouds.yaml entry is not complete",
        "Complete the entry.",
    ),
    (
        (auth.SSLError,),
        "the certificate of the endpoint is not trusted",
        "Name the authority's certificate as cacert in the clouds.yaml entry.",
    ),
    (
        (auth.ConnectionError,),
        "the endpoint cannot be reached",
        "Check the address, the network between here and the cloud, and that the cloud is up.",
    ),
    (
        (auth.DiscoveryFailure,),
        "no such service answers at this address",
        "Check auth_url of the clouds.yaml entry and that the cloud is up.",
    ),
    (
        (auth.EndpointNotFound, sdk.EndpointNotFound),
        "the catalogue has no endpoint of the service",
        "Check region_name and interface of the clouds.yaml entry, or ask the cloud's administrator.",
    ),
    (
        (auth.NotFound,),
        "no identity service answers at auth_url, or the token is not valid any more",
        "Check auth_url of the clouds.yaml entry; get a new token if it holds one.",
    ),
    (
        (auth.Forbidden, sdk.ForbiddenException),
        "the cloud forbids this",
        "Ask the cloud's administrator for the role it takes.",
    ),
    (
        (auth.HttpServerError,),
        "the service failed",
        "Try again; if it lasts, the service's log knows more about the request.",
    ),
)


def explain(error: Exception, place: str) -> Finding:
    """Return what a failed call to a cloud means and what to do about it."""
    if getattr(error, "status_code", None) == 401:
        error = auth.Unauthorized(_message(error))
    for types, meaning, remedy in _MEANINGS:
        if isinstance(error, types):
            return Finding(place, f"{meaning} ({_message(error)})", remedy)
    return Finding(place, f"the cloud answered: {_message(error)}", "Correct what it names and try again.")


def _entry(name: str) -> CloudRegion:
    config = OpenStackConfig(app_name="causeway", app_version=__version__)
    known = config.get_cloud_names() if config.config_filename else []
    if name not in known:
        raise Problem(unknown(name, known, config.config_filename), exit_code=Exit.USAGE)
    return config.get_one(cloud=name)


def _message(error: Exception) -> str:
    """Return the error's own words in one line, with the request's ID where there is one."""
    words = getattr(error, "details", None) or getattr(error, "message", None) or str(error)
    text = " ".join(str(words).split()).rstrip(".") or type(error).__name__
    text = _POOL_NOISE.sub(r"\1", text)
    request = getattr(error, "request_id", None)
    return f"{text}; request {request}" if request and request not in text else text
