"""The OpenAPI document: valid, whole, and with examples that are what they claim to be."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from fairgate.domain.event import Event
from fairgate.entrypoints.door.http import Problems
from fairgate.entrypoints.door.routes import ROUTES
from fairgate.entrypoints.openapi import ALL_ROUTES, document
from fairgate.entrypoints.openapi_routes import DESCRIBED
from fairgate.ingest.decode import Decoder
from fairgate.wiring import load_checked

CHECKED = load_checked("ai_api")
DECODER = Decoder(CHECKED, 0)
DOCUMENT: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document(ALL_ROUTES, CHECKED, DECODER.wires)))
OPERATIONS = [(method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item]


def operation(method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][path][method.lower()]
    return found


def contents(method: str, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every body of an operation that is JSON: its place, and its schema with examples."""
    told = operation(method, path)
    bodies = {"body": told.get("requestBody", {}), **told["responses"]}
    for place, each in bodies.items():
        for content_type, content in each.get("content", {}).items():
            if content_type.endswith("json"):
                yield place, content


def examples(content: Mapping[str, Any]) -> list[Any]:
    return [content["example"]] if "example" in content else [each["value"] for each in content["examples"].values()]


def test_the_document_is_valid() -> None:
    validate(DOCUMENT)


def test_every_route_is_in_it_and_nothing_else() -> None:
    assert sorted(OPERATIONS) == sorted((route.method, route.path) for route in ALL_ROUTES)
    assert {(route.method, route.path) for route in ROUTES} < set(OPERATIONS)
    assert set(DESCRIBED) == set(OPERATIONS)


def test_a_route_that_nobody_described_stops_it() -> None:
    new = replace(ROUTES[0], path="/v1/new")
    with pytest.raises(KeyError):
        document([*ROUTES, new], CHECKED, DECODER.wires)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_example_fits_its_schema(method: str, path: str) -> None:
    found = 0
    for place, content in contents(method, path):
        schema = {**content["schema"], "components": DOCUMENT["components"]}
        for example in examples(content):
            OAS31Validator(schema).validate(example)
            found += 1
            if place not in ("body", "200", "201"):
                assert (
                    msgspec.convert(example, Problems).error.code
                    in operation(method, path)["responses"][place]["description"]
                )
    assert found >= 5


@pytest.mark.parametrize("route", [route for route in ALL_ROUTES if (route.method, route.path) in DESCRIBED])
def test_every_example_decodes_as_the_struct_it_is_of(route: Any) -> None:  # noqa: ANN401 - a Route
    told = DESCRIBED[route.method, route.path]
    for example in (told.answer, told.body):
        if isinstance(example, msgspec.Struct):
            assert msgspec.json.decode(msgspec.json.encode(example), type=type(example), strict=True) == example


@pytest.mark.parametrize("name", CHECKED.pack.event_types)
def test_every_event_type_has_an_example_that_is_taken(name: str) -> None:
    example = operation("POST", "/v1/decide")["requestBody"]["content"]["application/json"]["examples"][name]["value"]
    taken = DECODER.single(msgspec.json.encode(example), 1_767_609_072_000_000)
    assert isinstance(taken, Event), taken
    declared = CHECKED.pack.event_types[name].attributes
    assert all(getattr(taken.data, each.name) is not None for each in declared)


def test_event_types_have_the_packs_words() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    signup = schemas["AccountSignup"]
    assert signup["description"] == CHECKED.pack.event_types["account.signup"].about
    assert signup["required"] == ["account"]
    assert "an e-mail address; identifies the email; personal" in signup["properties"]["email"]["description"]
    event = schemas["Event"]
    assert set(event["discriminator"]["mapping"]) == set(CHECKED.pack.event_types)


@pytest.mark.parametrize("route", ALL_ROUTES)
def test_every_route_tells_its_scope_and_its_statuses(route: Any) -> None:  # noqa: ANN401 - a Route
    told = operation(route.method, route.path)
    statuses = set(told["responses"])
    assert {"200", "400", "408", "413", "429", "431", "500"} <= statuses
    if route.scope is None:
        assert told["security"] == [{}]
        assert not statuses & {"401", "403"}
    else:
        assert {"key": [str(route.scope)]} in told["security"]
        assert {"401", "403"} <= statuses
    for status in ("429", "503"):
        if status in statuses:
            assert "Retry-After" in told["responses"][status]["headers"]
    named = {each["name"] for each in told["parameters"] if each["in"] == "path"}
    assert named == {part[1:-1] for part in route.path.split("/") if part.startswith("{")}
