from pathlib import Path

import keystoneauth1.exceptions as auth
import pytest
import yaml
from openstack import exceptions as sdk

from causeway.cloud.connection import connect, explain, explained
from causeway.cloud.credentials import Credentials
from causeway.kit.errors import Exit, Problem


class Http(sdk.HttpException):
    """An answer of a service with a status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status


ERRORS = {
    "credentials": (auth.Unauthorized("no"), "the credentials were refused (no"),
    "any 401": (Http(401, "no"), "the credentials were refused (no (HTTP 401))"),
    "option missing": (auth.MissingRequiredOptions([]), "the clouds.yaml entry is not complete"),
    "no such plugin": (auth.NoMatchingPlugin("v9"), "the clouds.yaml entry is not complete"),
    "certificate": (auth.SSLError("self-signed"), "the certificate of the endpoint is not trusted"),
    "refused": (auth.ConnectFailure("closed"), "the endpoint cannot be reached (closed)"),
    "timeout": (auth.ConnectTimeout("late"), "the endpoint cannot be reached (late)"),
    "no identity": (auth.DiscoveryFailure("nothing"), "no such service answers"),
    "no endpoint": (auth.EndpointNotFound("volume"), "the catalogue has no endpoint"),
    "token": (
        auth.NotFound("Could not find token"),
        "no identity service answers at auth_url, or the token is not valid",
    ),
    "forbidden": (auth.Forbidden("role"), "the cloud forbids this"),
    "server": (auth.InternalServerError("oops"), "the service failed"),
    "anything else": (sdk.SDKException("strange"), "the cloud answered: strange"),
}


@pytest.mark.parametrize(("error", "words"), ERRORS.values(), ids=ERRORS)
def test_each_failure_has_a_meaning_and_a_remedy(error: Exception, words: str) -> None:
    finding = explain(error, "cloud c")
    assert finding.place == "cloud c"
    assert finding.cause.startswith(words)
    assert finding.remedy.endswith(".")


def test_the_noise_of_a_connection_pool_is_taken_out() -> None:
    noise = (
        "Unable to establish connection to http://h:1/: HTTPConnectionPool(host='h', port=1): Max retries "
        'exceeded with url: / (Caused by NewConnectionError("refused"))'
    )
    assert explain(auth.ConnectFailure(noise), "c").cause.endswith(
        "(Unable to establish connection to http://h:1/: refused)"
    )


def test_the_requests_id_is_told() -> None:
    error = auth.InternalServerError("oops", request_id="req-1")
    assert "request req-1" in explain(error, "c").cause or "Request-ID: req-1" in explain(error, "c").cause


def test_what_is_no_failure_of_the_cloud_passes() -> None:
    with pytest.raises(Problem, match="stack s: the cloud forbids this"), explained("stack s"):
        raise auth.Forbidden("role")
    with pytest.raises(KeyError), explained("stack s"):
        raise KeyError("ours")


ENTRY = {
    "username": "u",
    "password": "hush",
    "project_name": "p",
    "user_domain_id": "d",
    "project_domain_id": "d",
}
CLOUDS = {
    "closed": {"auth": {**ENTRY, "auth_url": "http://127.0.0.1:9/v3"}},
    "no password": {"auth": {"auth_url": "http://127.0.0.1:9/v3", "username": "u"}},
    "no address": {"auth": ENTRY},
    "strange": {"auth_type": "v9magic", "auth": ENTRY},
}


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "my-clouds.yaml"
    path.write_text(yaml.safe_dump({"clouds": CLOUDS}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    return path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("closed", "the endpoint cannot be reached"),
        ("no password", "password is a required attribute"),
        ("no address", "auth_url"),
        ("strange", "v9magic could not be found"),
        ("close", "Did you mean closed"),
        ("xyz", "Use one of: closed, no address, no password, strange."),
    ],
)
def test_a_cloud_that_cannot_be_reached_is_a_problem(clouds: Path, name: str, words: str) -> None:
    with pytest.raises(Problem) as refused:
        connect(name)
    assert words in str(refused.value)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("content", [None, "a: [", "{}"])
def test_a_file_without_clouds_is_a_problem(clouds: Path, content: str | None) -> None:
    clouds.unlink()
    if content is not None:
        clouds.write_text(content)
    with pytest.raises(Problem, match=r"my-clouds.yaml"):
        connect("lab")


def test_the_name_of_a_cloud_is_part_of_the_command_line(clouds: Path) -> None:
    for open_it in (connect, lambda name: Credentials(name, None), lambda name: Credentials(name, clouds)):
        with pytest.raises(Problem, match="Did you mean closed") as refused:
            open_it("close")
        assert refused.value.exit_code == Exit.USAGE
        assert refused.value.findings[0].cause == f"there is no such entry in {clouds}"
