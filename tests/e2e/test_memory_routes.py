"""The ban memory over HTTP, at a real door: which bans wait, and what may be remembered of them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from fairgate.domain.memory import MOST_EACH
from fairgate.pipeline.online import Pipeline
from tests.e2e.doors import application, serving
from tests.e2e.test_operators import told
from tests.support import LISTS, PACK, body, open_pipeline
from tests.unit.pipeline.live import reread

REMEMBERS = """
[[list]]
name = "mailboxes"
entity = "email"
remembers = { of = ["ban"], on = "account.signup", for = "90d" }

[[list]]
name = "addresses"
entity = "ip"
remembers = { of = ["ban", "suspend"], on = "account.signup", for = "30d" }
"""
TEXT = PACK.replace(LISTS, LISTS + REMEMBERS)
TOKEN = f"t1:{7:032x}"


@contextmanager
def door(folder: Path) -> Iterator[tuple[httpx.Client, Pipeline]]:
    with open_pipeline(folder, TEXT) as pipeline, serving(application(pipeline)) as client:
        yield client, pipeline


def act(client: httpx.Client, account: str, action: str = "ban") -> int:
    asked = {"kind": "account", "value": account, "action": action, "reasons": ["burst"], "why": "one of thirty"}
    number: int = told_of(client.post("/v1/actions", json=asked), 201)["number"]
    return number


def told_of(answer: httpx.Response, status: int) -> Any:  # noqa: ANN401 - JSON
    assert answer.status_code == status, answer.text
    return answer.json()


def remember(client: httpx.Client, action: int, found: Mapping[str, object], why: str = "used") -> httpx.Response:
    return client.post("/v1/memory", json={"action": action, "found": found, "why": why})


def test_bans_wait_the_oldest_first_until_they_are_looked_up(tmp_path: Path) -> None:
    with door(tmp_path) as (client, _):
        first, second, third = act(client, "a"), act(client, "b", "suspend"), act(client, "c")
        act(client, "d", "hold")
        memory = told(client.get("/v1/memory"))
        assert memory["tokens"] == 0
        assert [(each["action"], each["account"], each["lists"]) for each in memory["waiting"]] == [
            (first, "a", ["mailboxes", "addresses"]),
            (second, "b", ["addresses"]),
            (third, "c", ["mailboxes", "addresses"]),
        ]
        answer = told(remember(client, first, {"mailboxes": [TOKEN, TOKEN], "addresses": [TOKEN]}))
        assert answer == {"action": first, "tokens": 2, "until": "2026-04-05T10:31:12Z"}
        assert told(remember(client, second, {})) == {"action": second, "tokens": 0, "until": None}
        told(client.post(f"/v1/actions/{third}/undo", json={"why": "an error"}))
        assert told(client.get("/v1/memory")) == {"tokens": 2, "waiting": []}
        [entry] = told(client.get("/v1/lists/mailboxes"))["entries"]
        assert (entry["value"], entry["by"], entry["why"]) == (TOKEN, "fairgate", f"action {first}")
        told(client.delete(f"/v1/lists/mailboxes/{TOKEN}?why=a+family"))
        assert told(client.get("/v1/memory"))["tokens"] == 1
        assert told(client.get("/v1/lists/mailboxes"))["entries"] == []
    reread(tmp_path)
    with open_pipeline(tmp_path, TEXT) as pipeline:
        assert len(pipeline.engine.memory) == 1


@pytest.mark.parametrize(
    ("found", "status", "code"),
    [
        ({"mailboxes": ["ada@example.com"]}, 422, "invalid"),
        ({"mailboxes": [TOKEN.upper()]}, 422, "invalid"),
        ({"mailboxes": [f"t1:{number:032x}" for number in range(MOST_EACH + 1)]}, 422, "too_many"),
        ({"mailboxes": TOKEN}, 422, "mistyped"),
        ({"bad_mail": [TOKEN]}, 409, "not_remembered"),
        ({"nothing": [TOKEN]}, 409, "not_remembered"),
    ],
)
def test_what_can_not_be_remembered_is_told_and_changes_nothing(
    tmp_path: Path, found: Mapping[str, object], status: int, code: str
) -> None:
    with door(tmp_path) as (client, _):
        number = act(client, "a")
        assert told_of(remember(client, number, found), status)["error"]["code"] == code
        assert told_of(remember(client, number + 1, {}), 404)["error"]["code"] == "no_action"
        assert told_of(remember(client, number, {}, why=" "), 422)["error"]["code"] == "no_reason"
        assert len(told(client.get("/v1/memory"))["waiting"]) == 1
        told(client.post(f"/v1/actions/{number}/undo", json={"why": "an error"}))
        assert told_of(remember(client, number, {"mailboxes": [TOKEN]}), 409)["error"]["code"] == "not_remembered"


def test_an_erasure_is_told_in_words(tmp_path: Path) -> None:
    with door(tmp_path) as (client, _):
        told(client.post("/v1/decide", content=body()))
        told(remember(client, act(client, "a"), {"mailboxes": [TOKEN]}))
        answer = told(client.post("/v1/erasures", json={"account": "a", "why": "asked for"}))
        assert (answer["kept"], answer["until"], answer["ground"]) == (0, None, "")
        assert (
            "and nothing of it is remembered in lists; the words of its appeals, and its challenges" in answer["words"]
        )
        assert answer["words"].endswith("; 1 action on it stays, as do those on its keys and cards")
        assert answer["actions"] == 1
        assert told(client.get("/v1/memory"))["tokens"] == 0
        nobody = client.post("/v1/erasures", json={"account": "nobody", "why": "asked for"})
        assert told_of(nobody, 404)["error"]["code"] == "nothing_sealed"
