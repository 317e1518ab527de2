"""The little of S3 a test needs: requests signed as version 4 of its signatures has it."""

import datetime
import hashlib
import hmac
import urllib.request
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class S3:
    """An endpoint, and the keys of one user of it."""

    url: str
    access: str
    secret: str

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Return the body of the answer; raises ``HTTPError`` for a refusal."""
        now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        headers = {
            "host": self.url.partition("//")[2],
            "x-amz-content-sha256": digest,
            "x-amz-date": now,
        }
        names = ";".join(headers)
        lines = [method, path, "", *(f"{name}:{value}" for name, value in headers.items()), "", names, digest]
        canonical = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        scope = f"{now[:8]}/default/s3/aws4_request"
        key = f"AWS4{self.secret}".encode()
        for word in scope.split("/"):
            key = hmac.digest(key, word.encode(), "sha256")
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, canonical])
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        request = urllib.request.Request(self.url + path, body or None, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: bytes = answer.read()
            return found


def of_user(cloud: Any) -> tuple[S3, str]:
    """Return S3 for the user of ``cloud`` with new keys, and the path at which Keystone forgets them."""
    path = f"/users/{cloud.current_user_id}/credentials/OS-EC2"
    keys = cloud.identity.post(path, json={"tenant_id": cloud.current_project_id}).json()["credential"]
    url = cloud.session.get_endpoint(service_type="s3")
    return S3(url, keys["access"], keys["secret"]), f"{path}/{keys['access']}"
