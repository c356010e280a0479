"""What the door answers, as one table: method, path, the scope it needs, the largest body, and the handler."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import unquote

from fairgate.domain.access import Scope
from fairgate.entrypoints.door.actions import (
    get_action,
    get_actions,
    get_standing,
    get_statement,
    post_action,
    post_undo,
)
from fairgate.entrypoints.door.anchors import post_anchor
from fairgate.entrypoints.door.batches import LARGEST_BATCH as LARGEST_BATCH_OF_ACTIONS
from fairgate.entrypoints.door.batches import post_batch, post_batch_undo
from fairgate.entrypoints.door.bodies import LARGEST_CHANGE
from fairgate.entrypoints.door.changes import (
    post_erasure,
    post_label,
    post_reload,
    put_entry,
    put_switch,
    take_off,
)
from fairgate.entrypoints.door.decide import decide, events, healthz, metrics, readyz
from fairgate.entrypoints.door.door import Door
from fairgate.entrypoints.door.http import Request, Response
from fairgate.entrypoints.door.memory import get_memory, post_memory
from fairgate.entrypoints.door.reads import all_lists, decision, entity, entries, switches
from fairgate.ingest.decode import LARGEST_BATCH, LARGEST_EVENT

Handler: TypeAlias = Callable[[Door, Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """A request that is answered. Parts of the path in braces are given to the handler by name.

    Without a scope anybody may ask; where there is another in `also`, either will do. `largest` is in bytes.
    """

    method: str
    path: str
    scope: Scope | None
    largest: int
    handler: Handler
    #: Whether requests name the call site whose policy may answer.
    has_policy: bool = False
    also: Scope | None = None


ROUTES = (
    Route("POST", "/v1/decide", Scope.DECIDE, LARGEST_EVENT, decide, has_policy=True),
    Route("POST", "/v1/events", Scope.INGEST, LARGEST_BATCH, events),
    Route("GET", "/v1/decisions/{id}", Scope.READ, 0, decision),
    Route("GET", "/v1/entities/{kind}/{value}", Scope.READ, 0, entity),
    Route("GET", "/v1/lists", Scope.READ, 0, all_lists),
    Route("GET", "/v1/lists/{name}", Scope.READ, 0, entries),
    Route("PUT", "/v1/lists/{name}/{value}", Scope.ENFORCE, LARGEST_CHANGE, put_entry),
    Route("DELETE", "/v1/lists/{name}/{value}", Scope.ENFORCE, 0, take_off),
    Route("GET", "/v1/accounts/{account}/standing", Scope.DECIDE, 0, get_standing, also=Scope.READ),
    Route("GET", "/v1/actions", Scope.READ, 0, get_actions),
    Route("POST", "/v1/actions", Scope.ENFORCE, LARGEST_CHANGE, post_action),
    Route("POST", "/v1/actions/batch", Scope.ENFORCE, LARGEST_BATCH_OF_ACTIONS, post_batch),
    Route("POST", "/v1/actions/batch/undo", Scope.ENFORCE, LARGEST_BATCH_OF_ACTIONS, post_batch_undo),
    Route("GET", "/v1/actions/{number}", Scope.READ, 0, get_action),
    Route("GET", "/v1/actions/{number}/statement", Scope.READ, 0, get_statement),
    Route("POST", "/v1/actions/{number}/undo", Scope.ENFORCE, LARGEST_CHANGE, post_undo),
    Route("GET", "/v1/switches", Scope.READ, 0, switches),
    Route("PUT", "/v1/switches/{rule}", Scope.ENFORCE, LARGEST_CHANGE, put_switch),
    Route("GET", "/v1/memory", Scope.ENFORCE, 0, get_memory),
    Route("POST", "/v1/memory", Scope.ENFORCE, LARGEST_CHANGE, post_memory),
    Route("POST", "/v1/labels", Scope.INGEST, LARGEST_CHANGE, post_label, also=Scope.REVIEW),
    Route("POST", "/v1/erasures", Scope.ADMIN, LARGEST_CHANGE, post_erasure),
    Route("POST", "/v1/audit/anchors", Scope.ADMIN, LARGEST_CHANGE, post_anchor),
    Route("POST", "/v1/reload", Scope.ADMIN, LARGEST_CHANGE, post_reload),
    Route("GET", "/metrics", Scope.READ, 0, metrics),
    Route("GET", "/healthz", None, 0, healthz),
    Route("GET", "/readyz", None, 0, readyz),
)


class Router:
    """Finds the route of a path."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._plain: dict[str, dict[str, Route]] = {}
        self._patterns: dict[tuple[str, ...], dict[str, Route]] = {}
        for route in routes:
            if "{" in route.path:
                self._patterns.setdefault(tuple(route.path.split("/")), {})[route.method] = route
            else:
                self._plain.setdefault(route.path, {})[route.method] = route

    def find(self, path: str) -> tuple[Mapping[str, Route], Mapping[str, str]]:
        """The routes of a path that is still percent-encoded, by method, and the parts it names; none where unknown.

        An encoded slash belongs to its part.
        """
        plain = self._plain.get(path)
        if plain is not None:
            return plain, {}
        parts = path.split("/")
        for pattern, routes in self._patterns.items():
            if len(pattern) == len(parts):
                pairs = list(zip(pattern, parts, strict=True))
                if all(name == part or (name.startswith("{") and part) for name, part in pairs):
                    return routes, {name[1:-1]: unquote(part) for name, part in pairs if name.startswith("{")}
        return {}, {}
