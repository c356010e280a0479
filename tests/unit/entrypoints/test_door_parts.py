"""The door's small parts: routes found by path, and bodies read within bounds."""

import asyncio
from collections.abc import Sequence

import pytest

from fairgate.domain.access import Scope
from fairgate.entrypoints.door.door import Door
from fairgate.entrypoints.door.http import Request, Response
from fairgate.entrypoints.door.queue import UNCOUNTED, Bodies, BodiesTooMany, BodyTooLarge, ClientGone, Receive
from fairgate.entrypoints.door.routes import ROUTES, Route, Router

MIB = 1 << 20


async def nothing(_door: Door, _request: Request) -> Response:
    return Response(200, b"")


def route(method: str, path: str) -> Route:
    return Route(method, path, None, 0, nothing)


TABLE = (
    route("GET", "/lists"),
    route("GET", "/lists/{name}"),
    route("PUT", "/lists/{name}/{value}"),
    route("DELETE", "/lists/{name}/{value}"),
    route("GET", "/{any}/of/{all}"),
)


@pytest.mark.parametrize(
    ("path", "found", "params"),
    [
        ("/lists", "/lists", {}),
        ("/lists/", "", {}),
        ("/lists/tor", "/lists/{name}", {"name": "tor"}),
        ("/lists/tor/192.0.2.1", "/lists/{name}/{value}", {"name": "tor", "value": "192.0.2.1"}),
        ("/lists/a%2Fb/x%20%E2%82%ac%ff", "/lists/{name}/{value}", {"name": "a/b", "value": "x \u20ac\ufffd"}),
        ("/lists/of/tor", "/lists/{name}/{value}", {"name": "of", "value": "tor"}),
        ("/x/of/y", "/{any}/of/{all}", {"any": "x", "all": "y"}),
        ("/lists/a/b/c", "", {}),
        ("/lists//b", "", {}),
        ("/{any}", "", {}),
        ("", "", {}),
        ("*", "", {}),
    ],
)
def test_a_path_has_its_route(path: str, found: str, params: dict[str, str]) -> None:
    routes, given = Router(TABLE).find(path)
    assert {each.path for each in routes.values()} == ({found} if found else set())
    assert given == params
    if found == "/lists/{name}/{value}":
        assert set(routes) == {"PUT", "DELETE"}


def test_the_table_says_who_may_ask_for_what() -> None:
    assert len({(each.method, each.path) for each in ROUTES}) == len(ROUTES)
    assert {each.path for each in ROUTES if each.scope is None} >= {"/healthz", "/readyz"}
    scopes = {each.path: each.scope for each in ROUTES}
    assert (scopes["/v1/decide"], scopes["/v1/events"]) == (Scope.DECIDE, Scope.INGEST)
    assert scopes["/metrics"] == Scope.READ
    assert [each.path for each in ROUTES if each.has_policy] == ["/v1/decide"]


def receiving(parts: Sequence[bytes | None]) -> Receive:
    """A client that sends these parts; None where it hangs up."""
    left = list(parts)

    async def receive() -> dict[str, object]:
        part = left.pop(0)
        if part is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": bool(left)}

    return receive


def read(bodies: Bodies, parts: Sequence[bytes | None], limit: int = 8 * MIB, announced: bytes = b"") -> bytes:
    return asyncio.run(bodies.read(receiving(parts), limit, announced))


def test_a_body_is_what_came() -> None:
    bodies = Bodies(MIB)
    assert read(bodies, [b""]) == b""
    assert read(bodies, [b"abc"]) == b"abc"
    assert read(bodies, [b"ab", b"", b"c", b""]) == b"abc"
    assert read(bodies, [b"x" * UNCOUNTED]) == b"x" * UNCOUNTED
    assert bodies.held == 0


def test_large_bodies_share_the_room() -> None:
    bodies = Bodies(MIB)
    part = bytes(UNCOUNTED)
    first = read(bodies, [part] * 10)
    assert (len(first), bodies.held) == (10 * UNCOUNTED, 10 * UNCOUNTED)
    with pytest.raises(BodiesTooMany):
        read(bodies, [part] * 10)
    assert bodies.held == len(first)
    small = read(bodies, [part])
    second = read(bodies, [part] * 6)
    assert bodies.held == MIB
    for body in (first, small, second):
        bodies.release(body)
    assert bodies.held == 0


@pytest.mark.parametrize("size", [1, UNCOUNTED - 1, UNCOUNTED + 1, MIB])
def test_a_body_beyond_its_limit_is_not_read(size: int) -> None:
    bodies = Bodies(4 * MIB)
    body = read(bodies, [bytes(size - 1), b"x"], size)
    assert len(body) == size
    bodies.release(body)
    for parts in ([bytes(size), b"x"], [bytes(size + 1)], [bytes(size), b"x", None]):
        with pytest.raises(BodyTooLarge):
            read(bodies, parts, size)
    with pytest.raises(BodyTooLarge):
        read(bodies, [], size, announced=str(size + 1).encode())
    assert bodies.held == 0


def test_a_client_that_goes_leaves_nothing_held() -> None:
    bodies = Bodies(4 * MIB)
    for parts in ([None], [b"abc", None], [bytes(MIB), bytes(MIB), None]):
        with pytest.raises(ClientGone):
            read(bodies, parts)
    assert bodies.held == 0
