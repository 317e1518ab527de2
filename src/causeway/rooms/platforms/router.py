"""What a platform file says of the router, by the names that OpenShift's IngressController has for it."""

from typing import Literal

from pydantic import Field

from causeway.rooms.platforms.records import Record, Zone


class RouteAdmission(Record):
    """Which routes the router takes."""

    wildcard_policy: Literal["WildcardsAllowed", "WildcardsDisallowed"] = Field(
        "WildcardsDisallowed",
        description="Whether Routes with wildcardPolicy Subdomain and Ingresses for *.DOMAIN are served.",
    )


class Router(Record):
    """What answers for the hosts of Routes and Ingresses, on the nodes of role infra."""

    enabled: bool = Field(True, description="Whether there is one, as long as there are nodes for it.")
    suffix: Zone | None = Field(
        None, description="Completes hosts of Routes that name none; apps.ZONE of names without it."
    )
    route_admission: RouteAdmission = Field(
        default_factory=RouteAdmission, description="Which routes it takes."
    )
    default_ingress_class: bool = Field(
        False, description="Whether Ingresses that name no class are served, too."
    )
