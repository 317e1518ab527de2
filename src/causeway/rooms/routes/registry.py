"""All routes and who of them has a host, kept up to date change by change."""

from causeway.kube.objects import key_of
from causeway.kube.routes import Route
from causeway.rooms.routes.admission import Rules, admit, domain_of, domains_of, host_of, is_deep, is_wildcard
from causeway.rooms.routes.model import Refusal
from causeway.rooms.routes.parts import Opening, Rule


class Registry:
    """Routes by key, host and domain; a change is judged together with only those it can concern."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._routes: dict[str, Route] = {}
        self._hosts: dict[str, set[str]] = {}
        self._domains: dict[str, set[str]] = {}
        self._wildcards: dict[str, set[str]] = {}  # keys, by domain
        self._below: dict[str, set[str]] = {}  # keys, by each domain that a host is below
        self._deep: dict[str, set[str]] = {}  # keys of wildcards for all that is below, by domain
        self._verdicts: dict[str, Refusal | None] = {}
        self._touched_hosts: set[str] = set()
        self._touched_domains: set[str] = set()
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._routes)

    def get(self, key: str) -> Route | None:
        """Return the route of a key, if there is one."""
        return self._routes.get(key)

    def keys(self) -> list[str]:
        """Return the key of every route."""
        return list(self._routes)

    def verdict(self, key: str) -> Refusal | None:
        """Return why the route may not have its host, or None."""
        return self._verdicts.get(key)

    def put(self, route: Route) -> None:
        """Take a route in, or as it is now."""
        key = key_of(route)
        self.remove(key)
        self._routes[key] = route
        self._index(key, route, add=True)

    def remove(self, key: str) -> None:
        """Forget a route."""
        route = self._routes.pop(key, None)
        if route is not None:
            self._index(key, route, add=False)
            self._verdicts.pop(key, None)

    def settle(self) -> set[str]:
        """Judge anew what changed; return the keys of routes that did, or whose verdict did."""
        groups: list[set[str]] = []
        spanned: set[str] = set()
        for domain in self._touched_domains:
            over = self._over(f"*.{domain}")
            if over is None:
                groups.append(self._domains.get(domain, set()))
            else:
                spanned.add(over)
        for host in self._touched_hosts:
            over = self._over(host)
            if over is not None:
                spanned.add(over)
            elif domain_of(host) not in self._touched_domains:
                groups.append(self._hosts.get(host, set()))
        groups += [self._below[each] for each in spanned]
        for group in groups:
            for key, verdict in admit([self._routes[each] for each in group], self._rules).items():
                if key not in self._verdicts or self._verdicts[key] != verdict:
                    self._changed.add(key)
                self._verdicts[key] = verdict
        changed = self._changed
        self._changed, self._touched_hosts, self._touched_domains = set(), set(), set()
        return changed

    def _over(self, host: str) -> str | None:
        """Return the highest domain with a wildcard for all below it that a host is below."""
        return next((each for each in reversed(domains_of(host)) if each in self._deep), None)

    def _index(self, key: str, route: Route, *, add: bool) -> None:
        self._changed.add(key)
        if isinstance(route, Rule | Opening):  # claims nothing
            return
        host = host_of(route, self._rules)
        domain = domain_of(host)
        places = [(self._hosts, host), (self._domains, domain)]
        places += [(self._below, each) for each in domains_of(host)]
        if is_wildcard(route):
            places.append((self._wildcards, domain))
        if is_deep(route):
            places.append((self._deep, domain))
            others = [
                host_of(self._routes[each], self._rules) for each in self._below.get(domain, set()) - {key}
            ]
            self._touched_hosts.update(others)
            self._touched_domains.update(map(domain_of, others))
        if self._wildcards.get(domain) or is_wildcard(route):
            self._touched_domains.add(domain)
        for index, place in places:
            if add:
                index.setdefault(place, set()).add(key)
            elif key in index.get(place, ()):
                index[place].discard(key)
                if not index[place]:
                    del index[place]
        self._touched_hosts.add(host)
