"""The door against its own document: whatever is asked, the answer is one that the document knows."""

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import httpx
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as with_settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from fairgate.backends.embedded.api_keys import open_api_keys
from fairgate.domain.access import Scope
from fairgate.domain.audit import ROOT, Head, signed
from fairgate.domain.secret import Secrets
from fairgate.entrypoints.access import Access, new_key
from fairgate.entrypoints.door.anchors import asked_for
from fairgate.entrypoints.openapi import ALL_ROUTES, document
from fairgate.entrypoints.serve_command import application_of
from fairgate.ingest.decode import Decoder
from fairgate.secret_file import secrets_of
from fairgate.settings import DoorSettings, Settings
from fairgate.wiring import LivePipeline, load_checked
from tests.e2e.doors import serving


def without_keys(told: dict[str, Any]) -> dict[str, Any]:
    """A document that says nothing of keys: they are sent here, not made up."""
    found: dict[str, Any] = copy.deepcopy(told)
    del found["components"]["securitySchemes"]
    for item in found["paths"].values():
        for operation in item.values():
            del operation["security"]
    return found


CHECKED = load_checked("ai_api")
DOCUMENT: dict[str, Any] = msgspec.json.decode(
    msgspec.json.encode(document(ALL_ROUTES, CHECKED, Decoder(CHECKED, 0).wires))
)
OPERATIONS = [
    found.ok()  # type: ignore[union-attr] # one that can't be read is an error here
    for found in schemathesis.openapi.from_dict(without_keys(DOCUMENT)).get_all_operations()
]
CONFORMANCE = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
DEADLINE = "fairgate-deadline-ms"
#: Parts of paths and queries that are there, put in half of the time in place of what is made up.
KNOWN: Final[Mapping[str, Any]] = {
    "id": "1", "kind": "account", "value": "acc_1", "name": "blocked_cards", "rule": "all", "why": "a test", "limit": 2,
    "number": "0", "account": "acc_1",
}  # fmt: skip
_HEADER = re.compile(r"[\x21-\x7e\xa1-\xff]([\x20-\x7e\xa0-\xff]*[\x21-\x7e\xa1-\xff])?")
HEADERS = st.dictionaries(
    st.sampled_from([
        DEADLINE, "fairgate-call-site", "content-type", "accept", "accept-encoding", "content-encoding", "traceparent",
        "tracestate", "range", "if-none-match", "x-forwarded-for", "forwarded", "x-http-method-override", "cookie",
    ]),
    st.sampled_from([
        "0", "1", "-1", "50", "60000", "1e3", "٣", "default", "*/*", "text/html", "application/x-ndjson", "gzip, br",
        "application/cloudevents-batch+json", "application/json; charset=utf-16", "bytes=0-1", "DELETE", "a" * 4_000,
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-" + "f" * 500, "%00", "é", "{}", "null", '"',
    ]) | st.from_regex(_HEADER, fullmatch=True),
    max_size=4,
)  # fmt: skip


#: Schemathesis has no one type for each of these.
Operation: TypeAlias = Any
Case: TypeAlias = Any
Answer: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Open:
    """A door that asks for keys, and a key that may do everything."""

    url: str
    key: str
    secrets: Secrets

    def ban(self) -> int:
        """Ban an account; returns the number of the action."""
        act = {"kind": "account", "value": "acc_1", "action": "ban", "why": "a test", "reasons": ["signup_pattern"]}
        answer = httpx.post(f"{self.url}/v1/actions", json=act, headers={"authorization": f"Bearer {self.key}"})
        number: int = answer.json()["number"]
        return number


def anchored(door: Open) -> Mapping[str, Any]:
    """An anchor of this installation."""
    body: Mapping[str, Any] = msgspec.to_builtins(asked_for(signed(Head(0, ROOT), door.secrets)))
    return body


#: Of what the document shows: what can only be said of a door when it runs.
FRESH: Final[Mapping[str, Callable[[Open], Mapping[str, Any]]]] = {
    "POST /v1/memory": lambda door: {"action": door.ban()},
    "POST /v1/audit/anchors": anchored,
}
#: What a key that may do everything can still lack: the installation's secret.
UNSIGNED: Final = "not_signed"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    folder = tmp_path_factory.mktemp("fuzzed")
    settings = Settings(pack="ai_api", data=folder, door=DoorSettings(port=0, expected_keys=1_000))
    with (
        pytest.MonkeyPatch.context() as patch,
        open_api_keys(folder / "keys.db") as keys,
        closing(LivePipeline(settings)) as live,
    ):
        patch.setenv("NO_PROXY", "*")
        clock = live.pipeline.clock
        text, key = new_key("fuzzer", frozenset(Scope), clock.now(), None)
        keys.add(key)
        with serving(application_of(live, settings, Access(keys, clock, settings.door.host))) as client:
            client.headers["authorization"] = f"Bearer {text}"
            data = {"account": "acc_1", "email": "someone@example.com", "ip": "198.51.100.7"}
            named = {"id": "01HZX4", "source": "sign-up service", "type": "account.signup"}
            event = {"specversion": "1.0", **named, "data": data}
            assert client.post("/v1/decide", json=event).json()["sequence"] == 1
            entry = {"for": "7d", "why": "a test"}
            assert client.put("/v1/lists/blocked_cards/acc_1", json=entry).status_code == 200
            act = {"kind": "account", "value": "acc_1", "action": "watch", "why": "a test"}
            assert client.post("/v1/actions", json=act).json()["number"] == 0
            assert client.get("/openapi.json").json() == DOCUMENT
            yield Open(str(client.base_url), text, secrets_of(folder))
            assert client.get("/readyz").status_code == 200


@st.composite
def asked(draw: st.DrawFn, operation: Operation) -> Case:
    """A request for an operation: as documented or not, with values that are there, and with hostile headers."""
    modes = [GenerationMode.POSITIVE]
    if operation.body or any(operation.iter_parameters()):
        modes.append(GenerationMode.NEGATIVE)
    case: Case = draw(st.one_of([operation.as_strategy(mode) for mode in modes]))
    if draw(st.booleans()):
        for part in (case.path_parameters, case.query):
            part.update({name: KNOWN[name] for name in part.keys() & KNOWN.keys()})
    if case.media_type is not None and draw(st.booleans()):
        case.body = draw(st.sampled_from(examples_of(operation, case.media_type)))
    for name, value in draw(HEADERS).items():
        case.headers[name] = value.encode("latin-1", "replace").decode("latin-1")
    return case


@st.composite
def documented(draw: st.DrawFn, operation: Operation) -> Case:
    """A request as the document shows it, with values that are there."""
    case: Case = draw(operation.as_strategy(GenerationMode.POSITIVE))
    for part in (case.path_parameters, case.query):
        part.update({name: KNOWN[name] for name in part.keys() & KNOWN.keys()})
    if case.media_type is not None:
        case.body = draw(st.sampled_from(examples_of(operation, case.media_type)))
    case.headers.clear()
    return case


@pytest.mark.parametrize("examples", [40, pytest.param(800, marks=pytest.mark.soak)])
@pytest.mark.parametrize("operation", OPERATIONS, ids=[each.label for each in OPERATIONS])
def test_every_answer_is_in_the_document(door: Open, operation: Operation, examples: int) -> None:
    seen: set[int] = set()

    @with_settings(
        max_examples=examples, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(asked(operation))
    def ask(case: Case) -> None:
        answer = case.call(base_url=door.url, headers={"Authorization": f"Bearer {door.key}"})
        conforms(operation, case, answer)
        seen.add(answer.status_code)
        # The only fault that a request can bring about: it has not left the disk the time that it takes.
        allowed = answer.status_code == 503 and DEADLINE in case.headers
        unsigned = answer.status_code == 403 and answer.json()["error"]["code"] == UNSIGNED
        if (answer.status_code in {401, 403} and not unsigned) or (answer.status_code >= 500 and not allowed):
            pytest.fail(f"{answer.status_code} {answer.text}\n{case.as_curl_command()}")
        if needs_key(operation):
            answer = case.call(base_url=door.url)
            conforms(operation, case, answer)
            assert answer.status_code == 401, case.as_curl_command()

    @with_settings(max_examples=10, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(documented(operation))
    def ask_as_shown(case: Case) -> None:
        if operation.label in FRESH:
            case.body = {**case.body, **FRESH[operation.label](door)}
        answer = case.call(base_url=door.url, headers={"Authorization": f"Bearer {door.key}"})
        conforms(operation, case, answer)
        seen.add(answer.status_code)

    ask()
    ask_as_shown()
    assert 200 in seen


def conforms(operation: Operation, case: Case, answer: Answer) -> None:
    """The document has this answer: its status, content type, headers, schema, and the code of a problem."""
    case.validate_response(answer, checks=CONFORMANCE)
    if answer.status_code >= 400:
        body = answer.json()
        told = DOCUMENT["paths"][operation.path][operation.method]["responses"][str(answer.status_code)]["description"]
        problems = [body["error"]] if "error" in body else [each["error"] for each in body["results"]]
        codes = {each["code"] for each in problems}
        assert codes <= set(re.findall(r"`([a-z_]+)`", told)), f"{answer.text}\n{case.as_curl_command()}"


def examples_of(operation: Operation, media_type: str) -> list[Any]:
    """The bodies that the document shows."""
    told = DOCUMENT["paths"][operation.path][operation.method]["requestBody"]["content"][media_type]
    return [told["example"]] if "example" in told else [each["value"] for each in told["examples"].values()]


def needs_key(operation: Operation) -> bool:
    return bool(DOCUMENT["paths"][operation.path][operation.method]["security"] != [{}])
