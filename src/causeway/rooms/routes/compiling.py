"""An admitted route, its endpoints and the router's own settings make an ``Entry``: pure."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from causeway.kube.objects import key_of
from causeway.kube.routes import Route, RouteTLS
from causeway.rooms.routes import annotations, certificates
from causeway.rooms.routes.admission import Rules, domain_of, host_of, is_deep, is_wildcard
from causeway.rooms.routes.allowing import prefixes
from causeway.rooms.routes.annotations import HAPROXY, ROUTER, Options
from causeway.rooms.routes.bounds import unfit
from causeway.rooms.routes.checking import check
from causeway.rooms.routes.endings import AUTHORITY
from causeway.rooms.routes.endpoints import SlicesOf, ready, targets, weights
from causeway.rooms.routes.gateway.compiling import compile_opening, compile_rule, compile_table
from causeway.rooms.routes.headers import header_line
from causeway.rooms.routes.model import (
    PRESENT,
    AuthorityKey,
    Backend,
    CertificateKey,
    Entry,
    Item,
    Kind,
    MapKey,
    MapName,
    Refusal,
    Refused,
    ServerKey,
    Way,
    Wish,
)
from causeway.rooms.routes.parts import Barred, Opening, Part, Rule, Table, claim
from causeway.rooms.routes.ways import rewriting, ways

_USUAL: set[MapName] = {"owner", "sticky"}


class Offer(msgspec.Struct, frozen=True):
    """What this router has for all routes.

    ``authorities`` (PEM, "" for none) verify the servers of re-encrypted routes that bring none of their own;
    ``directory`` is where HAProxy's files are; ``cookie`` is the usual name of the cookie.
    """

    directory: Path
    rules: Rules = Rules()
    cookie: str = "causeway"
    authorities: str = ""
    balance: str = "random"


def compile_route(route: Route, slices: SlicesOf, offer: Offer) -> Entry | Refusal:
    """Return what HAProxy needs for an admitted route, or why it cannot have it."""
    found = _compiled(route, slices, offer)
    wrong = unfit(found) if isinstance(found, Entry) else ""
    return Refusal("ExtendedValidationFailed", wrong) if wrong else found


def _compiled(route: Route, slices: SlicesOf, offer: Offer) -> Entry | Refusal:
    if isinstance(route, Rule):
        return compile_rule(route, slices, offer.balance, offer.cookie)
    if isinstance(route, Opening):
        return compile_opening(route)
    if isinstance(route, Table):
        return _holding(route, compile_table(route), offer)
    if isinstance(route, Barred):
        return Refusal("ExternalCertificateValidationFailed", route.wrong)
    try:
        return _holding(route, _Compiler(route, slices, offer).entry(), offer)
    except (Refused, annotations.Misread, certificates.Unusable) as error:
        return Refusal("ExtendedValidationFailed", str(error))


def _holding(route: Route, entry: Entry, offer: Offer) -> Entry:
    """Return an entry that says also whose its host is: who has every host has no more of it."""
    host = host_of(route, offer.rules)
    if is_wildcard(route):
        host = f"{'**' if is_deep(route) else '*'}.{domain_of(host)}"
    texts: list[tuple[MapName, str, str]] = [("held", host or "*", route.metadata.namespace)]
    if is_deep(route):
        texts.append(("held", "**", "-"))
    return msgspec.structs.replace(entry, texts=(*entry.texts, *texts))


class _Compiler:
    def __init__(self, route: Route, slices: SlicesOf, offer: Offer) -> None:
        self._route = route
        self._spec = route.spec
        self._slices = slices
        self._offer = offer
        self._tls = route.spec.tls or RouteTLS()
        self._termination = self._tls.termination
        self._mode: Literal["http", "tcp"] = "tcp" if self._termination == "passthrough" else "http"
        self._host = host_of(route, offer.rules)

    def entry(self) -> Entry:
        if isinstance(self._route, Part) and self._route.wrong:
            raise Refused(self._route.wrong)
        check(self._spec)
        options = annotations.read(self._route.metadata.annotations)
        authority = self._authority()
        mapped = tuple(self._options(options))
        return Entry(
            owner=key_of(self._route),
            backend=Backend(
                kind=self._kind(options, {name for name, _, _ in mapped}),
                servers=tuple(self._servers(options, authority)),
                options=mapped,
            ),
            ways=tuple(self._ways()),
            certificates=tuple(self._certificates()),
            authorities=((AuthorityKey(certificates.digest(authority)), authority),) if authority else (),
        )

    # certificates

    def _certificates(self) -> Iterable[tuple[CertificateKey, str]]:
        tls = self._tls
        if not tls.certificate:
            if tls.ca_certificate:
                certificates.authorities(tls.ca_certificate, "caCertificate")
            return
        text = certificates.chain_with_key(tls.certificate, tls.key, tls.ca_certificate)
        shown = f"*.{domain_of(self._host)}" if is_wildcard(self._route) else self._host
        yield CertificateKey(certificates.digest(text, shown), shown), text

    def _authority(self) -> str:
        if self._termination != "reencrypt":
            return ""
        if self._tls.destination_ca_certificate:
            return certificates.authorities(self._tls.destination_ca_certificate)
        if not self._offer.authorities:
            where, what = "spec.tls.destinationCACertificate", "give authorities"
            if isinstance(self._route, Part):  # an Ingress has no such field
                where, what = f"annotation {AUTHORITY}", "name a Secret that has them under the key tls.crt"
            raise Refused(
                f"{where}: is needed, because this router has no authorities of its own to verify servers "
                f"by: {what}"
            )
        return self._offer.authorities

    # the backend

    def _kind(self, options: Options, mapped: set[MapName]) -> Kind:
        several = sum(weight > 0 for weight in targets(self._spec).values()) > 1
        usual = "source" if self._mode == "tcp" else self._offer.balance
        balance = options.balance or ("roundrobin" if several else usual)
        lines: list[str] = []
        if self._mode == "tcp":
            if tunnel := options.tunnel or options.timeout:
                lines.append(f"timeout tunnel {tunnel}ms")
            self._only_for_http(options)
        if (limits := options.limits) is not None:
            lines += [
                "stick-table type ip size 100k expire 30s store conn_cur,conn_rate(3s),http_req_rate(10s)",
                "tcp-request content track-sc2 src",
            ]
            # A connection is counted before it is judged, a request after.
            bounds = [("src_conn_cur gt", limits.concurrent_tcp), ("src_conn_rate gt", limits.rate_tcp)]
            if self._mode == "http":
                bounds.append(("src_http_req_rate ge", limits.rate_http))
            lines += [f"tcp-request content reject if {{ {what} {most} }}" for what, most in bounds if most]
        actions = self._spec.http_headers.actions if self._spec.http_headers else None
        if actions is not None and self._mode == "http":
            lines += [header_line("request", each) for each in actions.request]
            lines += [header_line("response", each) for each in actions.response]
        elif actions is not None and (actions.request or actions.response):
            raise Refused("spec.httpHeaders: passthrough termination sees no headers")
        cookie = (options.cookie or self._offer.cookie) if self._mode == "http" else ""
        return Kind(
            self._mode, balance, cookie, tuple(lines), options=self._mode == "http" and mapped != _USUAL
        )

    def _only_for_http(self, options: Options) -> None:
        """Refuse what a router that sees only TLS cannot do; OpenShift's leaves it out without a word."""
        asked = {
            f"{HAPROXY}hsts_header": options.hsts,
            f"{HAPROXY}rewrite-target": options.rewrite,
            f"{HAPROXY}set-forwarded-headers": options.forwarded,
            f"{ROUTER}cookie_name": options.cookie,
            f"{HAPROXY}rate-limit-connections.rate-http": options.limits and options.limits.rate_http,
        }
        for name, value in asked.items():
            if value:
                raise Refused(f"annotation {name}: passthrough termination sees no HTTP: leave it out")

    def _servers(self, options: Options, authority: str) -> Iterable[tuple[str, int, str]]:
        services = targets(self._spec)
        namespace = self._route.metadata.namespace
        port = self._spec.port.target_port if self._spec.port else None
        found = {name: ready(self._slices(namespace, name), port) for name in services}
        shares = weights(services, {name: len(addresses) for name, addresses in found.items()})
        servers: dict[str, tuple[str, int, str]] = {}
        for name, addresses in found.items():
            if self._mode == "tcp" and not shares.get(name):
                continue  # nobody can be held to a server without a cookie
            extra = self._server_options(name, options, authority)
            for address in addresses:
                detail = " ".join([address.place, *extra])
                if address.h2c and self._termination in ("", "edge"):
                    detail += " proto h2"
                server = f"s{certificates.digest(self._route.metadata.uid, detail)[:16]}"
                before = servers.get(server, (server, 0, detail))
                servers[server] = (server, max(before[1], shares[name]), detail)
        return sorted(servers.values())

    def _server_options(self, service: str, options: Options, authority: str) -> list[str]:
        words: list[str] = []
        if authority:
            file = self._offer.directory / "authorities" / f"{certificates.digest(authority)}.pem"
            words += ["ssl", "alpn", "h2,http/1.1", "verify", "required", "ca-file", str(file)]
            if not self._tls.destination_ca_certificate:
                words += ["verifyhost", f"{service}.{self._route.metadata.namespace}.svc"]
        if options.connections_per_server:
            words += ["maxconn", str(options.connections_per_server)]
        if options.check_interval:
            words += ["check", "inter", f"{options.check_interval}ms"]
        return words

    def _options(self, options: Options) -> Iterable[tuple[MapName, str, str]]:
        yield "owner", "", key_of(self._route)
        if options.allowed:
            yield "restricted", "", "1"
            for key in prefixes(options.allowed):
                yield "allow", key, "1"
        if self._mode == "tcp":
            return
        if options.timeout:
            yield "timeout", "", str(options.timeout)
        if options.tunnel:
            yield "tunnel", "", str(options.tunnel)
        if options.cookies:
            yield "sticky", "", self._cookie_attributes(options)
        if options.hsts:
            if not self._termination:
                raise Refused(f"annotation {HAPROXY}hsts_header: needs TLS: give spec.tls, or leave it out")
            yield "hsts", "", options.hsts
        if options.forwarded:
            yield "forwarded", "", options.forwarded
        if isinstance(self._route, Part) and self._route.rewrite:
            yield "rewrite", "", self._route.rewrite
        elif options.rewrite:
            yield "rewrite", "", rewriting(self._spec.path, options.rewrite)

    def _cookie_attributes(self, options: Options) -> str:
        # The path keeps the cookies of a host's routes apart: clients send that of the longest path first.
        text = f"; path={self._spec.path or '/'}; HttpOnly"
        if self._termination and self._tls.insecure_edge_termination_policy != "Allow":
            text += f"; Secure; SameSite={options.same_site}"
        return text

    # what leads to it

    def _ways(self) -> Iterable[Way]:
        wild, policy = is_wildcard(self._route), self._tls.insecure_edge_termination_policy
        host = f"*.{domain_of(self._host)}" if wild else self._host
        path, match = claim(self._route)
        if self._mode == "tcp":
            if wild:
                yield Way("passthrough-wildcard", domain_of(self._host))
            else:
                yield Way("passthrough", self._host)
        elif self._termination:
            yield from ways("s", host, path, match=match)
        if not self._termination or policy == "Allow":
            yield from ways("p", host, path, match=match)
        elif policy == "Redirect":
            yield from ways("p", host, path, redirect=True, match=match)


def wishes(entry: Entry, backend: str) -> Iterable[tuple[Item, Wish]]:
    """Return all items an entry needs once it has ``backend``."""
    if entry.backend is not None:
        for server, weight, detail in entry.backend.servers:
            yield ServerKey(backend, server), Wish(weight, detail)
        for name, key, value in entry.backend.options:
            yield MapKey(name, f"{backend}{key}"), Wish(value)
    if entry.found_by_owner:
        yield MapKey("place", entry.owner), Wish(backend)
    for name, key, value in entry.texts:
        yield MapKey(name, key), Wish(value)
    for way in entry.ways:
        yield MapKey(way.map, way.key), Wish(f"{backend}:redirect" if way.redirect else backend, "", way.rank)
    for certificate, text in entry.certificates:
        yield certificate, Wish(PRESENT, text)
    for authority, text in entry.authorities:
        yield authority, Wish(PRESENT, text)
