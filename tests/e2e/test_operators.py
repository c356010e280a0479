"""What operators read and change over HTTP, at a real door."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from fairgate.backends.embedded.api_keys import open_api_keys
from fairgate.domain.access import Scope
from fairgate.domain.errors import LogBroken
from fairgate.domain.windows import DAY, MINUTE
from fairgate.entrypoints.access import Access, new_key
from fairgate.entrypoints.serve_command import application_of
from fairgate.pipeline.online import Pipeline
from fairgate.settings import DoorSettings, Settings
from tests.e2e.doors import Once, application, serving
from tests.support import NOW, SetClock, body, open_pipeline, request
from tests.unit.pipeline.test_labels import LABELLED, TWICE


@contextmanager
def door(folder: Path, text: str = LABELLED, clock: SetClock | None = None) -> Iterator[tuple[httpx.Client, Pipeline]]:
    """A door that asks for no keys."""
    with open_pipeline(folder, text, clock=clock) as pipeline, serving(application(pipeline)) as client:
        yield client, pipeline


def sent(client: httpx.Client, *bodies: bytes) -> list[int]:
    """The numbers of events that must be taken."""
    answers = [client.post("/v1/decide", content=each) for each in bodies]
    return [answer.json()["sequence"] for answer in answers]


def told(response: httpx.Response, status: int = 200) -> Any:  # noqa: ANN401 - JSON
    """The answer, which must have this status."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    return response.json() if status == 200 else response.json()["error"]


# ------------------------------------------------------------------------------------------------------------ decisions


def test_a_decision_is_told_whole(tmp_path: Path) -> None:
    with door(tmp_path) as (client, pipeline):
        burst = [
            body({"account": f"a{number}", "born": "2026-01-05T12:00:00+02:00"}, id=f"s{number}") for number in range(3)
        ]
        numbers = sent(client, *burst)
        found = told(client.get(f"/v1/decisions/{numbers[-1]}"))
        by_name = told(client.get("/v1/decisions/s2", params={"source": "test"}))
        token = pipeline.engine.tokens.text
    assert found == by_name
    assert found["event"] == {
        "source": "test",
        "id": "s2",
        "type": "account.signup",
        "time": "2026-01-05T10:31:12Z",
        "received": "2026-01-05T10:31:12Z",
        "attributes": {"account": "a2", "born": "2026-01-05T10:00:00Z"},
        "personal": {"email": token("a@example.com"), "ip": token("198.51.100.7")},
        "readable": False,
    }
    [rule] = found["rules"]
    assert (rule["name"], rule["mode"], rule["score"]) == ("burst", "live", 3.0)
    assert (rule["silent"], rule["why"]) == (False, "3 sign-ups from 198.51.100.0/24")
    [reason] = found["reasons"]
    assert (reason["code"], reason["rules"], reason["decisive"]) == ("burst", ["burst"], True)
    assert reason["reviewer"] == "Burst of sign-ups: 3 sign-ups from 198.51.100.0/24"
    assert found["decision"]["action"] == "challenge"
    assert {"type": "number", "value": 3.0} in found["features"].values()


def test_features_come_as_their_types(tmp_path: Path) -> None:
    with door(tmp_path) as (client, _):
        number = sent(client, *(request(number, model="big") for number in range(2)))[-1]
        features = told(client.get(f"/v1/decisions/{number}"))["features"]
    by_name = {name.partition("(")[0]: each for name, each in features.items()}
    assert by_name["last"] == {"type": "text", "value": "big"}
    assert by_name["is_new"] == {"type": "bool", "value": False}
    assert by_name["mean"] == {"type": "number", "value": None}


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/decisions/0", 404, "no_decision"),  # the pack's own record
        ("/v1/decisions/99", 404, "no_decision"),
        ("/v1/decisions/" + "9" * 400, 404, "no_decision"),
        ("/v1/decisions/x", 400, "no_source"),
        ("/v1/decisions/x?source=test", 404, "no_decision"),
        ("/v1/decisions/%F0%9F%8D%84?source=", 404, "no_decision"),
        ("/v1/entities/acount/a", 404, "unknown_kind"),
        ("/v1/entities/email/nobody", 422, "invalid"),
        ("/v1/lists/bannd", 404, "unknown_list"),
        ("/v1/lists/banned?limit=0", 400, "bad_limit"),
        ("/v1/lists/banned?limit=99999", 400, "bad_limit"),
        ("/v1/lists/banned?limit=-1", 400, "bad_limit"),
    ],
)
def test_what_is_not_there_is_told(tmp_path: Path, path: str, status: int, code: str) -> None:
    with door(tmp_path) as (client, _):
        assert told(client.get(path), status)["code"] == code


def test_the_nearest_name_is_told(tmp_path: Path) -> None:
    with door(tmp_path) as (client, _):
        assert "did you mean `account`?" in told(client.get("/v1/entities/acount/a"), 404)["reason"]
        assert "did you mean `banned`?" in told(client.get("/v1/lists/bannd"), 404)["reason"]
        switched = client.put("/v1/switches/burs", json={"off": True, "why": "test"})
        assert "did you mean `burst`?" in told(switched, 404)["reason"]


# ------------------------------------------------------------------------------------------------------------- entities


def test_an_entity_is_told_as_it_stands_now(tmp_path: Path) -> None:
    clock = SetClock()
    with door(tmp_path, clock=clock) as (client, pipeline):
        sent(client, request(1, model="big", cost=3), request(2, model="small", cost=4))
        client.put("/v1/lists/banned/a", json={"for": "7d", "why": "a case"})
        before = pipeline.engine.rows.size()
        clock.time += 2 * MINUTE
        found = told(client.get("/v1/entities/account/a"))
        assert pipeline.engine.rows.size() == before
        mail = told(client.get("/v1/entities/email/A.Nna@Gmail.com"))
        token = pipeline.engine.tokens.text("anna@gmail.com")
        assert told(client.get(f"/v1/entities/email/{token}"))["value"] == mail["value"] == token
        assert told(client.get("/v1/entities/account/never"))["seen"] is False
    assert (found["seen"], found["at"]) == (True, "2026-01-05T10:33:12Z")
    features = {each["name"].partition("(")[0]: each for each in found["features"]}
    assert features["last"]["value"] == "small"
    assert (features["last"]["window"], features["last"]["type"]) == ("ever", "text")
    assert features["total"]["read_at"] == ["api.request"]
    assert found["lists"] == [
        {
            "list": "banned",
            "value": "a",
            "until": "2026-01-12T10:31:12Z",
            "by": "anyone on this machine",
            "why": "a case",
        }
    ]


# ---------------------------------------------------------------------------------------------------------------- lists


def test_a_value_goes_on_a_list_acts_and_comes_off(tmp_path: Path) -> None:
    with door(tmp_path) as (client, pipeline):
        put = told(client.put("/v1/lists/banned/crook%2F1", json={"for": "7d", "why": "chargebacks"}))
        assert put == {
            "list": "banned",
            "value": "crook/1",
            "until": "2026-01-12T10:31:12Z",
            "by": "anyone on this machine",
            "why": "chargebacks",
        }
        assert told(client.get("/v1/lists/banned")) == {"entries": [put], "next": None}
        assert client.post("/v1/decide", content=request(1, "crook/1")).json()["action"] == "ban"
        off = told(client.request("DELETE", "/v1/lists/banned/crook%2F1", params={"why": "a mistake"}))
        assert (off["until"], off["why"]) == ("2026-01-05T10:31:12Z", "a mistake")
        assert told(client.get("/v1/lists/banned"))["entries"] == []
        assert client.post("/v1/decide", content=request(2, "crook/1")).json()["action"] == "allow"
        again = client.request("DELETE", "/v1/lists/banned/crook%2F1", params={"why": "again"})
        assert told(again, 404)["code"] == "no_entry"
        assert pipeline.engine.lists.standing("banned", NOW) == []


def test_a_long_list_comes_in_pages(tmp_path: Path) -> None:
    with door(tmp_path) as (client, pipeline):
        for number in range(25):
            pipeline.put_in_list("banned", f"a{number:02}", NOW + DAY, "test", "many")
        found: list[str] = []
        query = {"limit": "10"}
        while True:
            page = told(client.get("/v1/lists/banned", params=query))
            found += [each["value"] for each in page["entries"]]
            if page["next"] is None:
                break
            query["after"] = page["next"]
    assert found == [f"a{number:02}" for number in range(25)]


def test_the_lists_are_told(tmp_path: Path) -> None:
    with door(tmp_path) as (client, _):
        found = {each["name"]: each for each in told(client.get("/v1/lists"))["lists"]}
        mail = told(client.put("/v1/lists/bad_mail/a.nna@gmail.com", json={"for": "1h", "why": "burnt"}))
        friends = told(client.get("/v1/lists/friends"))
        tokens = told(client.get("/v1/lists/bad_mail"))
    assert (found["banned"]["effect"], found["banned"]["personal"]) == ("ban", False)
    assert (found["bad_mail"]["entity"], found["bad_mail"]["personal"]) == ("email", True)
    assert friends["entries"] == [{"list": "friends", "value": "friend", "until": None, "by": "pack", "why": ""}]
    assert tokens["entries"] == [mail]
    assert mail["value"].startswith("t1:")


@pytest.mark.parametrize(
    ("path", "sent", "status", "code"),
    [
        ("/v1/lists/bannd/a", {"for": "7d", "why": "x"}, 404, "unknown_list"),
        ("/v1/lists/bad_mail/nobody", {"for": "7d", "why": "x"}, 422, "invalid"),
        ("/v1/lists/banned/a%00b", {"for": "7d", "why": "x"}, 422, "invalid"),
        ("/v1/lists/banned/" + "a" * 513, {"for": "7d", "why": "x"}, 422, "invalid"),
        ("/v1/lists/banned/a", {"for": "7d", "why": " "}, 422, "no_reason"),
        ("/v1/lists/banned/a", {"for": "7d", "why": "x" * 1_001}, 422, "no_reason"),
        ("/v1/lists/banned/a", {"for": "7d", "why": "a\u202eb"}, 422, "no_reason"),
        ("/v1/lists/banned/a", {"for": "366d", "why": "x"}, 422, "bad_length"),
        ("/v1/lists/banned/a", {"for": "0s", "why": "x"}, 422, "bad_length"),
        ("/v1/lists/banned/a", {"for": "always", "why": "x"}, 422, "bad_length"),
        ("/v1/lists/banned/a", {"for": "7d"}, 422, "mistyped"),
        ("/v1/lists/banned/a", {"for": "7d", "why": "x", "until": 5}, 422, "mistyped"),
        ("/v1/lists/banned/a", "{", 400, "malformed"),
        ("/v1/lists/banned/a", '{"why":' + "[" * 10_000, 422, "mistyped"),
        ("/v1/lists/banned/a", "x" * 17_000, 413, "too_large"),
        ("/v1/switches/burs", {"off": True, "why": "x"}, 404, "unknown_rule"),
        ("/v1/switches/burst", {"off": "yes", "why": "x"}, 422, "mistyped"),
        ("/v1/switches/burst", {"off": True, "why": ""}, 422, "no_reason"),
    ],
)
def test_a_change_that_cannot_be_is_told_and_changes_nothing(
    tmp_path: Path, path: str, sent: object, status: int, code: str
) -> None:
    with door(tmp_path) as (client, pipeline):
        raw = sent if isinstance(sent, str) else json.dumps(sent)
        assert told(client.put(path, content=raw), status)["code"] == code
        assert pipeline.engine.lists.standing("banned", NOW) == []
        assert pipeline.engine.brakes.off == set()
        with pytest.raises(LookupError):
            pipeline.lookup.record(1)


def test_taking_off_needs_a_reason(tmp_path: Path) -> None:
    with door(tmp_path) as (client, _):
        assert told(client.delete("/v1/lists/friends/friend"), 422)["code"] == "no_reason"
        assert told(client.delete("/v1/lists/frends/friend", params={"why": "x"}), 404)["code"] == "unknown_list"
        assert told(client.delete("/v1/lists/bad_mail/x", params={"why": "x"}), 422)["code"] == "invalid"


# ------------------------------------------------------------------------------------------------------------- switches


def test_a_rule_and_all_enforcement_are_switched_off_and_on(tmp_path: Path) -> None:
    burst = [body({"account": f"a{number}"}, id=f"s{number}") for number in range(5)]
    with door(tmp_path) as (client, _):
        assert told(client.get("/v1/switches")) == {"all": False, "rules": [], "actions": []}
        off = {"off": True, "why": "a load test"}
        assert told(client.put("/v1/switches/burst", json=off)) == {"all": False, "rules": ["burst"], "actions": []}
        found = [client.post("/v1/decide", content=each).json()["action"] for each in burst[:4]]
        on = {"off": False, "why": "it is over"}
        assert told(client.put("/v1/switches/burst", json=on)) == {"all": False, "rules": [], "actions": []}
        found.append(client.post("/v1/decide", content=burst[4]).json()["action"])
        assert told(client.put("/v1/switches/all", json=off)) == {"all": True, "rules": [], "actions": []}
    assert found == ["allow"] * 4 + ["challenge"]


def test_changes_outlive_the_process(tmp_path: Path) -> None:
    with door(tmp_path) as (client, _):
        client.put("/v1/switches/burst", json={"off": True, "why": "a load test"})
        put = told(client.put("/v1/lists/banned/crook", json={"for": "7d", "why": "chargebacks"}))
    with door(tmp_path) as (client, _):
        assert told(client.get("/v1/switches"))["rules"] == ["burst"]
        assert told(client.get("/v1/lists/banned"))["entries"] == [put]


# --------------------------------------------------------------------------------------------------------------- labels


def test_a_label_is_an_event_and_a_retry_is_a_repeat(tmp_path: Path) -> None:
    with door(tmp_path) as (client, _):
        [number] = sent(client, body(id="x"))
        by_name = {"of": {"source": "test", "id": "x"}, "bad": True, "kind": "farm", "said_by": "reviewer"}
        first, again = (told(client.post("/v1/labels", json=by_name)) for _ in range(2))
        by_number = told(client.post("/v1/labels", json={**by_name, "of": {"sequence": number}}))
        other = told(client.post("/v1/labels", json={**by_name, "bad": False}))
        label = told(client.get(f"/v1/decisions/{first['sequence']}"))["event"]
    assert (first["type"], first["repeated"]) == ("account.label", False)
    assert again == by_number == {**first, "repeated": True}
    assert other["sequence"] > first["sequence"]
    assert label["attributes"] == {"of": "x", "bad": True, "account": "a", "kind": "farm", "said_by": "reviewer"}
    assert list(label["personal"]) == ["email"]


@pytest.mark.parametrize(
    ("sent_body", "status", "code"),
    [
        ({"of": {"sequence": 99}, "bad": True}, 404, "no_event"),
        ({"of": {"sequence": 0}, "bad": True}, 404, "no_event"),
        ({"of": {"sequence": -1}, "bad": True}, 404, "no_event"),
        ({"of": {"source": "test", "id": "y"}, "bad": True}, 404, "no_event"),
        ({"of": {"source": "test"}, "bad": True}, 422, "bad_label"),
        ({"of": {"sequence": 1, "source": "test", "id": "x"}, "bad": True}, 422, "bad_label"),
        ({"of": {}, "bad": True}, 422, "bad_label"),
        ({"of": {"sequence": 1}}, 422, "mistyped"),
        ({"of": {"sequence": 1}, "bad": 1}, 422, "mistyped"),
        ({"of": {"sequence": 1}, "bad": True, "type": "nothing"}, 422, "bad_label"),
        ({"of": {"sequence": 2}, "bad": True}, 422, "bad_label"),  # two label types speak of it
        ({"of": {"sequence": 1}, "bad": True, "kind": "x" * 9_000}, 422, "invalid"),
    ],
)
def test_a_label_that_cannot_be_given_is_told(
    tmp_path: Path, sent_body: dict[str, object], status: int, code: str
) -> None:
    with door(tmp_path, TWICE) as (client, _):
        assert sent(client, body(id="x"), request(1)) == [1, 2]
        assert told(client.post("/v1/labels", json=sent_body), status)["code"] == code


# --------------------------------------------------------------------------------------------------------------- scopes


@contextmanager
def guarded(folder: Path, **keys: Scope | tuple[Scope, ...]) -> Iterator[dict[str, httpx.Client]]:
    """A door with these API keys, and a client for each."""
    settings = Settings(door=DoorSettings(port=0))
    with open_pipeline(folder, LABELLED) as pipeline, open_api_keys(folder / "keys.db") as store:
        secrets = {}
        for name, scopes in keys.items():
            wanted = frozenset(scopes if isinstance(scopes, tuple) else (scopes,))
            secrets[name], key = new_key(name, wanted, NOW, None)
            store.add(key)
        served = application_of(Once(pipeline), settings, Access(store, pipeline.clock, "127.0.0.1"))
        with serving(served) as client:
            clients = {
                name: httpx.Client(
                    base_url=client.base_url, trust_env=False, headers={"authorization": f"Bearer {secret}"}
                )
                for name, secret in secrets.items()
            }
            try:
                yield clients
            finally:
                for each in clients.values():
                    each.close()


def test_only_who_may_see_it_sees_what_is_personal(tmp_path: Path) -> None:
    with guarded(tmp_path, shop=Scope.DECIDE, reader=Scope.READ, investigator=(Scope.READ, Scope.PERSONAL)) as clients:
        [number] = sent(clients["shop"], body())
        unexplained = clients["investigator"].get(f"/v1/decisions/{number}")
        assert unexplained.headers["fairgate-personal"] == "hidden; no reason"
        assert "a@example.com" not in unexplained.text
        clients["investigator"].headers["fairgate-reason"] = "a complaint"
        hidden, seen = (told(clients[name].get(f"/v1/decisions/{number}")) for name in ("reader", "investigator"))
        entities = [
            told(clients[name].get("/v1/entities/email/a@example.com"))["value"] for name in ("reader", "investigator")
        ]
        assert told(clients["shop"].get(f"/v1/decisions/{number}"), 403)["code"] == "scope_missing"
    assert seen["event"]["personal"] == {"email": "a@example.com", "ip": "198.51.100.7"}
    assert seen["event"]["readable"]
    assert hidden["event"]["personal"]["email"] == entities[0]
    assert entities[1] == "a@example.com"
    assert "a@example.com" not in json.dumps(hidden)


def test_a_change_is_signed_with_the_keys_name(tmp_path: Path) -> None:
    with guarded(tmp_path, desk=Scope.ENFORCE, reader=Scope.READ) as clients:
        put = told(clients["desk"].put("/v1/lists/banned/crook", json={"for": "7d", "why": "chargebacks"}))
        refused = clients["reader"].put("/v1/lists/banned/crook", json={"for": "7d", "why": "chargebacks"})
        entity = told(clients["reader"].get("/v1/entities/account/crook"))
        assert told(refused, 403)["code"] == "scope_missing"
        assert told(clients["reader"].put("/v1/switches/all", json={"off": True, "why": "x"}), 403)
    assert put["by"] == "desk"
    assert entity["lists"] == [put]


def test_the_door_describes_itself(tmp_path: Path) -> None:
    with door(tmp_path) as (client, _):
        found = [told(client.get("/openapi.json")) for _ in range(2)]
    assert found[0] == found[1]
    assert set(found[0]["paths"]) >= {"/v1/decide", "/v1/labels", "/openapi.json"}
    assert "account.label" in found[0]["components"]["schemas"]["Event"]["discriminator"]["mapping"]


def test_while_the_log_is_broken_nothing_is_changed_or_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise LogBroken(tmp_path, "the disk is gone", "Mend it.")

    with door(tmp_path) as (client, pipeline):
        [number] = sent(client, body())
        monkeypatch.setattr(pipeline.log, "append", fail)
        monkeypatch.setattr(pipeline.log, "get", fail)
        found = [
            client.put("/v1/lists/banned/a", json={"for": "7d", "why": "x"}),
            client.put("/v1/switches/all", json={"off": True, "why": "x"}),
            client.get(f"/v1/decisions/{number}"),
            client.post("/v1/labels", json={"of": {"sequence": number}, "bad": True}),
        ]
        monkeypatch.undo()
        assert [told(each, 503)["code"] for each in found] == ["stopped"] * 4
        assert all(each.headers["retry-after"].isdigit() for each in found)
        assert pipeline.engine.lists.standing("banned", NOW) == []
        assert pipeline.engine.brakes.off == set()
