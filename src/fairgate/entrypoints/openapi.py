"""The door's OpenAPI 3.1 document, made of the route table, the wire structs and the pack's event types."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from fairgate import __version__
from fairgate.domain.access import Scope
from fairgate.domain.pack import Attribute
from fairgate.entrypoints.door.door import Door
from fairgate.entrypoints.door.http import Problem, Problems, Request, Response
from fairgate.entrypoints.door.routes import ROUTES, Route
from fairgate.entrypoints.openapi_routes import DESCRIBED
from fairgate.entrypoints.openapi_words import Described, Parameter, State
from fairgate.ingest.wire import Wire
from fairgate.language.checked import CheckedPack
from fairgate.language.tree import PLAIN_TYPES_ABOUT

Json: TypeAlias = dict[str, Any]
Handler: TypeAlias = Callable[[Door, Request], Awaitable[Response]]
_REF = "#/components/schemas/{name}"
#: The headers that come with a status, and what they say.
_HEADERS: Mapping[int, tuple[str, str, str]] = {
    401: ("WWW-Authenticate", "what to send", 'Bearer realm="fairgate"'),
    403: ("WWW-Authenticate", "the scope that is missing", 'Bearer error="insufficient_scope"'),
    429: ("Retry-After", "seconds to wait, drawn at random", "2"),
    503: ("Retry-After", "seconds to wait, drawn at random", "1"),
}
_ABOUT: Mapping[int, str] = {
    400: "It can't be read, or a header or a part of the query is wrong.",
    401: "It needs an API key that is known and has not ended.",
    403: "The API key lacks the scope; or there are no keys, and a web page asks.",
    404: "There is no such thing.",
    408: "The request did not arrive in time.",
    409: "It can't be done now.",
    412: "Something else stands by now.",
    413: "The body is too large.",
    422: "It can be read and can't be done.",
    429: "Too much comes in at a time.",
    431: "Request line and headers are too long.",
    500: "This request failed by a fault of the service; others go on.",
    503: "The log can't be written, or not in time: send it again, which is safe.",
}
#: The status of an answer that is as the caller has it.
_SAME = 304
#: The statuses of a request all of whose events were refused; where it may hold many, each refusal is told.
_OF_EVENTS = (400, 413, 422)
#: The codes by status that any request may be answered with, and those of requests that need a key.
_ANYWHERE: Mapping[int, tuple[str, ...]] = {
    400: ("bad_request",),
    408: ("slow",),
    413: ("too_large",),
    429: ("busy",),
    431: ("head_too_large",),
    500: ("failed",),
}
_WITH_KEYS: Mapping[int, tuple[str, ...]] = {
    401: ("no_key", "unknown_key", "expired_key", "revoked_key"),
    403: ("scope_missing", "from_a_page"),
}
#: Values that an attribute of a type may have.
_VALUES: Mapping[str, Any] = {
    "number": 12.5,
    "integer": 3,
    "bool": True,
    "time": "2026-01-05T10:31:12Z",
    "email": "someone@example.com",
    "ip": "198.51.100.7",
    "phone": "+14155552671",
    "timezone": "Europe/Berlin",
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
}


def document(routes: Sequence[Route], checked: CheckedPack, wires: Mapping[str, Wire]) -> Json:
    """The document of a door that answers these routes with this pack. KeyError for a route that nobody described."""
    described = [(route, DESCRIBED[route.method, route.path]) for route in routes]
    examples = [each for _, told in described for each in (told.answer, told.body)]
    shapes = {type(each) for each in examples if isinstance(each, msgspec.Struct)}
    envelopes = [wire.envelope for wire in wires.values()]
    ordered = sorted({*shapes, Problems, State}, key=str)
    _, schemas = msgspec.json.schema_components([*ordered, *envelopes], ref_template=_REF)
    for wire in wires.values():
        _tell(schemas, wire, checked)
    schemas["Event"] = {
        "description": f"A CloudEvents 1.0 event of the pack {checked.pack.label}.",
        "oneOf": [{"$ref": _REF.format(name=each.__name__)} for each in envelopes],
        "discriminator": {
            "propertyName": "type",
            "mapping": {name: _REF.format(name=wire.envelope.__name__) for name, wire in wires.items()},
        },
    }
    paths: Json = {}
    for route, told in described:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, told, wires)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Fairgate: the door",
            "version": __version__,
            "summary": "Events in, decisions out, with reasons.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"key": _security_scheme()}},
    }


def example_event(wire: Wire) -> Json:
    """An event of a type with all its attributes."""
    data = {each.name: _value(each) for each in wire.event_type.attributes}
    name = wire.event_type.name
    return {"specversion": "1.0", "id": "01HZX4", "source": "my service", "type": name, "data": data}


def answering(routes: Sequence[Route]) -> Handler:
    """The handler that answers with the document of these routes and its own."""
    kept: dict[str, bytes] = {}

    async def openapi(door: Door, _request: Request) -> Response:
        """Answer with the OpenAPI document of the live pack."""
        checked = door.pipeline.engine.checked
        if checked.pack.digest not in kept:
            kept.clear()
            made = document(with_document(routes), checked, door.decoder.wires)
            kept[checked.pack.digest] = msgspec.json.encode(made)
        return Response(200, kept[checked.pack.digest])

    return openapi


def with_document(routes: Sequence[Route]) -> tuple[Route, ...]:
    """These routes and the one that describes them all."""
    return (*routes, Route("GET", "/openapi.json", None, 0, answering(routes)))


#: All that the door answers.
ALL_ROUTES = with_document(ROUTES)


def _security_scheme() -> Json:
    scopes = "\n".join(f"- `{scope}`: {scope.about}" for scope in Scope)
    about = f"An API key (`fairgate keys create`). A route needs one of its scopes:\n\n{scopes}"
    return {"type": "http", "scheme": "bearer", "description": about}


def _operation(route: Route, told: Described, wires: Mapping[str, Wire]) -> Json:
    operation: Json = {
        "summary": told.summary,
        "operationId": route.handler.__name__,
        "parameters": [_parameter(each) for each in told.parameters],
        "responses": {"200": _answer(told, told.summary), **_others(told), **dict(_problems(route, told))},
        "security": [{"key": [str(each)]} for each in (route.scope, route.also) if each is not None] or [{}],
    }
    if told.events:
        operation["requestBody"] = _events_body(route, wires)
    elif told.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": _content(told.body)}}
    return operation


def _parameter(parameter: Parameter) -> Json:
    return {
        "in": parameter.where,
        "name": parameter.name,
        "description": parameter.about,
        "required": parameter.required,
        "schema": {"type": "integer" if isinstance(parameter.example, int) else "string"},
        "example": parameter.example,
    }


def _others(told: Described) -> Json:
    """The statuses beside 200 that are no problem; an answer without a body is one without news."""
    return {
        str(status): {"description": about} if status == _SAME else _answer(told, about)
        for status, about in told.also.items()
    }


def _answer(told: Described, about: str) -> Json:
    if isinstance(told.answer, str):
        content: Json = {"text/plain": {"schema": {"type": "string"}, "example": told.answer}}
    else:
        content = {"application/json": _content(told.answer)}
    return {"description": about, "content": content}


def _content(example: Any) -> Json:  # noqa: ANN401 - an example may be of any wire struct
    struct = isinstance(example, msgspec.Struct)
    schema = {"$ref": _REF.format(name=type(example).__name__)} if struct else {"type": "object"}
    return {"schema": schema, "example": msgspec.to_builtins(example)}


def _events_body(route: Route, wires: Mapping[str, Wire]) -> Json:
    examples = {name: {"value": example_event(wire)} for name, wire in wires.items()}
    event = {"schema": {"$ref": _REF.format(name="Event")}, "examples": examples}
    content: Json = {"application/cloudevents+json": event, "application/json": event}
    if not route.has_policy:
        first = example_event(next(iter(wires.values())))
        many = {"schema": {"type": "array", "items": {"$ref": _REF.format(name="Event")}}, "example": [first]}
        lines = {"schema": {"type": "string"}, "example": f"{msgspec.json.encode(first).decode()}\n"}
        content |= {"application/cloudevents-batch+json": many, "application/x-ndjson": lines}
    return {"required": True, "content": content}


def _problems(route: Route, told: Described) -> Iterator[tuple[str, Json]]:
    """Every status with which something is not done: those of the route, and those that any such route may have."""
    codes = dict(_ANYWHERE)
    if route.scope is not None:
        codes |= _WITH_KEYS
    if route.path not in ("/healthz", "/metrics"):
        codes[503] = ("stopped", "late") if route.method != "GET" else ("stopped",)
    for status, more in told.problems.items():
        codes[status] = tuple(dict.fromkeys((*codes.get(status, ()), *more)))
    one_by_one = told.events and not route.has_policy
    for status in sorted(codes):
        shapes = ("Problems", "Results") if one_by_one and status in _OF_EVENTS else ("Problems",)
        yield str(status), _problem(status, codes[status], shapes)


def _problem(status: int, codes: Sequence[str], shapes: Sequence[str]) -> Json:
    words = " or ".join(f"`{code}`" for code in codes)
    example = msgspec.to_builtins(Problems(Problem(codes[0], _ABOUT[status])))
    schema = {"anyOf": [{"$ref": _REF.format(name=each)} for each in shapes]}
    found: Json = {
        "description": f"{_ABOUT[status]} The code is {words}.",
        "content": {"application/json": {"schema": schema, "example": example}},
    }
    if status in _HEADERS:
        name, about, value = _HEADERS[status]
        found["headers"] = {name: {"description": about, "schema": {"type": "string"}, "example": value}}
    return found


def _tell(schemas: Json, wire: Wire, checked: CheckedPack) -> None:
    """Give an event type's schema the pack's own words."""
    mine = schemas[wire.data.__name__]
    if wire.event_type.about:
        mine["description"] = wire.event_type.about
    for each in wire.event_type.attributes:
        mine["properties"][each.name] |= {"description": _about(each, checked), "examples": [_value(each)]}


def _value(attribute: Attribute) -> object:
    return _VALUES.get(attribute.type, f"{attribute.name}_1")


def _about(attribute: Attribute, checked: CheckedPack) -> str:
    semantic = checked.semantics.get(attribute.type)
    parts = [
        attribute.about,
        semantic.about if semantic is not None else PLAIN_TYPES_ABOUT[attribute.type],
        f"identifies the {attribute.entity}" if attribute.entity is not None else "",
        "personal" if attribute.personal else "",
    ]
    return "; ".join(part for part in parts if part)
