"""The simulated network service: objects in tables, with what Neutron adds to them.

All its collections work alike: create one or several, list with filters and fields, get, update, delete,
replace tags. What is particular (addresses, subports, rules) is in the few hooks below.
"""

import ipaddress
import itertools
import uuid
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from bench.simulator.answers import Object, Refused, answer, carries, missing, neutron_error, shown, think

PROJECT = "0123456789abcdef0123456789abcdef"
COLLECTIONS = {
    "networks": "network",
    "subnets": "subnet",
    "routers": "router",
    "ports": "port",
    "trunks": "trunk",
    "floatingips": "floatingip",
    "security-groups": "security_group",
    "security-group-rules": "security_group_rule",
    "address-groups": "address_group",
}
_NOT_FILTERS = {"fields", "tags", "marker", "limit"}
_RULE = (
    "protocol",
    "port_range_min",
    "port_range_max",
    "remote_ip_prefix",
    "remote_group_id",
    "remote_address_group_id",
)
_DEFAULTS: dict[str, Object] = {
    "networks": {"mtu": 1442, "subnets": []},
    "subnets": {"gateway_ip": None, "ip_version": 4},
    "ports": {"status": "DOWN", "device_id": "", "device_owner": "", "admin_state_up": True},
    "trunks": {"status": "ACTIVE", "sub_ports": []},
    "floatingips": {"status": "DOWN", "port_id": None, "fixed_ip_address": None},
    "address-groups": {"addresses": []},
    "security-group-rules": dict.fromkeys(_RULE),
}


class Network:
    """The network service."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Object]] = {name: {} for name in COLLECTIONS}
        self._addresses: dict[str, Iterator[Any]] = {}  # free addresses by subnet
        self._numbers = itertools.count(1)
        self._trunk_of: dict[str, str] = {}  # port of a subport -> its trunk

    def application(self) -> web.Application:
        """Return the service's doors."""
        application = web.Application(middlewares=[_refusals], client_max_size=64 << 20)
        base = "/v2.0/{collection}"
        one = base + "/{id}"
        application.add_routes(
            [
                web.get("/v2.0/extensions/{alias}", self._extension),
                web.get(base, self._list),
                web.post(base, self._create),
                web.get(one, self._get),
                web.put(one, self._update),
                web.delete(one, self._delete),
                web.put(one + "/{verb}", self._act),
            ]
        )
        return application

    def make(self, collection: str, wanted: Object) -> Object:
        """Make an object, with what the service adds to it. Raises ``Refused``."""
        thing = {
            "id": str(uuid.uuid4()),
            "project_id": PROJECT,
            "name": "",
            "description": "",
            "tags": [],
            **{key: _copy(value) for key, value in _DEFAULTS.get(collection, {}).items()},
            **wanted,
        }
        if collection == "ports":
            self._address(thing)
        elif collection == "subnets":
            self._range(thing)
        elif collection == "trunks":
            self._check_free(thing["port_id"])
        elif collection == "floatingips":
            thing["floating_ip_address"] = str(ipaddress.IPv4Address("172.24.0.0") + next(self._numbers))
        elif collection == "security-group-rules":
            self._rule(thing)
        self.tables[collection][thing["id"]] = thing
        if collection == "security-groups":
            thing["security_group_rules"] = []
            for family in ("IPv4", "IPv6"):
                rule = {"security_group_id": thing["id"], "direction": "egress", "ethertype": family}
                self.make("security-group-rules", rule)
        return thing

    async def _extension(self, _request: web.Request) -> web.Response:
        await think(writes=False)
        return answer({"extension": {}})

    async def _list(self, request: web.Request) -> web.Response:
        collection, table = self._table(request)
        query = request.query
        filters = {key: set(query.getall(key)) for key in query if key not in _NOT_FILTERS}
        tags = query.getall("tags", [])
        found = [
            thing
            for thing in table.values()
            if carries(thing, tags)
            and all(str(thing.get(key, "")) in values for key, values in filters.items())
        ]
        await think(writes=False, things=len(found))
        fields = query.getall("fields", [])
        return answer({collection.replace("-", "_"): [shown(thing, fields) for thing in found]})

    async def _create(self, request: web.Request) -> web.Response:
        collection, _ = self._table(request)
        body: Object = await request.json()
        one, several = COLLECTIONS[collection], collection.replace("-", "_")
        wanted: list[Object] = body[several] if several in body else [body[one]]
        await think(writes=True, things=len(wanted))
        made: list[Object] = []
        try:
            for each in wanted:
                made.append(self.make(collection, each))
        except Refused:
            for thing in made:  # all or none
                self._drop(collection, thing["id"])
            raise
        return answer({several: made} if several in body else {one: made[0]}, 201)

    async def _get(self, request: web.Request) -> web.Response:
        collection, _ = self._table(request)
        thing = self._one(request)
        await think(writes=False)
        return answer({COLLECTIONS[collection]: thing})

    async def _update(self, request: web.Request) -> web.Response:
        collection, _ = self._table(request)
        changes = (await request.json())[COLLECTIONS[collection]]
        await think(writes=True)
        thing = self._one(request)
        thing.update(changes)
        return answer({COLLECTIONS[collection]: thing})

    async def _delete(self, request: web.Request) -> web.Response:
        collection, _ = self._table(request)
        await think(writes=True)
        thing = self._one(request)
        if collection == "ports" and thing["id"] in self._trunk_of:
            message = f"Port {thing['id']} is currently a subport for trunk {self._trunk_of[thing['id']]}."
            raise Refused(409, message, "PortInUseAsSubPort")
        if collection == "address-groups":
            rules = self.tables["security-group-rules"].values()
            if any(rule["remote_address_group_id"] == thing["id"] for rule in rules):
                raise Refused(409, f"Address group {thing['id']} is in use.", "AddressGroupInUse")
        self._drop(collection, thing["id"])
        return web.Response(status=204)

    async def _act(self, request: web.Request) -> web.Response:
        """Do what is below an object: its tags, its subports, its addresses."""
        verb, body = request.match_info["verb"], await request.json()
        collection, _ = self._table(request)
        await think(writes=True, things=len(body.get("sub_ports", [1])))
        thing = self._one(request)
        if verb == "tags":
            thing["tags"] = body["tags"]
            return answer(body)
        if collection == "trunks":
            self._change_subports(thing, verb, body["sub_ports"])
            return answer(thing)
        if collection == "address-groups":
            _change_addresses(thing, verb, body["addresses"])
            return answer({"address_group": thing})
        raise Refused(404, f"{verb} of {collection} is not simulated")

    def _table(self, request: web.Request) -> tuple[str, dict[str, Object]]:
        collection = request.match_info["collection"]
        if collection not in self.tables:
            raise Refused(404, f"{collection} is not simulated")
        return collection, self.tables[collection]

    def _one(self, request: web.Request) -> Object:
        collection, table = self._table(request)
        identifier = request.match_info["id"]
        if identifier not in table:
            raise missing(COLLECTIONS[collection].title().replace("_", ""), identifier)
        return table[identifier]

    def _drop(self, collection: str, identifier: str) -> None:
        thing = self.tables[collection].pop(identifier)
        if collection == "trunks":
            for subport in thing["sub_ports"]:
                self._trunk_of.pop(subport["port_id"], None)
        elif collection == "security-groups":
            for rule in thing["security_group_rules"]:
                self.tables["security-group-rules"].pop(rule["id"], None)
        elif collection == "security-group-rules":
            group = self.tables["security-groups"].get(thing["security_group_id"])
            if group is not None:
                group["security_group_rules"].remove(thing)

    def _address(self, port: Object) -> None:
        number = next(self._numbers)
        port.setdefault(
            "mac_address", ":".join(["fa", "16"] + [f"{byte:02x}" for byte in number.to_bytes(4)])
        )
        network = self.tables["networks"].get(port["network_id"])
        if network is None:
            raise missing("Network", port["network_id"])
        wanted = port.get("fixed_ips") or [{"subnet_id": network["subnets"][0]}]
        port["fixed_ips"] = [
            {"ip_address": str(next(self._addresses[each["subnet_id"]])), "subnet_id": each["subnet_id"]}
            if "ip_address" not in each
            else each
            for each in wanted
        ]

    def _range(self, subnet: Object) -> None:
        hosts = iter(ipaddress.ip_network(subnet["cidr"]).hosts())
        subnet["gateway_ip"] = str(next(hosts))
        self._addresses[subnet["id"]] = hosts
        self.tables["networks"][subnet["network_id"]]["subnets"].append(subnet["id"])

    def _rule(self, rule: Object) -> None:
        group = self.tables["security-groups"].get(rule["security_group_id"])
        if group is None:
            raise missing("SecurityGroup", rule["security_group_id"])
        what = ("direction", "ethertype", *_RULE)
        if any(all(known[key] == rule[key] for key in what) for known in group["security_group_rules"]):
            raise Refused(409, "Security group rule already exists.", "SecurityGroupRuleExists")
        group["security_group_rules"].append(rule)

    def _check_free(self, port_id: str) -> None:
        if port_id not in self.tables["ports"]:
            raise missing("Port", port_id)
        if port_id in self._trunk_of:
            trunk = self._trunk_of[port_id]
            message = f"Port {port_id} is currently a subport for trunk {trunk}."
            raise Refused(409, message, "PortInUseAsSubPort")

    def _change_subports(self, trunk: Object, verb: str, subports: list[Object]) -> None:
        known = {each["port_id"]: each for each in trunk["sub_ports"]}
        if verb == "remove_subports":
            for each in subports:
                if each["port_id"] not in known:
                    raise Refused(404, f"Subport {each['port_id']} could not be found.", "SubPortNotFound")
            for each in subports:
                del known[each["port_id"]], self._trunk_of[each["port_id"]]
                self.tables["ports"][each["port_id"]].update(status="DOWN", device_owner="")
        else:
            taken = {each["segmentation_id"] for each in trunk["sub_ports"]}
            for each in subports:
                self._check_free(each["port_id"])
                if each["segmentation_id"] in taken:
                    message = (
                        f"segmentation_id {each['segmentation_id']} already in use on trunk {trunk['id']}"
                    )
                    raise Refused(409, message, "DuplicateSubPort")
                taken.add(each["segmentation_id"])
            for each in subports:
                known[each["port_id"]] = each
                self._trunk_of[each["port_id"]] = trunk["id"]
                self.tables["ports"][each["port_id"]].update(status="ACTIVE", device_owner="trunk:subport")
        trunk["sub_ports"] = list(known.values())


def _change_addresses(group: Object, verb: str, addresses: list[str]) -> None:
    known = set(group["addresses"])
    if verb == "remove_addresses" and not set(addresses) <= known:
        absent = ", ".join(sorted(set(addresses) - known))
        raise Refused(404, f"Addresses {absent} not found in the address group.", "AddressesNotFound")
    known = known - set(addresses) if verb == "remove_addresses" else known | set(addresses)
    group["addresses"] = sorted(known)


def _copy(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value


@web.middleware
async def _refusals(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        response: web.StreamResponse = await handler(request)
    except Refused as refusal:
        return neutron_error(refusal)
    return response
