"""Actions and standing over HTTP, at a real door."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from fairgate.domain.access import Scope
from fairgate.domain.windows import DAY, HOUR
from fairgate.pipeline.online import Pipeline
from tests.e2e.doors import application, serving
from tests.e2e.test_operators import guarded, told
from tests.support import PACK, SetClock, body, open_pipeline, request

SUSPEND = {
    "kind": "account",
    "value": "a",
    "action": "suspend",
    "for": "30d",
    "reasons": ["burst"],
    "why": "one of thirty",
    "evidence": ["case 12"],
    "ref": "case-12/a",
}


@contextmanager
def door(folder: Path, clock: SetClock | None = None, text: str = PACK) -> Iterator[tuple[httpx.Client, Pipeline]]:
    with open_pipeline(folder, text, clock=clock) as pipeline, serving(application(pipeline)) as client:
        yield client, pipeline


def act(client: httpx.Client, status: int = 201, /, **changes: object) -> Any:  # noqa: ANN401 - JSON
    asked = {name: value for name, value in {**SUSPEND, **changes}.items() if value is not None}
    answer = client.post("/v1/actions", json=asked)
    assert answer.status_code == status, answer.text
    return answer.json() if status in (200, 201) else answer.json()["error"]


def decide(client: httpx.Client, number: int, account: str = "a") -> Any:  # noqa: ANN401 - JSON
    return told(client.post("/v1/decide", content=request(number, account=account)))


def burst(client: httpx.Client, count: int = 3) -> Any:  # noqa: ANN401 - JSON
    """So many sign-ups from one address: the last is challenged."""
    for number in range(count):
        answer = told(client.post("/v1/decide", content=body({"account": f"a{number}"}, id=f"s{number}")))
    return answer


# -------------------------------------------------------------------------------------------------------------- by hand


def test_an_action_by_hand_stands_until_it_is_undone(tmp_path: Path) -> None:
    with door(tmp_path) as (client, _):
        assert told(client.get("/v1/accounts/a/standing"))["action"] == "allow"
        made = act(client)
        assert made == {
            "number": 0,
            "kind": "account",
            "value": "a",
            "action": "suspend",
            "stands": True,
            "since": "2026-01-05T10:31:12Z",
            "until": "2026-02-04T10:31:12Z",
            "reasons": ["burst"],
            "evidence": ["case 12"],
            "pack": made["pack"],
            "by": "anyone on this machine",
            "why": "one of thirty",
            "ref": "case-12/a",
        }
        assert told(client.get("/v1/actions/0")) == made
        assert told(client.get("/v1/accounts/a/standing")) == {
            "kind": "account",
            "value": "a",
            "action": "suspend",
            "until": "2026-02-04T10:31:12Z",
            "may": {"use": False, "spend": True, "rate": 1.0, "models": None},
            "challenges": [],
            "reasons": ["Many accounts were made in a short time."],
        }
        refused = decide(client, 1)
        assert (refused["action"], refused["stands"]) == ("suspend", True)
        assert refused["reasons"] == ["Many accounts were made in a short time."]
        undone = told(client.post("/v1/actions/0/undo", json={"why": "a mistake"}))
        assert (undone["stands"], undone["undone"]["why"]) == (False, "a mistake")
        assert told(client.post("/v1/actions/0/undo", json={"why": "again"})) == undone
        assert decide(client, 2) == {"id": "r2", "sequence": decide(client, 2)["sequence"], "action": "allow"}
        assert told(client.get("/v1/actions", params={"value": "a"}))["actions"] == [undone]


def test_an_action_has_a_statement_of_reasons(tmp_path: Path) -> None:
    with door(tmp_path) as (client, _):
        act(client)
        said = told(client.get("/v1/actions/0/statement"))
        assert said["text"].startswith("We suspended your account on 5 January 2026, until 4 February 2026.")
        assert (said["automated"], "one of thirty" in said["text"]) == (False, False)
        assert told(client.get("/v1/actions/7/statement"), 404)["code"] == "no_action"


def test_what_is_asked_twice_is_done_once(tmp_path: Path) -> None:
    with door(tmp_path) as (client, _):
        assert act(client) == act(client, 200)
        assert act(client, 409, action="ban")["code"] == "ref_taken"
        assert act(client, ref=None)["number"] == 1


def test_two_who_act_at_the_same_time_hear_of_each_other(tmp_path: Path) -> None:
    with door(tmp_path) as (client, _):
        seen = {"if-match": client.get("/v1/accounts/a/standing").headers["etag"]}
        first = client.post("/v1/actions", json={**SUSPEND, "ref": "1"}, headers=seen)
        second = client.post("/v1/actions", json={**SUSPEND, "ref": "2"}, headers=seen)
        assert (first.status_code, told(second, 412)["code"]) == (201, "changed")


def test_an_action_ends_by_itself(tmp_path: Path) -> None:
    clock = SetClock()
    with door(tmp_path, clock) as (client, _):
        act(client, **{"for": "2h"})
        clock.time += 2 * HOUR - 1
        assert told(client.get("/v1/accounts/a/standing"))["action"] == "suspend"
        clock.time += 1
        assert told(client.get("/v1/accounts/a/standing"))["action"] == "allow"
        assert decide(client, 1)["action"] == "allow"
        act(client, ref="later", value="b")
        assert told(client.get("/v1/actions/0"))["stands"] is False


def test_an_action_outlives_the_process(tmp_path: Path) -> None:
    with door(tmp_path) as (client, _):
        act(client)
        act(client, value="b", ref="b")
        told(client.post("/v1/actions/1/undo", json={"why": "a mistake", "spare": "7d"}))
        before = [told(client.get("/v1/actions", params={"value": each})) for each in "ab"]
    with door(tmp_path) as (client, _):
        assert [told(client.get("/v1/actions", params={"value": each})) for each in "ab"] == before
        assert act(client, 200)["number"] == 0
        assert act(client, value="c", ref="c")["number"] == 3


def test_any_entity_can_be_acted_on_and_a_personal_one_is_known_by_its_token(tmp_path: Path) -> None:
    with door(tmp_path) as (client, pipeline):
        made = act(client, kind="email", value="A@Example.com", action="hold")
        assert made["value"] == pipeline.engine.tokens.text("a@example.com")
        answer = told(client.post("/v1/decide", content=body({"email": "a@EXAMPLE.com"})))
        assert (answer["action"], answer["stands"]) == ("hold", True)
        assert told(client.post("/v1/decide", content=body({"email": "b@example.com"}, id="2")))["action"] == "allow"
        by_token = told(client.get("/v1/actions", params={"kind": "email", "value": made["value"]}))
        assert by_token["actions"] == [made]


def test_a_key_and_an_organisation_count_where_they_are_named(tmp_path: Path) -> None:
    text = PACK.replace('device = { entity = "device" }', 'device = { entity = "device" }\norg = { entity = "org" }')
    with door(tmp_path, text=text) as (client, _):
        act(client, kind="org", value="o", action="throttle")
        assert told(client.get("/v1/accounts/a/standing"))["action"] == "allow"
        standing = told(client.get("/v1/accounts/a/standing", params={"org": "o"}))
        assert (standing["action"], standing["may"]["rate"]) == ("throttle", 0.5)


# ----------------------------------------------------------------------------------------------------- from decisions


def test_what_follows_from_a_decision_is_for_whoever_asks_for_the_standing(tmp_path: Path) -> None:
    clock = SetClock()
    with door(tmp_path, clock) as (client, _):
        assert burst(client)["action"] == "challenge"
        [entry] = told(client.get("/v1/actions", params={"value": "a2"}))["actions"]
        assert (entry["action"], entry["reasons"], entry["evidence"]) == ("challenge", ["burst"], ["burst"])
        assert "by" not in entry
        standing = told(client.get("/v1/accounts/a2/standing"))
        assert (standing["challenges"], standing["may"]["use"]) == (["captcha"], True)
        again = told(client.post("/v1/decide", content=body({"account": "a2", "ip": "192.0.2.1"}, id="again")))
        assert again["action"] == "allow"
        decide(client, 1, account="a2")  # a request ends the challenge in this pack
        assert told(client.get("/v1/accounts/a2/standing"))["action"] == "allow"
        [entry] = told(client.get("/v1/actions", params={"value": "a2"}))["actions"]
        assert entry["undone"] == {"at": "2026-01-05T10:31:12Z", "by": "", "why": "api.request"}


def test_nothing_follows_from_a_list_which_speaks_for_itself(tmp_path: Path) -> None:
    with door(tmp_path) as (client, _):
        told(client.put("/v1/lists/banned/a", json={"for": "1d", "why": "x"}))
        assert decide(client, 1)["action"] == "ban"
        assert told(client.get("/v1/actions", params={"value": "a"}))["actions"] == []
        told(client.delete("/v1/lists/banned/a", params={"why": "x"}))
        assert decide(client, 2)["action"] == "allow"


def test_whom_a_list_allows_may_do_everything(tmp_path: Path) -> None:
    with door(tmp_path) as (client, _):
        act(client, value="friend")
        assert decide(client, 1, account="friend")["action"] == "allow"
        assert told(client.get("/v1/accounts/friend/standing"))["may"]["use"] is True


def test_whoever_is_spared_is_left_alone_by_rules(tmp_path: Path) -> None:
    with door(tmp_path) as (client, _):
        act(client, value="a2", action="allow", reasons=[], **{"for": "7d"})
        answer = burst(client)
        assert (answer["action"], answer["stands"]) == ("allow", True)
        assert "reasons" not in answer
        act(client, value="a2", action="throttle", ref="t")
        assert told(client.post("/v1/decide", content=body({"account": "a2"}, id="x")))["action"] == "throttle"
        told(client.put("/v1/lists/banned/a2", json={"for": "1d", "why": "a person's doing, too"}))
        assert told(client.post("/v1/decide", content=body({"account": "a2"}, id="y")))["action"] == "ban"


# ------------------------------------------------------------------------------------------------------------- switches


def test_an_action_that_is_switched_off_is_not_taken_and_does_not_count(tmp_path: Path) -> None:
    off, on = {"off": True, "why": "it hits friends"}, {"off": False, "why": "mended"}
    with door(tmp_path) as (client, _):
        act(client)
        switched = told(client.put("/v1/switches/action:suspend", json=off))
        assert switched == {"all": False, "rules": [], "actions": ["suspend"]}
        assert decide(client, 1)["action"] == "allow"
        assert told(client.get("/v1/accounts/a/standing"))["action"] == "allow"
        told(client.put("/v1/switches/action:challenge", json=off))
        assert burst(client)["action"] == "throttle"
        told(client.put("/v1/switches/action:suspend", json=on))
        assert decide(client, 2)["action"] == "suspend"
        assert told(client.put("/v1/switches/action:allow", json=off), 404)["code"] == "unknown_rule"


def test_with_all_switched_off_nothing_that_stands_counts(tmp_path: Path) -> None:
    with door(tmp_path) as (client, _):
        act(client)
        told(client.put("/v1/switches/all", json={"off": True, "why": "x"}))
        assert decide(client, 1)["action"] == "allow"
        assert told(client.get("/v1/accounts/a/standing"))["may"]["use"] is True


# ----------------------------------------------------------------------------------------------------------------- tags


def test_a_standing_has_a_tag_that_changes_when_it_does(tmp_path: Path) -> None:
    clock = SetClock()
    with door(tmp_path, clock) as (client, _):
        tags = []

        def look() -> None:
            answer = client.get("/v1/accounts/a/standing")
            same = client.get("/v1/accounts/a/standing", headers={"if-none-match": answer.headers["etag"]})
            assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", answer.headers["etag"])
            tags.append(answer.headers["etag"])

        look()
        act(client, **{"for": "1h"})
        look()
        act(client, ref="b", action="throttle")
        look()
        clock.time += HOUR
        look()
        told(client.post("/v1/actions/1/undo", json={"why": "x"}))
        look()
        assert len(set(tags)) == 4
        assert tags[0] == tags[4]


# ------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"kind": "acount"}, 404, "unknown_kind"),
        ({"kind": "email", "value": "nobody"}, 422, "invalid"),
        ({"value": ""}, 422, "invalid"),
        ({"value": "a\u200fb"}, 422, "invalid"),
        ({"value": "x" * 600}, 422, "invalid"),
        ({"action": "shame"}, 422, "unknown_action"),
        ({"for": "soon"}, 422, "bad_length"),
        ({"for": "0s"}, 422, "bad_length"),
        ({"for": "9999d"}, 422, "bad_length"),
        ({"action": "allow", "for": None}, 422, "bad_length"),
        ({"action": "allow", "for": "366d"}, 422, "bad_length"),
        ({"reasons": []}, 422, "unknown_reason"),
        ({"reasons": ["brust"]}, 422, "unknown_reason"),
        ({"evidence": ["x"] * 21}, 422, "too_long"),
        ({"evidence": ["x" * 301]}, 422, "too_long"),
        ({"ref": "a\nb"}, 422, "too_long"),
        ({"why": " "}, 422, "no_reason"),
        ({"why": 3}, 422, "mistyped"),
        ({"more": 3}, 422, "mistyped"),
    ],
)
def test_what_cannot_be_done_is_told(tmp_path: Path, changes: dict[str, object], status: int, code: str) -> None:
    with door(tmp_path) as (client, pipeline):
        end = pipeline.end
        assert act(client, status, **changes)["code"] == code
        assert pipeline.end == end


def test_what_is_not_there_cannot_be_undone(tmp_path: Path) -> None:
    with door(tmp_path) as (client, _):
        for number in ("0", "99", "-1", "x", "9" * 30, "%F0%9F%8D%84"):
            assert told(client.post(f"/v1/actions/{number}/undo", json={"why": "x"}), 404)["code"] == "no_action"
            assert told(client.get(f"/v1/actions/{number}"), 404)["code"] == "no_action"
        act(client)
        assert told(client.post("/v1/actions/0/undo", json={"why": ""}), 422)["code"] == "no_reason"
        asked = {"why": "x", "spare": "999d"}
        assert told(client.post("/v1/actions/0/undo", json=asked), 422)["code"] == "bad_length"
        assert told(client.get("/v1/actions/0"))["stands"]


def test_each_needs_its_scope(tmp_path: Path) -> None:
    with guarded(tmp_path, gateway=Scope.DECIDE, desk=Scope.ENFORCE, reader=Scope.READ) as clients:
        made = clients["desk"].post("/v1/actions", json={**SUSPEND, "kind": "account"})
        assert (made.status_code, made.json()["by"]) == (201, "desk")
        for name, allowed in {"gateway": False, "reader": False}.items():
            assert (clients[name].post("/v1/actions", json=SUSPEND).status_code == 201) is allowed
            assert clients[name].post("/v1/actions/0/undo", json={"why": "x"}).status_code == 403
        assert clients["gateway"].get("/v1/accounts/a/standing").status_code == 200
        assert clients["reader"].get("/v1/accounts/a/standing").status_code == 200
        assert clients["desk"].get("/v1/accounts/a/standing").status_code == 403
        assert clients["gateway"].get("/v1/actions", params={"value": "a"}).status_code == 403
        assert clients["reader"].get("/v1/actions", params={"value": "a"}).status_code == 200


def test_the_log_is_cut_and_what_stands_stands(tmp_path: Path) -> None:
    clock = SetClock()
    with door(tmp_path, clock) as (client, pipeline):
        act(client, **{"for": "300d"})
        for _ in range(3):
            clock.time += 40 * DAY
            decide(client, clock.time // DAY, account="b")
            pipeline.restate()
            pipeline.commit()
            pipeline.keep(pipeline.capture(pipeline.mark()))
            pipeline.cut(clock.time - 32 * DAY, pipeline.log.end())
        assert pipeline.log.begin() > 0
    with door(tmp_path, clock) as (client, _):
        assert told(client.get("/v1/accounts/a/standing"))["action"] == "suspend"
        assert act(client, value="c", ref="c")["number"] == 1


# -------------------------------------------------------------------------------------------------------- many at once


def batch(client: httpx.Client, values: list[str], status: int = 200, **changes: object) -> Any:  # noqa: ANN401 - JSON
    asked = {name: value for name, value in SUSPEND.items() if name != "value"}
    return told(client.post("/v1/actions/batch", json={**asked, "values": values, "ref": "b1", **changes}), status)


def test_a_batch_is_done_once_however_often_it_is_sent(tmp_path: Path) -> None:
    values = [f"a{number}" for number in range(250)]
    with door(tmp_path) as (client, pipeline):
        first = batch(client, values[:120])
        again = batch(client, values)
        assert (first["taken"], again["taken"], again["refused"]) == (120, 130, [])
        assert again["numbers"] == list(range(250))
        end = pipeline.end
        assert batch(client, values) == {"taken": 0, "numbers": list(range(250)), "refused": []}
        assert pipeline.end == end
        assert decide(client, 1, account="a249")["action"] == "suspend"
    with door(tmp_path) as (client, _):
        assert batch(client, values)["taken"] == 0
        undone = told(client.post("/v1/actions/batch/undo", json={"numbers": [*range(250), 777], "why": "a mistake"}))
        assert undone == {"undone": 250, "missing": [777]}
        assert told(client.get("/v1/accounts/a7/standing"))["action"] == "allow"
        spared = {"numbers": [0], "why": "again", "spare": "7d"}
        assert told(client.post("/v1/actions/batch/undo", json=spared)) == {"undone": 1, "missing": []}


def test_a_value_that_can_be_none_holds_up_no_other(tmp_path: Path) -> None:
    with door(tmp_path) as (client, _):
        found = batch(client, ["x@example.com", "nobody", "a\u200fb@example.com", "y@example.com"], kind="email")
        assert (found["taken"], [each["value"] for each in found["refused"]]) == (2, ["nobody", "a\u200fb@example.com"])
        assert {each["error"]["code"] for each in found["refused"]} == {"invalid"}
        taken = batch(client, ["x@example.com", "z@example.com"], kind="email", action="hold")
        assert [each["error"]["code"] for each in taken["refused"]] == ["ref_taken"]
        assert taken["taken"] == 1


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"values": []}, 422, "too_many"),
        ({"values": ["x"] * 1_001}, 422, "too_many"),
        ({"ref": ""}, 422, "no_ref"),
        ({"ref": "x" * 301}, 422, "too_long"),
        ({"kind": "acount"}, 404, "unknown_kind"),
        ({"action": "shame"}, 422, "unknown_action"),
        ({"reasons": ["brust"]}, 422, "unknown_reason"),
        ({"for": "soon"}, 422, "bad_length"),
        ({"why": ""}, 422, "no_reason"),
    ],
)
def test_what_is_wrong_with_a_whole_batch_is_told(
    tmp_path: Path, changes: dict[str, Any], status: int, code: str
) -> None:
    with door(tmp_path) as (client, pipeline):
        end = pipeline.end
        assert batch(client, **{"values": ["a", "b"], "status": status, **changes})["code"] == code
        assert pipeline.end == end
