"""Platform files that are wrong, each with the places and words of what must be said about it.

``BASE`` is right. A case replaces one text in it (or all of it) and names, for each finding, the line and
column and words that must occur in cause or remedy.
"""

from dataclasses import dataclass

BASE = """\
apiVersion: causeway.dev/v1alpha1
kind: Platform
metadata:
  name: demo
spec:
  cloud: lab
  kubernetes:
    version: v1.35.4
  networks:
    external: ext
    nodes: {cidr: 10.10.0.0/24}
    pods: {cidr: 10.20.0.0/16}
    services: {cidr: 172.30.0.0/16}
  pools:
    - name: master
      role: master
      count: 1
      flavor: m
      image: node
    - name: work
      role: compute
      count: 2
      flavor: n
      image: node
      containerStorage: {size: 10}
"""

Expected = tuple[str, tuple[str, ...]]  # "line:column", words


@dataclass(frozen=True)
class Wrong:
    """A wrong file and every finding that is expected, in order."""

    name: str
    text: str
    expected: tuple[Expected, ...]


def edit(name: str, old: str, new: str, place: str, *words: str) -> Wrong:
    """Return ``BASE`` with ``old`` replaced once by ``new``, wrong at one place."""
    assert BASE.count(old) == 1, f"{name}: {old!r} occurs {BASE.count(old)} times"
    return Wrong(name, BASE.replace(old, new), ((place, words),))


def whole(name: str, text: str, place: str, *words: str) -> Wrong:
    """Return a file of its own, wrong at one place."""
    return Wrong(name, text, ((place, words),))


IPV6 = 'ipv6: {nodes: "fd00:10::/64", pods: "fd00:20::/64", services: "fd00:30::/108"}'


def ipv6(name: str, nodes: str, pods: str, services: str, place: str, *words: str) -> Wrong:
    ranges = f'ipv6: {{nodes: "{nodes}", pods: "{pods}", services: "{services}"}}'
    return edit(name, "external: ext", f"external: ext\n    {ranges}", place, *words)


WRONG = (
    # Not YAML, or not one document
    whole("empty", "", "1:1", "the file is empty"),
    whole("comment only", "# nothing here\n", "1:1", "the file is empty"),
    whole("list", "- kind: Platform\n", "1:1", "expected a mapping", "found a list"),
    whole("scalar", "hello\n", "1:1", "expected a mapping", "'hello' (text)"),
    whole("unclosed bracket", "kind: [Platform\n", "2:1", "not YAML", "sequence"),
    whole("control character", "kind: Platform\x07\n", "1:15", "not YAML", "Take the character out"),
    whole("two documents", BASE + "---\n" + BASE, "27:1", "expected one document, found 2"),
    edit("tab", "  cloud: lab", "\tcloud: lab", "6:1", "not YAML", "Indent with spaces"),
    edit("bad indent", "  cloud: lab", "   cloud: lab", "7:3", "not YAML"),
    edit(
        "duplicate key", "  cloud: lab\n", "  cloud: lab\n  cloud: prod\n", "7:3", "spec.cloud", "in line 6"
    ),
    edit(
        "key is a number", "  cloud: lab\n", "  cloud: lab\n  1: x\n", "7:3", "as a key", "1 (a whole number)"
    ),
    edit("python tag", "name: demo", "name: !!python/name:os.system x", "4:9", "tag", "python"),
    edit("endless alias", "pods: {cidr: 10.20.0.0/16}", "pods: &a {cidr: *a}", "12:11", "alias"),
    whole("too deep", "[" * 5000, "1:1", "nested too deeply"),
    Wrong(
        "rather deep",
        BASE.replace("cloud: lab", "cloud: " + "[" * 200 + "]" * 200),
        (("6:10", ("expected text, found a list",)), ("6:39", ("nested too deeply",))),
    ),
    edit("no character", "cloud: lab", 'cloud: "\\0"', "6:10", "a character that no text has"),
    edit("half a character", "cloud: lab", 'cloud: "\\ud800"', "6:10", "a character that no text has"),
    edit("octal", "count: 2", "count: 010", "22:14", "expected a decimal number, found 010"),
    edit("sixties", "count: 2", "count: 1:30", "22:14", "expected a decimal number, found 1:30"),
    edit("endless number", "count: 2", "count: " + "9" * 5000, "22:14", "expected a decimal number"),
    # Another thing than a platform
    edit(
        "wrong kind", "kind: Platform", "kind: Deployment", "2:7", "kind: expected Platform", "'Deployment'"
    ),
    edit("old version", "v1alpha1", "v1", "1:13", "expected causeway.dev/v1alpha1", "'causeway.dev/v1'"),
    edit("kind is a list", "kind: Platform", "kind: [Platform]", "2:7", "expected Platform, found a list"),
    # Keys
    edit(
        "unknown key",
        "  cloud: lab",
        "  cloud: lab\n  colour: red",
        "7:3",
        "spec.colour: there is no such key",
    ),
    edit("mistyped key", "  cloud: lab", "  cloud: lab\n  sshkey: me", "7:3", "Did you mean sshKey?"),
    edit("snake case", "containerStorage", "container_storage", "25:7", "Did you mean containerStorage?"),
    edit("missing name", "  name: demo\n", "  {}\n", "3:1", "metadata.name: expected this key"),
    edit("missing flavor", "      flavor: n\n", "", "20:7", "spec.pools[1].flavor: expected this key"),
    # Types
    edit("text for number", "count: 2", "count: two", "22:14", "a whole number", "'two' (text)"),
    edit("quoted number", "count: 2", "count: '2'", "22:14", "a whole number", "without quotes"),
    edit("fraction", "count: 2", "count: 2.5", "22:14", "a whole number", "2.5 (a number)"),
    edit(
        "boolean for text", "cloud: lab", "cloud: yes", "6:10", "expected text", "yes (a boolean)", "quotes"
    ),
    edit("date for text", "name: demo", "name: 2026-11-20", "4:9", "expected text", "2026-11-20 (a date)"),
    edit("version is a number", "v1.35.4", "1.35", "8:14", "expected text", "1.35 (a number)"),
    edit("nothing for text", "cloud: lab", "cloud:", "6:9", "spec.cloud: expected text, found nothing"),
    edit(
        "scalar for mapping",
        "nodes: {cidr: 10.10.0.0/24}",
        "nodes: 10.10.0.0/24",
        "11:12",
        "expected a mapping",
    ),
    edit(
        "mapping for list",
        "external: ext",
        "external: ext\n    dnsNameservers: {a: b}",
        "11:21",
        "expected a list",
    ),
    # Values
    edit("capital letters", "name: demo", "name: Demo", "4:9", "a DNS label", "'Demo'"),
    edit("name too long", "name: demo", f"name: {'d' * 41}", "4:9", "at most 40 characters"),
    edit("no v", "v1.35.4", "1.35.4", "8:14", "a release such as v1.35.4", "'1.35.4'"),
    edit("too old", "v1.35.4", "v1.20.15", "8:14", "v1.31.0 or newer", "v1.20.15"),
    edit("unknown role", "role: compute", "role: worker", "21:13", "master, infra or compute", "'worker'"),
    edit("negative count", "count: 2", "count: -1", "22:14", "from 0 to 1000"),
    edit("storage too large", "size: 10", "size: 99999", "25:32", "from 1 to 16384"),
    edit("empty text", "flavor: n\n", "flavor: ''\n", "23:15", "spec.pools[1].flavor: expected text"),
    edit(
        "unknown policy",
        "      flavor: n\n",
        "      flavor: n\n      serverGroupPolicy: spread\n",
        "24:26",
        "affinity, anti-affinity, soft-affinity or soft-anti-affinity",
    ),
    edit("host bits", "10.10.0.0/24", "10.10.0.7/24", "11:19", "an IPv4 range", "Write 10.10.0.0/24"),
    edit("prefix too long", "10.10.0.0/24", "10.10.0.0/33", "11:19", "an IPv4 range", "'10.10.0.0/33'"),
    edit("IPv6", "10.20.0.0/16", "'fd00::/64'", "12:18", "an IPv4 range"),
    edit("no prefix", "10.20.0.0/16", "10.20.0.0", "12:18", "/28 or larger", "10.20.0.0/32"),
    edit("loopback", "10.20.0.0/16", "127.0.0.0/16", "12:18", "a range that hosts may have"),
    edit(
        "name server is a name",
        "external: ext",
        "external: ext\n    dnsNameservers: [dns1]",
        "11:22",
        "an IPv4 address",
    ),
    # Rules over several keys
    edit(
        "ranges overlap",
        "10.20.0.0/16",
        "10.0.0.0/8",
        "12:18",
        "apart from nodes (10.10.0.0/24)",
        "10.0.0.0/8",
    ),
    edit("services too small", "172.30.0.0/16", "172.30.0.0/28", "13:22", "prefix length from 11 to 27"),
    edit(
        "half an existing network",
        "pods: {cidr: 10.20.0.0/16}",
        "pods: {network: p}",
        "12:11",
        "only network",
    ),
    edit(
        "both forms",
        "{cidr: 10.20.0.0/16}",
        "{cidr: 10.20.0.0/16, network: p}",
        "12:41",
        "either cidr, or network",
    ),
    edit("neither form", "{cidr: 10.20.0.0/16}", "{}", "12:11", "either cidr, or network", "neither"),
    edit("nodes do not fit", "count: 2", "count: 300", "11:19", "room for 307 addresses", "with 254"),
    edit("no master", "role: master", "role: infra", "15:5", "one pool with role master, found none"),
    Wrong(
        "two masters",
        BASE.replace("role: compute", "role: master"),
        (
            ("15:5", ("at least one node of role infra or compute",)),
            ("21:13", ("one pool with role master, found another",)),
        ),
    ),
    edit("even masters", "count: 1", "count: 2", "17:14", "1, 3 or 5 masters", "found 2"),
    edit("no workers", "count: 2", "count: 0", "15:5", "at least one node of role infra or compute"),
    edit(
        "same name twice", "name: work", "name: master", "20:13", "a name no other pool has", "'master' again"
    ),
    # Second addresses, and networks of namespaces
    ipv6("IPv6 nodes too large", "fd00:10::/48", "fd00:20::/64", "fd00:30::/108", "11:19", "a /64"),
    ipv6("IPv6 nodes public", "2001:db8::/64", "fd00:20::/64", "fd00:30::/108", "11:19", "fc00::/7"),
    ipv6("IPv6 services too large", "fd00:10::/64", "fd00:20::/64", "fd00:30::/64", "11:67", "107 to 120"),
    ipv6("IPv6 overlap", "fd00:10::/64", "fd00:10::/64", "fd00:30::/108", "11:41", "apart from nodes"),
    edit(
        "IPv6 on an existing network",
        "pods: {cidr: 10.20.0.0/16}",
        f"pods: {{network: p, subnet: s}}\n    {IPV6}",
        "13:11",
        "existing networks for pods",
    ),
    edit(
        "namespaces overlap",
        "external: ext",
        "external: ext\n    namespaces: {cidr: 10.20.0.0/20}",
        "11:24",
        "apart from pods",
    ),
    edit(
        "namespaces too small",
        "external: ext",
        "external: ext\n    namespaces: {cidr: 10.40.0.0/25}",
        "11:5",
        "spec.networks.namespaces.prefixLength",
    ),
    edit(
        "namespaces with IPv6 alone",
        "external: ext",
        'external: ext\n    namespaces: {cidr: 10.40.0.0/16, ipv6Cidr: "fd00:40::/48"}',
        "11:48",
        "networks.ipv6 as well",
    ),
    # Names
    edit(
        "zone no domain", "cloud: lab", "cloud: lab\n  names: {zone: Shop}", "7:17", "a domain in lower case"
    ),
    edit(
        "owner with blanks",
        "cloud: lab",
        "cloud: lab\n  names: {zone: example.org, ownerId: a b}",
        "7:39",
        "letters, digits, hyphens",
    ),
    edit(
        "both affixes",
        "cloud: lab",
        "cloud: lab\n  names: {zone: example.org, txtPrefix: a, txtSuffix: b}",
        "7:55",
        "either txtPrefix or txtSuffix",
    ),
    edit(
        "registry without a host",
        "cloud: lab",
        "cloud: lab\n  registry: {storage: cinder}",
        "7:13",
        "a host, as neither",
        "Add registry.host",
    ),
    edit(
        "registry of an unknown kind",
        "cloud: lab",
        "cloud: lab\n  registry: {storage: disk, host: registry.example.org}",
        "7:23",
        "cinder, swift or s3",
    ),
    edit(
        "bucket of a volume",
        "cloud: lab",
        "cloud: lab\n  registry: {storage: s3, host: registry.example.org}",
        "7:13",
        "storage s3 together with s3",
        "storage s3 without s3",
    ),
    edit(
        "bucket without a scheme",
        "cloud: lab",
        "cloud: lab\n  registry: {storage: s3, host: a.example.org, s3: {endpoint: s3, bucket: images}}",
        "7:63",
        "a URL such as",
    ),
    edit(
        "bucket by no name",
        "cloud: lab",
        "cloud: lab\n  registry: {storage: s3, host: a.example.org, s3: {endpoint: 'http://s', bucket: A b}}",
        "7:83",
        "a bucket's name",
    ),
    Wrong(
        "registry without what it needs",
        BASE.replace("version: v1.35.4", "version: v1.33.2").replace(
            "cloud: lab",
            "cloud: lab\n  registry: {storage: cinder, host: a.example.org}\n  volumes: {install: false}",
        ),
        (
            ("8:22", ("true, for a registry on a volume",)),
            ("10:14", ("v1.34.0 or newer, for a registry",)),
        ),
    ),
    edit(
        "shares without the volume driver",
        "cloud: lab",
        "cloud: lab\n  shares: {classes: {files: {protocol: NFS}}}\n  volumes: {install: false}",
        "8:22",
        "true, for shares",
    ),
    edit(
        "class of shares that is the one of volumes",
        "cloud: lab",
        "cloud: lab\n  shares: {classes: {cinder: {protocol: NFS}}}",
        "7:30",
        "another name",
    ),
    edit(
        "class of shares of an unknown protocol",
        "cloud: lab",
        "cloud: lab\n  shares: {classes: {files: {protocol: SMB}}}",
        "7:40",
        "NFS",
    ),
    edit("no class of shares", "cloud: lab", "cloud: lab\n  shares: {classes: {}}", "7:21", "at least one"),
    # The router
    edit(
        "policy for wildcards that is none",
        "cloud: lab",
        "cloud: lab\n  router: {routeAdmission: {wildcardPolicy: Allowed}}",
        "7:45",
        "WildcardsAllowed or WildcardsDisallowed",
    ),
    edit(
        "label that is none",
        "cloud: lab",
        "cloud: lab\n  router: {routeSelector: {matchLabels: {team: blue, -team: a b}}}",
        "7:61",
        "a label such as",
        "-team: a b",
    ),
    edit(
        "label whose value is no text",
        "cloud: lab",
        "cloud: lab\n  router: {namespaceSelector: {matchLabels: {exposed: true}}}",
        "7:55",
        "expected text",
        "quotes",
    ),
    edit(
        "selector without a label",
        "cloud: lab",
        "cloud: lab\n  router: {routeSelector: {matchLabels: {}}}",
        "7:41",
        "at least one",
    ),
    edit(
        "clients of nobody",
        "cloud: lab",
        "cloud: lab\n  router: {clientTLS: {clientCertificatePolicy: Required}}",
        "7:12",
        "spec.router.clientTLS.clientCA: expected this key",
    ),
    edit(
        "clients' authorities in a name that no object has",
        "cloud: lab",
        "cloud: lab\n"
        "  router: {clientTLS: {clientCertificatePolicy: Required, clientCA: {name: our_partners}}}",
        "7:76",
        "a name in lower case",
        "our_partners",
    ),
    edit(
        "clients' authorities in the copy that is ours",
        "cloud: lab",
        "cloud: lab\n  router: {clientTLS: {clientCertificatePolicy: Required, clientCA: "
        "{name: causeway-router-clients}}}",
        "7:76",
        "a ConfigMap of your own",
        "Give yours another name.",
    ),
    edit(
        "label with a prefix that is no domain",
        "cloud: lab",
        "cloud: lab\n  router: {routeSelector: {matchLabels: {a..b/team: blue}}}",
        "7:53",
        "a label such as",
    ),
    edit(
        "registry that the router does not look at",
        "cloud: lab",
        "cloud: lab\n  router: {suffix: a.example, namespaceSelector: {matchLabels: {a: b}}}\n"
        "  registry: {storage: cinder}",
        "7:50",
        "its Route is in kube-system",
    ),
    # Several at once
    Wrong(
        "several",
        BASE.replace("10.10.0.0/24", "10.10.0.1/24")
        .replace("count: 2", "count: x")
        .replace("cloud: lab", "clod: l"),
        (
            ("5:1", ("spec.cloud: expected this key",)),
            ("6:3", ("spec.clod: there is no such key", "Did you mean cloud?")),
            ("11:19", ("an IPv4 range",)),
            ("22:14", ("spec.pools[1].count",)),
        ),
    ),
)
