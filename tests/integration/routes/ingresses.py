"""What users write of Ingresses, and what those name."""

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.integration.routes.stage import Application, Site

from causeway.kube.ingresses import INGRESSES
from causeway.kube.resource import ROLE_BINDINGS, ROLES


def path(text: str, service: str, kind: str = "Prefix", port: int | str = 80) -> dict[str, Any]:
    """Return a path that leads to a port of a service."""
    which = {"number": port} if isinstance(port, int) else {"name": port}
    return {"path": text, "pathType": kind, "backend": {"service": {"name": service, "port": which}}}


def rule(host: str, *paths: dict[str, Any]) -> dict[str, Any]:
    return {"http": {"paths": list(paths)}} | ({"host": host} if host else {})


class Ingresses:
    """What users write: Ingresses, and what those name."""

    def __init__(self, site: Site, namespace: str) -> None:
        self.site, self.namespace = site, namespace

    async def service(self, name: str, application: Application) -> None:
        """Make a service whose port 80, named web, is an application."""
        body = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"ports": [{"name": "web", "port": 80}, {"name": "other", "port": 81}]},
        }
        await self.site.admin.apply(body, manager="test")
        await self.site.endpoints(self.namespace, name, [application])

    async def put(self, name: str, *rules: dict[str, Any], **given: Any) -> dict[str, Any]:
        """Make an Ingress of our class, or change it: ``annotations``, and fields of its spec."""
        annotations = given.pop("annotations", {})
        body = {
            "apiVersion": INGRESSES.api_version,
            "kind": INGRESSES.kind,
            "metadata": {"name": name, "namespace": self.namespace, "annotations": annotations},
            "spec": {"ingressClassName": "causeway", "rules": list(rules)} | given,
        }
        return await self.site.admin.apply(body, manager="test", resource=INGRESSES)

    async def certificate(self, name: str, file: str) -> bytes:
        """Make a Secret of a certificate of the authority's, or change it; return it as DER."""
        certificate = self.site.pem(f"{file}.crt")
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {"name": name, "namespace": self.namespace},
            "stringData": {"tls.crt": certificate, "tls.key": self.site.pem(f"{file}.key")},
        }
        await self.site.admin.apply(body, manager="test")
        return x509.load_pem_x509_certificate(certificate.encode()).public_bytes(Encoding.DER)

    async def may_read(self, secret: str) -> None:
        """Let the router's account read this Secret, and no other."""
        group = ROLES.group
        role = {
            "apiVersion": ROLES.api_version,
            "kind": ROLES.kind,
            "metadata": {"name": "certificates", "namespace": self.namespace},
            "rules": [
                {
                    "apiGroups": [""],
                    "resources": ["secrets"],
                    "resourceNames": [secret],
                    "verbs": ["list", "watch"],
                }
            ],
        }
        binding = {
            "apiVersion": ROLE_BINDINGS.api_version,
            "kind": ROLE_BINDINGS.kind,
            "metadata": {"name": "certificates", "namespace": self.namespace},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "certificates"},
            "subjects": [
                {"kind": "ServiceAccount", "name": "causeway-router", "namespace": "kube-system"},
            ],
        }
        for body in (role, binding):
            await self.site.admin.apply(body, manager="test")

    async def told(self, name: str, reason: str) -> str:
        """Wait until an Event about an Ingress has this reason; return what it says."""
        return await self.site.event(self.namespace, name, reason)

    async def addresses(self, name: str) -> list[dict[str, Any]]:
        whole = await self.site.admin.get(INGRESSES, name, self.namespace)
        return list(((whole.get("status") or {}).get("loadBalancer") or {}).get("ingress") or [])
