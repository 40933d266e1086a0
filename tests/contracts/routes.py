"""Every route of the URL resolver, one per method."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from tests.contracts.world import World

API = "api/v1/"
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Route:
    """One method of one path; path parameters are in braces."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def patterns() -> Iterator[tuple[str, URLPattern]]:
    """Yield every URL pattern of the project with its full path, as the resolver has it."""
    yield from _below(get_resolver(), "")


def _below(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, URLPattern]]:
    for pattern in resolver.url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _below(pattern, path)
        else:
            yield path, pattern


def api_routes() -> list[Route]:
    """Return every method of every path below /api/v1."""
    routes = []
    for path, pattern in patterns():
        if path.startswith(API):
            view: Any = pattern.callback
            shown = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)
            routes += [Route(method.upper(), shown) for method in METHODS if hasattr(view.cls, method)]
    return routes


def admin_addresses(world: World) -> list[str]:
    """Return every address of the admin; ids in it are those of existing rows."""
    ids = {
        "user": world.users["member"].id,
        "devicesession": world.sessions["member"].id,
        "conversation": world.group.id,
        "message": world.message,
    }
    addresses = []
    for path, _ in patterns():
        if not path.startswith("admin/"):
            continue
        model = path.split("/")[2] if path.count("/") > 2 else ""
        shown = re.sub(r"<[^>]+>", str(ids.get(model, 1)), path)
        addresses.append("/" + shown.split("(?P")[0].rstrip("^$"))
    return addresses
