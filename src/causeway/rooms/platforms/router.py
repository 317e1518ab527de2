"""What a platform file says of the router, by the names that OpenShift's IngressController has for it."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from causeway.rooms.platforms.records import Record, Violation, Violations, Zone

_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_PART = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_PART}(\.{_PART})*"
_KEY = re.compile(rf"((?=.{{1,253}}/){_SUBDOMAIN}/)?{_NAME}")
_VALUE = re.compile(rf"({_NAME})?")

CLIENTS_OF_ROUTERS = "causeway-router-clients"
"""The ConfigMap that routers have the authorities of clients' certificates from. HAProxy would fail at its
next reload by what is wrong in it, so the user's own is read by ``apply`` alone."""


class RouteAdmission(Record):
    """Which routes the router takes."""

    wildcard_policy: Literal["WildcardsAllowed", "WildcardsDisallowed"] = Field(
        "WildcardsDisallowed",
        description="Whether Routes with wildcardPolicy Subdomain and Ingresses for *.DOMAIN are served.",
    )


class HttpHeaders(Record):
    """What becomes of headers of requests."""

    forwarded_header_policy: Literal["Append", "Replace", "IfNone", "Never"] = Field(
        "Append",
        description="What is done with Forwarded and X-Forwarded-*, where a Route does not say it.",
    )


class ClientAuthorities(Record):
    """Where the authorities of clients' certificates are."""

    name: Annotated[str, Field(min_length=1, max_length=253, pattern=f"^{_SUBDOMAIN}$")] = Field(
        description="ConfigMap in kube-system with the key ca-bundle.pem."
    )

    @field_validator("name")
    @classmethod
    def _of_the_user(cls, name: str) -> str:
        if name == CLIENTS_OF_ROUTERS:
            expected = "a ConfigMap of your own"
            found = f"{name}, the copy that apply makes"
            raise Violations([Violation((), expected, found, "Give yours another name.")])
        return name


class ClientTls(Record):
    """Which certificates clients show where TLS ends at the router."""

    client_certificate_policy: Literal["Required", "Optional"] = Field(
        description="Whether who shows none is turned away, or served as well."
    )
    client_ca: ClientAuthorities = Field(alias="clientCA", description="Who issues their certificates.")


class Selector(Record):
    """What is selected by its labels."""

    match_labels: Annotated[dict[str, str], Field(min_length=1)] = Field(
        description="Labels with their values; what is selected has all of them."
    )

    @field_validator("match_labels")
    @classmethod
    def _labels_as_kubernetes_has_them(cls, labels: dict[str, str]) -> dict[str, str]:
        expected = "a label such as team: blue or example.org/team: blue"
        wrong = [
            Violation((key,), expected, f"{key}: {value}", "Write it as the objects have it.")
            for key, value in labels.items()
            if not (_KEY.fullmatch(key) and _VALUE.fullmatch(value))
        ]
        if wrong:
            raise Violations(wrong)
        return labels


class Router(Record):
    """What answers for the hosts of Routes and Ingresses, on the nodes of role infra."""

    enabled: bool = Field(True, description="Whether there is one, as long as there are nodes for it.")
    suffix: Zone | None = Field(
        None, description="Completes hosts of Routes that name none; apps.ZONE of names without it."
    )
    route_admission: RouteAdmission = Field(
        default_factory=RouteAdmission, description="Which routes it takes."
    )
    route_selector: Selector | None = Field(
        None, description="Labels of the Routes, Ingresses and Gateways that are served; all without it."
    )
    namespace_selector: Selector | None = Field(
        None, description="Labels of the namespaces in which they are served; all without it."
    )
    http_headers: HttpHeaders = Field(
        default_factory=HttpHeaders, description="What applications are told of requests."
    )
    client_tls: ClientTls | None = Field(
        None, alias="clientTLS", description="Certificates of clients; they are not asked for any without it."
    )
    default_ingress_class: bool = Field(
        False, description="Whether Ingresses that name no class are served, too."
    )
