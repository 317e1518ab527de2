"""An Ingress, its Secrets and its services make parts, which are routes: pure.

It is what OpenShift's controller does that writes Routes for Ingresses, but nothing is written: the parts are
admitted and compiled among all routes.
"""

import re
from collections.abc import Callable

import msgspec

from causeway.kube.ingresses import Ingress, IngressBackend, IngressPath, IngressService
from causeway.kube.objects import Meta, Service
from causeway.kube.routes import RoutePort, RouteSpec, RouteTarget
from causeway.rooms.routes import certificates, nginx
from causeway.rooms.routes.annotations import HAPROXY, RANGES, ROUTER, Misread
from causeway.rooms.routes.backing import lacking
from causeway.rooms.routes.bounds import LONGEST_VALUE, MOST_RANGES
from causeway.rooms.routes.endings import Endings, SecretOf, unnamed
from causeway.rooms.routes.model import Refusal, Refused
from causeway.rooms.routes.nginx import Translation
from causeway.rooms.routes.parts import Match, Part, name_of
from causeway.rooms.routes.ways import inserting, replacing

ServiceOf = Callable[[str], Service | None]
"""Returns a service of the Ingress' namespace by name."""

_NOWHERE = "causeway.dev/no-port"  # no port of endpoints has a slash in its name
_OWN = (HAPROXY, ROUTER)
_REST = re.compile(r"(/[A-Za-z0-9._~!&,;=:@/-]*?)(?:(\(/\|\$\)\(\.\*\))|(\(\.\*\)))", re.ASCII)
"""A plain path and the expression for all that follows, which is its second or its first group."""
_EXPRESSION = re.compile(r"[\[\](){}|^$*+?\\]")
_TARGET = re.compile(r"/[A-Za-z0-9._~!&()*+,=:@/-]*", re.ASCII)


class Derived(msgspec.Struct, frozen=True):
    """The parts of an Ingress; ``notes`` are what its user is to know of it."""

    parts: tuple[Part, ...]
    notes: tuple[Refusal, ...]


class _Place(msgspec.Struct, frozen=True):
    """Which requests of a host, and how their path is rewritten."""

    path: str
    match: Match = "prefix"
    rewrite: str = ""


def derive(ingress: Ingress, secrets: SecretOf, services: ServiceOf) -> Derived:
    """Return the parts of an Ingress that is ours."""
    deriving, spec = _Deriving(ingress, secrets, services), ingress.spec
    for rule in spec.rules:
        for path in rule.http.paths if rule.http else ():
            deriving.add(rule.host, path)
    if spec.default_backend is not None:
        # What is left of the hosts it names; one that names none has what is left of all.
        for host in dict.fromkeys(rule.host for rule in spec.rules) or ("",):
            deriving.add_default(host, spec.default_backend)
    return Derived(tuple(deriving.bounded()), tuple(deriving.notes))


class _Deriving:
    def __init__(self, ingress: Ingress, secrets: SecretOf, services: ServiceOf) -> None:
        self._meta, self._services = ingress.metadata, services
        self._wrong, self._asked = "", Translation()
        try:
            self._asked = nginx.translate(self._meta.annotations)
        except Misread as error:
            self._wrong = str(error)
        self._endings = Endings(ingress, self._asked, secrets, self._tell)
        own = {name: text for name, text in self._meta.annotations.items() if name.startswith(_OWN)}
        asked = dict(self._asked.annotations)
        if any(own.get(name, "").strip() for name in RANGES):
            asked.pop(RANGES[0], None)  # the older name of a Route's comes first as well
        self._annotations = asked | own
        # Each once, in order.
        self.notes = dict.fromkeys(Refusal("AnnotationIgnored", text) for text in self._asked.notes)
        self.notes |= dict.fromkeys(unnamed(ingress))
        self.parts: dict[tuple[str, str, Match], Part] = {}

    def _tell(self, note: Refusal) -> None:
        self.notes[note] = None

    def add(self, host: str, path: IngressPath) -> None:
        """Add the part for a path of a host."""
        shown = f"{host or 'every host'}{path.path or '/'}"
        service = self._service(path.backend, shown)
        if service is None:
            return
        wrong = self._wrong
        place = _Place(path.path)
        try:
            place = self._place(path)
        except Refused as error:
            wrong = wrong or str(error)
        if (host, place.path, place.match) in self.parts:
            self._tell(Refusal("DuplicatePath", f"{shown} is named more than once: the first one counts"))
            return
        self._add(host, place, service, wrong)

    def add_default(self, host: str, backend: IngressBackend) -> None:
        """Add the part for what nobody else has of a host."""
        service = self._service(backend, "spec.defaultBackend")
        if service is not None and (host, "", "prefix") not in self.parts:
            self._add(host, _Place("", "default"), service, self._wrong)

    def _add(self, host: str, place: _Place, service: IngressService, wrong: str) -> None:
        meta = self._meta
        digest = certificates.digest(host, place.path, place.match)[:12]
        tls = None
        try:
            tls = self._endings.of(host)
        except Refused as error:
            wrong = wrong or str(error)
        self.parts[host, place.path, place.match] = Part(
            metadata=Meta(
                name=name_of(meta.name, digest),
                namespace=meta.namespace,
                uid=f"{meta.uid}/{digest}",
                creation_timestamp=meta.creation_timestamp,
                annotations=self._annotations,
            ),
            spec=RouteSpec(
                to=RouteTarget(service.name),
                host=host,
                path=place.path,
                port=self._port(service),
                tls=tls,
                wildcard_policy="Subdomain" if host.startswith("*.") else "",
            ),
            match=place.match,
            rewrite=place.rewrite,
            wrong=wrong,
        )

    def bounded(self) -> list[Part]:
        """Return the parts; all are refused if what each has of lists of ranges is too much together."""
        parts = list(self.parts.values())
        ranges = next((text for name in RANGES if (text := self._annotations.get(name, "").split())), [])
        if len(ranges) * len(parts) <= MOST_RANGES:
            return parts
        wrong = (
            f"annotations: {len(ranges)} ranges of addresses for each of {len(parts)} paths are more than "
            f"{MOST_RANGES} together: join some, or put paths into an Ingress of their own"
        )
        return [msgspec.structs.replace(each, wrong=each.wrong or wrong) for each in parts]

    # which requests

    def _place(self, path: IngressPath) -> _Place:
        """Return which requests a path is for; raises ``Refused``."""
        asked = self._asked
        if self._endings.passthrough:
            if path.path not in ("", "/") or path.path_type == "Exact":
                raise Refused(
                    f"path {path.path}: passed-through TLS shows no paths: leave it out or use / as Prefix"
                )
            return _Place("")
        if len(asked.target) > LONGEST_VALUE:
            raise Refused(
                f"annotation {nginx.PREFIX}rewrite-target: is longer than {LONGEST_VALUE} characters"
            )
        if asked.target and not _TARGET.fullmatch(asked.target.removesuffix("$1").removesuffix("$2")):
            raise Refused(f"annotation {nginx.PREFIX}rewrite-target: {asked.target!r} cannot be followed")
        if "$" in asked.target:
            return self._rest(path)
        if asked.regex and _EXPRESSION.search(path.path):
            raise Refused(
                f"path {path.path}: expressions are not supported, use Prefix or Exact without use-regex"
            )
        rewrite = replacing(asked.target) if asked.target else ""
        if path.path_type == "Exact":
            return _Place(path.path, "exact", rewrite)
        if path.path_type == "Prefix" or path.path == "/":
            return _Place(path.path.rstrip("/"), "prefix", rewrite)
        return _Place(path.path, "prefix", rewrite)

    def _rest(self, path: IngressPath) -> _Place:
        """Return the place of a path whose expression means a plain one and all below it."""
        found, target = _REST.fullmatch(path.path), self._asked.target
        base = target.removesuffix("$2" if found and found[2] else "$1")
        if found is None or "$" in base or not base.endswith("/") or not (found[2] or found[1].endswith("/")):
            raise Refused(
                f"path {path.path}: with rewrite-target {target!r} only PATH(/|$)(.*) for /$2 and PATH/(.*) "
                "for /$1 are supported"
            )
        where = found[1].rstrip("/") if found[2] or found[1] == "/" else found[1]
        return _Place(where, "prefix", inserting(where, base))

    # who answers

    def _service(self, backend: IngressBackend, shown: str) -> IngressService | None:
        if backend.service is None:
            kind = backend.resource.kind if backend.resource else "nothing"
            self._tell(
                Refusal("BackendNotSupported", f"{shown}: {kind} is no backend here, only services are")
            )
        return backend.service

    def _port(self, backend: IngressService) -> RoutePort | None:
        """Return which port of the endpoints a port of a service is: the one of its name, or the only one.

        What is not there yet answers 503, as what has no endpoints does.
        """
        service = self._services(backend.name)
        if service is None:
            self._tell(Refusal("ServiceNotFound", f"service {backend.name} does not exist"))
            return RoutePort(_NOWHERE)
        asked = backend.port.name or backend.port.number
        for port in service.spec.ports:
            if asked in (port.name, port.port):
                return RoutePort(port.name) if port.name else None
        self._tell(Refusal("PortNotFound", lacking(backend.name, service, asked)))
        return RoutePort(_NOWHERE)
