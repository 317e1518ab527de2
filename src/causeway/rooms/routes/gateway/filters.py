"""What a rule does to requests and answers, in the words ``templates/gateway.lua`` reads. Pure.

An order is words joined by ``=``, orders are joined by ``&``; whatever users wrote is encoded as in URLs, so
that no character of theirs ends a word.
"""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from causeway.kube.gateways import HeaderFilter, HTTPFilter, HTTPRule, PathModifier, RedirectFilter
from causeway.rooms.routes.bounds import LONGEST_TEXT
from causeway.rooms.routes.checking import PATH
from causeway.rooms.routes.headers import FRAMING, TOKEN
from causeway.rooms.routes.model import Refused

_DURATION = re.compile(r"(?:[0-9]{1,5}(?:h|ms|m|s)){1,4}", re.ASCII)
_PART = re.compile(r"([0-9]+)(ms|h|m|s)", re.ASCII)
_UNITS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_NEVER = 86_400_000  # milliseconds that stand for no bound
_TEXT = re.compile(r"[ -~]*", re.ASCII)


def order(*words: str) -> str:
    """Return one order."""
    return "=".join(quote(word, safe="/.-_~") for word in words)


def filter_orders(rule: HTTPRule) -> str:
    """Return the orders of a rule's filters; raises ``Refused`` for what cannot be done."""
    found: list[str] = []
    kinds: set[str] = set()
    for each in rule.filters:
        if each.type in kinds:
            raise Refused(f"filter {each.type}: is there more than once")
        kinds.add(each.type)
        found += _orders(each, rule)
    if {"RequestRedirect", "URLRewrite"} <= kinds:
        raise Refused("filters: RequestRedirect and URLRewrite exclude each other")
    orders = "&".join(found)
    if len(orders) > LONGEST_TEXT:
        raise Refused(f"filters: what they say takes more than {LONGEST_TEXT} characters")
    return orders


def _orders(each: HTTPFilter, rule: HTTPRule) -> Iterator[str]:
    match each.type:
        case "RequestHeaderModifier" if each.request_header_modifier is not None:
            yield from _headers("q", each.request_header_modifier)
        case "ResponseHeaderModifier" if each.response_header_modifier is not None:
            yield from _headers("r", each.response_header_modifier)
        case "URLRewrite" if each.url_rewrite is not None:
            if each.url_rewrite.path is not None:
                yield _path(each.url_rewrite.path, rule)
            if each.url_rewrite.hostname:
                yield order("host", each.url_rewrite.hostname)
        case "RequestRedirect" if each.request_redirect is not None:
            if each.request_redirect.path is not None:
                yield _path(each.request_redirect.path, rule)
            yield _redirect(each.request_redirect)
        case _:
            raise Refused(f"filter {each.type}: is not supported")


def _headers(direction: str, headers: HeaderFilter) -> Iterator[str]:
    verbs: Iterable[tuple[str, Iterable[tuple[str, ...]]]] = (
        ("s", [(each.name, each.value) for each in headers.set]),
        ("a", [(each.name, each.value) for each in headers.add]),
        ("d", [(name,) for name in headers.remove]),
    )
    for verb, all_words in verbs:
        for words in all_words:
            if not TOKEN.fullmatch(words[0]):
                raise Refused(f"filter: {words[0]!r} is no name of a header")
            if words[0].lower() in FRAMING:
                raise Refused(f"filter: header {words[0]} cannot be changed")
            if not all(_TEXT.fullmatch(word) for word in words):
                raise Refused(f"filter: the value for {words[0]} is not printable ASCII text")
            yield order(f"{direction}{verb}", *words)


def _path(path: PathModifier, rule: HTTPRule) -> str:
    if path.type == "ReplaceFullPath" and path.replace_full_path is not None:
        if not PATH.fullmatch(path.replace_full_path):
            raise Refused(f"filter: {path.replace_full_path!r} is no path that can be had")
        return order("full", path.replace_full_path)
    if path.type == "ReplacePrefixMatch" and path.replace_prefix_match is not None:
        prefixes = {each.path.value for each in rule.matches if each.path.type == "PathPrefix"}
        if len(prefixes) != 1 or len(prefixes) != len({each.path.value for each in rule.matches}):
            raise Refused("filter ReplacePrefixMatch: needs a rule with one prefix of paths")
        if path.replace_prefix_match and not PATH.fullmatch(path.replace_prefix_match):
            raise Refused(f"filter: {path.replace_prefix_match!r} is no path that can be had")
        return order("prefix", prefixes.pop(), path.replace_prefix_match)
    raise Refused(f"filter: path of type {path.type!r} is not supported")


def _redirect(redirect: RedirectFilter) -> str:
    if redirect.scheme not in ("", "http", "https"):
        raise Refused(f"filter RequestRedirect: scheme {redirect.scheme!r} is not supported")
    if redirect.status_code not in (301, 302, 303, 307, 308):
        raise Refused(f"filter RequestRedirect: status {redirect.status_code} is not supported")
    port = str(redirect.port or "")
    return order("redirect", str(redirect.status_code), redirect.scheme, redirect.hostname, port)


def timeout(rule: HTTPRule) -> int:
    """Return the milliseconds a rule's application may take, 0 if nothing is said; raises ``Refused``."""
    said = [
        min(_milliseconds(each) or _NEVER, _NEVER)
        for each in (rule.timeouts.request, rule.timeouts.backend_request)
        if each
    ]
    return min(said, default=0)


def _milliseconds(text: str) -> int:
    if not _DURATION.fullmatch(text):
        raise Refused(f"timeouts: {text!r} is no duration")
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))
