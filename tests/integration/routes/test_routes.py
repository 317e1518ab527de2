"""What users do with routes, through a real HAProxy, without a reload of it."""

import asyncio

import aiohttp
from tests.integration.routes.conftest import StartApplication
from tests.integration.routes.front_door import until
from tests.integration.routes.stage import SUFFIX, Site

from causeway.kube.routes import ROUTES


async def test_a_new_route_answers_and_a_removed_one_does_not(
    site: Site, application: StartApplication
) -> None:
    await site.namespace("t-new")
    await site.endpoints("t-new", "shop", [await application("shop")])
    worker = await site.router.worker()
    await site.route("t-new", "shop")
    answer = await site.router.answers(f"shop-t-new.{SUFFIX}", "shop", "/a?b=c")
    assert answer.body["path"] == "/a?b=c"
    assert answer.body["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert answer.body["headers"]["x-forwarded-proto"] == "http"
    # What only the router may say of a client's certificate, no client can say itself.
    forged = {
        "X-SSL": "1",
        "X-SSL-Client-CN": "root",
        "x-ssl-client-verify": "0",
        "X-SSL-Issuer": "x",
        "Proxy": "x",
    }
    got = await site.router.get(f"shop-t-new.{SUFFIX}", headers={**forged, "X-SSL-Other": "kept"})
    assert not {name.lower() for name in forged} & got.body["headers"].keys()
    assert got.body["headers"]["x-ssl-other"] == "kept"
    entry = await site.told("t-new", "shop", "True")
    assert entry["host"] == f"shop-t-new.{SUFFIX}"
    route = await site.admin.get(ROUTES, "shop", "t-new")
    assert route["metadata"]["annotations"]["openshift.io/host.generated"] == "true"
    await site.admin.delete(ROUTES, "shop", "t-new")

    async def gone() -> bool:
        return (await site.router.get(f"shop-t-new.{SUFFIX}")).status == 503

    await until(gone, "the route is gone")
    assert await site.router.worker() == worker


async def test_endpoints_weights_and_paths_change_without_a_reload(
    site: Site, application: StartApplication
) -> None:
    await site.namespace("t-changes")
    one, two = await application("one"), await application("two")
    await site.endpoints("t-changes", "shop", [one])
    await site.endpoints("t-changes", "next", [two])
    no_cookies = {"haproxy.router.openshift.io/disable_cookies": "true"}
    host = "changes.apps.example"
    await site.route("t-changes", "shop", host=host, annotations=no_cookies)
    await site.router.answers(host, "one")
    worker = await site.router.worker()

    await site.endpoints("t-changes", "shop", [two])
    await site.router.answers(host, "two")
    await site.endpoints("t-changes", "shop", [one])
    await site.router.answers(host, "one")

    shares = {"alternateBackends": [{"kind": "Service", "name": "next", "weight": 100}]}
    to = {"kind": "Service", "name": "shop", "weight": 0}
    await site.route("t-changes", "shop", host=host, annotations=no_cookies, to=to, **shares)

    async def moved() -> bool:
        return {(await site.router.get(host)).application for _ in range(8)} == {"two"}

    await until(moved, "all requests go to the service that has all the weight")

    await site.route("t-changes", "shop", host=host, annotations=no_cookies, path="/shop")
    await site.router.answers(host, "one", "/shop")
    await site.router.answers(host, "one", "/shop/basket?a=b")

    async def narrowed() -> bool:
        """Of the new ways and the old, these go last."""
        return {(await site.router.get(host, path)).status for path in ("/", "/shopping")} == {503}

    await until(narrowed, "no other path is answered")
    assert await site.router.worker() == worker


async def test_the_longest_path_has_the_request(site: Site, application: StartApplication) -> None:
    await site.namespace("t-paths")
    host = "paths.apps.example"
    for name, path in (("root", ""), ("a", "/a"), ("ab", "/a/b"), ("abs", "/a/b/")):
        await site.endpoints("t-paths", name, [await application(name)])
        await site.route("t-paths", name, host=host, path=path)
    for path, name in {
        "/": "root",
        "/ab": "root",
        "/a": "a",
        "/a/": "a",
        "/a/bc": "a",
        "/a/b": "ab",
        "/a/b/": "abs",
        "/a/b/c/d": "abs",
    }.items():
        await site.router.answers(host, name, path)
    assert (await site.router.get("PATHS.Apps.Example:8080", "/A")).application == "root"


async def test_of_two_namespaces_the_older_has_the_host(site: Site, application: StartApplication) -> None:
    host = "claimed.apps.example"
    for namespace in ("t-first", "t-second"):
        await site.namespace(namespace)
        await site.endpoints(namespace, "shop", [await application(namespace)])
    first = await site.route("t-first", "shop", host=host)
    await site.told("t-first", "shop", "True")
    await site.router.answers(host, "t-first")

    async def later() -> bool:
        """Creation is told to the second."""
        await site.route("t-second", "clock", host="clock.apps.example")
        clock = await site.admin.get(ROUTES, "clock", "t-second")
        await site.admin.delete(ROUTES, "clock", "t-second")
        return bool(clock["metadata"]["creationTimestamp"] > first["metadata"]["creationTimestamp"])

    await until(later, "a second has passed")
    await site.route("t-second", "shop", host=host)
    entry = await site.told("t-second", "shop", "False", "HostAlreadyClaimed")
    assert "another namespace" in entry["conditions"][0]["message"]
    assert (await site.router.get(host)).application == "t-first"
    await site.admin.delete(ROUTES, "shop", "t-first")
    await site.router.answers(host, "t-second")
    await site.told("t-second", "shop", "True")


async def test_what_a_route_lacks_is_told(site: Site) -> None:
    await site.namespace("t-lacking")
    await site.route("t-lacking", "shop", to={"kind": "Service", "name": "shoop"})
    name = "s" * 60  # with its namespace longer than a label can be
    await site.route("t-lacking", name)
    entry = await site.told("t-lacking", name, "False", "InvalidHost")
    assert f"{name}-t-lacking has 70 characters, 63 are possible" in entry["conditions"][0]["message"]
    assert "give spec.host" in await site.event("t-lacking", name, "InvalidHost")
    assert not (await site.admin.get(ROUTES, name, "t-lacking"))["spec"].get("host")
    assert "service shoop does not exist" in await site.event("t-lacking", "shop", "ServiceNotFound")
    await site.told("t-lacking", "shop", "True")


async def test_a_wildcard_answers_for_one_label(site: Site, application: StartApplication) -> None:
    await site.namespace("t-wild")
    for name in ("wild", "exact"):
        await site.endpoints("t-wild", name, [await application(name)])
    await site.route("t-wild", "wild", host="any.wild.example", wildcardPolicy="Subdomain")
    await site.route("t-wild", "exact", host="exact.wild.example")
    await site.router.answers("some.wild.example", "wild")
    await site.router.answers("exact.wild.example", "exact")
    for host in ("wild.example", "a.b.wild.example"):
        assert (await site.router.get(host)).status == 503


async def test_sessions_stick_and_end_with_their_server(site: Site, application: StartApplication) -> None:
    await site.namespace("t-sticky")
    host = "sticky.apps.example"
    applications = [await application(f"a{number}") for number in range(4)]
    await site.endpoints("t-sticky", "shop", applications)
    await site.route("t-sticky", "shop", host=host, path="/shop")

    async def reached() -> bool:
        return len({(await site.router.get(host, "/shop")).application for _ in range(20)}) == 4

    await until(reached, "all servers have requests")
    first = await site.router.get(host, "/shop")
    cookie = first.headers["set-cookie"]
    assert cookie.startswith("causeway=")
    assert "; path=/shop; HttpOnly" in cookie
    mine = {"Cookie": f"other=1; {cookie.partition(';')[0]}"}
    for _ in range(10):
        again = await site.router.get(host, "/shop", headers=mine)
        assert again.application == first.application
        assert "set-cookie" not in again.headers
        assert again.body["headers"]["cookie"] == "other=1"
    await site.endpoints(
        "t-sticky", "shop", [each for each in applications if each.name != first.application]
    )

    async def moved() -> bool:
        answer = await site.router.get(host, "/shop", headers=mine)
        return answer.status == 200 and answer.application != first.application

    await until(moved, "the session goes on elsewhere")


async def test_a_websocket_goes_through(site: Site, application: StartApplication) -> None:
    await site.namespace("t-socket")
    await site.endpoints("t-socket", "chat", [await application("chat")])
    await site.route("t-socket", "chat", host="chat.apps.example")
    await site.router.answers("chat.apps.example", "chat")
    url = f"http://127.0.0.1:{site.router.http}/socket"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, headers={"Host": "chat.apps.example"}) as socket,
    ):
        await socket.send_str("hello")
        assert (await socket.receive_str()) == "chat heard hello"
        await site.endpoints("t-socket", "chat", [])  # its server takes no new requests, and this one goes on

        async def alone() -> bool:
            return (await site.router.get("chat.apps.example")).status == 503

        await until(alone, "there is no server left")
        await socket.send_str("still there")
        assert (await socket.receive_str()) == "chat heard still there"


async def test_annotations_are_followed(site: Site, application: StartApplication) -> None:
    await site.namespace("t-options")
    await site.endpoints("t-options", "shop", [await application("shop")])
    host, prefix = "options.apps.example", "haproxy.router.openshift.io/"
    worker = await site.router.worker()
    await site.route(
        "t-options",
        "shop",
        host=host,
        path="/shop",
        annotations={
            f"{prefix}rewrite-target": "/app",
            f"{prefix}timeout": "300ms",
            f"{prefix}set-forwarded-headers": "never",
            f"{prefix}ip_allowlist": "127.0.0.0/8",
        },
    )
    answer = await site.router.answers(host, "shop", "/shop/a/b?c=d")
    assert answer.body["path"] == "/app/a/b?c=d"
    assert "x-forwarded-for" not in answer.body["headers"]
    for path, rewritten in (("/shop", "/app"), ("/shop/", "/app/")):
        # Not the first answer there is: the application may take longer than it is given.
        assert (await site.router.answers(host, "shop", path)).body["path"] == rewritten
    assert (await site.router.get(host, "/shop?hold")).status == 504
    await site.route("t-options", "shop", host=host, annotations={f"{prefix}ip_allowlist": "10.0.0.0/8"})

    async def denied() -> bool:
        return (await site.router.get(host)).status == 403

    await until(denied, "who is not on the list is denied")
    assert await site.router.worker() == worker
    await site.route("t-options", "shop", host=host, annotations={f"{prefix}unheard-of": "x"})
    entry = await site.told("t-options", "shop", "False", "ExtendedValidationFailed")
    assert "unheard-of" in entry["conditions"][0]["message"]


async def test_what_only_the_configuration_can_say_comes_by_a_load_that_loses_nothing(
    site: Site, application: StartApplication
) -> None:
    await site.namespace("t-kinds")
    shop = await application("shop")
    await site.endpoints("t-kinds", "shop", [shop])
    host, patient = "kinds.apps.example", {"haproxy.router.openshift.io/timeout": "300s"}
    await site.route("t-kinds", "shop", host=host, annotations=patient)
    await site.router.answers(host, "shop")
    worker = await site.router.worker()
    slow = asyncio.create_task(site.router.get(host, "/?hold"))
    await until(shop.holds, "the slow request is on its way")
    actions = {
        "request": [
            {"name": "X-Asked", "action": {"type": "Set", "set": {"value": "it's %[req.hdr(host)]"}}}
        ],
        "response": [{"name": "Server", "action": {"type": "Delete"}}],
    }
    await site.route("t-kinds", "shop", host=host, annotations=patient, httpHeaders={"actions": actions})

    async def changed() -> bool:
        answer = await site.router.get(host)
        assert answer.status == 200
        return answer.body["headers"].get("x-asked") == f"it's {host}" and "server" not in answer.headers

    await until(changed, "the headers are changed")
    assert await site.router.worker() != worker
    assert not slow.done()
    shop.released.set()
    assert (await slow).status == 200
