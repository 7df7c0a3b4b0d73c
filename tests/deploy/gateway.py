"""Check that gateways, their routes and their limits agree with the service."""

from __future__ import annotations

from collections.abc import Iterator

from valence.service.api.application import ROUTES
from valence.service.settings import Settings

from tests.deploy.rendering import Resource, named

STREAM = "/v1/classify/stream"
_UNITS = {"Ki": 2**10, "Mi": 2**20, "k": 10**3, "M": 10**6}


def findings(resources: list[Resource]) -> Iterator[str]:
    """Yield every disagreement of the gateways, routes and traffic policies among ``resources``."""
    routes = named(resources, "HTTPRoute")
    for route in routes.values():
        yield from _route(route, named(resources, "Service"))
    policies = list(named(resources, "BackendTrafficPolicy").values())
    for policy in policies:
        for target in policy["spec"]["targetRefs"]:
            if target["name"] not in routes:
                yield f"BackendTrafficPolicy: no HTTPRoute {target['name']}"
            else:
                yield from _policy(policy["spec"], routes[target["name"]])
    gateways = named(resources, "Gateway")
    for gateway in gateways.values():
        for listener in gateway["spec"]["listeners"]:
            if listener["protocol"] != "HTTPS" and _takes_others(listener):
                yield f"Gateway: the listener {listener['name']} takes routes of other namespaces"
    limited = {
        target["name"]
        for policy in policies
        if "requestBuffer" in policy["spec"]
        for target in policy["spec"]["targetRefs"]
    }
    for name, route in routes.items() if gateways else ():
        if _serves(route) and STREAM not in _paths(route) and name not in limited:
            yield f"HTTPRoute {name}: no limit for bodies before the service"


def _route(route: Resource, services: dict[str, Resource]) -> Iterator[str]:
    for path in _paths(route) - {served.path for served in ROUTES}:
        yield f"HTTPRoute: {path} is not served"
    for rule in route["spec"]["rules"]:
        for backend in rule.get("backendRefs", ()):
            ports = services.get(backend["name"], {}).get("spec", {}).get("ports", [])
            if backend["port"] not in {port["port"] for port in ports}:
                yield f"HTTPRoute: no Service {backend['name']}:{backend['port']}"


def _policy(policy: Resource, route: Resource) -> Iterator[str]:
    settings = Settings()
    idle = policy.get("timeout", {}).get("http", {}).get("connectionIdleTimeout", "3600s")
    if float(idle.removesuffix("s")) >= settings.keep_alive_seconds:
        yield (
            f"BackendTrafficPolicy: idle for {idle}, and the service closes connections "
            f"after {settings.keep_alive_seconds:g} s"
        )
    if "requestBuffer" not in policy:
        return
    if STREAM in _paths(route):
        yield "BackendTrafficPolicy: the buffer holds back the stream"
    limit = policy["requestBuffer"]["limit"]
    unit = next((unit for unit in _UNITS if limit.endswith(unit)), "")
    size = int(limit.removesuffix(unit)) * _UNITS.get(unit, 1)
    if size != settings.max_body_bytes:
        yield f"BackendTrafficPolicy: limit {limit}, the service's is {settings.max_body_bytes}"


def _takes_others(listener: Resource) -> bool:
    return listener.get("allowedRoutes", {}).get("namespaces", {}).get("from", "Same") != "Same"


def _serves(route: Resource) -> bool:
    return any(rule.get("backendRefs") for rule in route["spec"]["rules"])


def _paths(route: Resource) -> set[str]:
    return {
        match["path"]["value"]
        for rule in route["spec"]["rules"]
        for match in rule.get("matches", ())
        if "path" in match
    }
