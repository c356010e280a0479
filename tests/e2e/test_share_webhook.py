"""Webhooks that come to the share's sidecar over HTTP: what they bind, what is refused, and what outlives a restart."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from standardwebhooks.webhooks import Webhook

from fairgate.backends.embedded.clock import SystemClock
from fairgate.domain.errors import BadSettings
from fairgate.domain.event import moment
from fairgate.domain.windows import MINUTE, SECOND
from fairgate.enforce.messages import Body, Cause, Changed, Switched
from fairgate.enforce.standing import May, Standing
from fairgate.entrypoints.share import webhook
from fairgate.entrypoints.signing import new_secret
from tests.e2e.doors import client_of
from tests.e2e.shares import OpenShare, pool, settings_for, sharing

SECRET = new_secret()
BEGIN = SystemClock().now()
HAND = {"ceil": 0.01, "trust": 0.9, "reason": "case 12"}


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sides know it."""
    monkeypatch.setenv("FAIRGATE_SHARE_WEBHOOK", SECRET)


@pytest.fixture
def share(tmp_path: Path) -> Iterator[OpenShare]:
    """A sidecar with capacity for all, and a ceiling of a hundredth for a whole rate."""
    with opened(tmp_path) as it:
        yield it


def opened(folder: Path) -> Any:  # noqa: ANN401 - a context manager of what `sharing` gives
    return sharing(settings_for(folder, pool(capacity=100_000), throttled_ceil=0.01))


def changed(account: str = "a", at: int = 0, kind: str = "account", action: str = "suspend", **may: Any) -> bytes:  # noqa: ANN401 - what an account may do
    """The body of a message that was made `at` seconds after the tests began."""
    given = May(
        **{"use": action not in {"suspend", "ban"}, "spend": action == "allow", "rate": 1.0, "models": None} | may
    )
    standing = Standing(kind, account, action, None, given, ["captcha"] if action == "challenge" else [], ["Words."])
    data = Changed(standing, Cause(17, action, "taken", automated=True))
    return msgspec.json.encode(Body("standing.changed", moment(BEGIN + at * SECOND), data))


def switched(name: str, at: int, *, off: bool) -> bytes:
    return msgspec.json.encode(Body("enforcement.switched", moment(BEGIN + at * SECOND), Switched(name, off)))


def headers(body: bytes, name: str = "action_17_taken", key: str = SECRET, late: int = 0) -> dict[str, str]:
    """Headers as the library makes them."""
    at = datetime.fromtimestamp((SystemClock().now() - late) // SECOND, UTC)
    signature = Webhook(key).sign(name, at, body.decode())
    return {"webhook-id": name, "webhook-timestamp": f"{at.timestamp():.0f}", "webhook-signature": signature}


def told(share: OpenShare, body: bytes, name: str = "action_17_taken") -> bool:
    """Whether a message that is taken has changed anything."""
    answer = share.client.post("/v1/share/standing", content=body, headers=headers(body, name))
    assert answer.status_code == 200, answer.text
    applied: bool = answer.json()["applied"]
    return applied


def explained(share: OpenShare, account: str = "a") -> Any:  # noqa: ANN401 - parsed JSON
    return share.client.get(f"/v1/share/explain/{account}").json()


def bound(share: OpenShare, account: str = "a") -> float | None:
    ceil: float | None = explained(share, account)["bound"]
    return ceil


def refused(share: OpenShare, reason: str) -> float:
    return share.metric(f'fairgate_share_messages_refused_total{{reason="{reason}"}}')


# --------------------------------------------------------------------------------------------------------- what it does


def test_who_may_not_use_the_service_is_denied_in_coarse_words_until_it_may(share: OpenShare) -> None:
    assert share.acquire("a").status_code == 200
    assert told(share, changed("a"))
    denied = share.acquire("a")
    assert (denied.status_code, denied.json()["error"]["code"]) == (429, "busy")
    assert "suspend" not in denied.text
    assert share.acquire("b").status_code == 200
    assert told(share, changed("a", 1, action="allow"), "action_17_undone")
    assert share.acquire("a").status_code == 200


def test_who_waits_already_waits_until_it_may(tmp_path: Path) -> None:
    with sharing(settings_for(tmp_path, pool(capacity=1_000, burst=1))) as share, ThreadPoolExecutor(1) as some:
        share.granted("other")
        told(share, changed("a"))
        waiting = some.submit(share.acquire, "a", deadline_ms=20_000)
        with pytest.raises(TimeoutError):
            waiting.result(1.0)
        told(share, changed("a", 1, action="allow"), "action_17_undone")
        assert waiting.result(5).status_code == 200


@pytest.mark.parametrize(
    ("action", "may", "ceil"),
    [
        ("throttle", {"rate": 0.25}, 0.0025),
        ("hold", {"rate": 0.1, "spend": False}, 0.001),
        ("hold", {"spend": False}, None),
        ("challenge", {}, None),
        ("challenge", {"rate": 0.5}, 0.005),
        ("watch", {}, None),
        ("ban", {"rate": 0.5}, 0.0),
        ("throttle", {"models": ["small"]}, None),
        ("throttle", {"rate": 0.0}, 0.0),
    ],
)
def test_what_an_account_may_do_is_a_ceiling(
    share: OpenShare, action: str, may: Mapping[str, Any], ceil: float | None
) -> None:
    assert told(share, changed("a", action=action, **may))
    assert bound(share) == ceil
    assert explained(share)["standing"]["trust"] == 0.5, "trust is left alone"
    assert share.metric("fairgate_share_bound") == (ceil is not None)


def test_a_lower_rate_is_a_part_of_the_capacity(share: OpenShare) -> None:
    told(share, changed("a", action="throttle", rate=0.25))
    granted = [share.acquire("a", input_tokens=100, max_output=0).status_code for _ in range(20)]
    assert granted[:3] == [200, 200, 200]
    assert 3 <= granted.count(200) <= 10, "250 a second, and nothing saved up beyond that"
    assert [share.acquire("b", input_tokens=100, max_output=0).status_code for _ in range(20)] == [200] * 20


def test_what_was_said_by_hand_stays_and_the_lower_of_both_binds(share: OpenShare) -> None:
    share.post("principal", account="a", **HAND)
    told(share, changed("a", 0, action="throttle", rate=0.5))
    found = explained(share)
    assert (found["standing"]["ceil"], found["standing"]["trust"], found["bound"]) == (0.01, 0.9, 0.005)
    words = " ".join(found["words"])
    assert "A ceiling holds it to 1.00% of the capacity" in words
    assert "It alone is bound to 0.5% of the capacity, beside that: the lower of both counts." in words
    assert "its action is throttle" in words
    assert "its rate is 50% of the usual, which means a ceiling of 0.5% here" in words
    share.post("principal", account="a", ceil=0.001, reason="lower")
    told(share, changed("a", 1, action="throttle", rate=0.9), "action_18_taken")
    node = share.application.sidecar.share.stocks["default"].tree
    share.granted("a")
    assert node.accounts["a"].ceiling is not None
    assert node.accounts["a"].ceiling.part == 0.001, "a webhook overrules nothing upward"
    told(share, changed("a", 2, action="allow"), "action_18_undone")
    found = explained(share)
    assert (found["standing"]["ceil"], found["bound"], found["decision"]["ceil"]) == (0.001, None, None)
    assert node.accounts["a"].ceiling.part == 0.001
    share.post("principal", account="a", reason="cleared")
    assert share.acquire("a").status_code == 200


def test_an_account_of_which_nothing_else_is_known_stays_a_newcomer(share: OpenShare) -> None:
    told(share, changed("a"))
    found = explained(share)
    assert (found["known"], found["bound"], found["standing"]["newcomer"]) == (False, 0.0, True)
    assert found["decision"] == {
        "action": "suspend", "ceil": 0.0, "counts": True, "message": "action_17_taken",
        "since": moment(BEGIN).isoformat().replace("+00:00", "Z"),
    }  # fmt: skip
    assert "It alone is bound to 0% of the capacity, also when capacity is idle." in found["words"]
    assert any("it may not use the service, which means a ceiling of 0% here" in each for each in found["words"])
    assert explained(share, "b")["decision"] is None


@pytest.mark.parametrize(
    "body",
    [
        changed("a", kind="key"),
        changed("a" * 257),
        changed(""),
        b'{"type":"another","timestamp":"2026-01-05T10:31:12Z","data":7}',
    ],
)
def test_what_is_about_no_account_is_taken_and_ignored(share: OpenShare, body: bytes) -> None:
    assert not told(share, body)
    assert bound(share) is None
    assert share.metric('fairgate_share_messages_total{what="ignored"}') == 1


def test_a_switch_that_is_off_lets_go_what_came_from_webhooks_alone(share: OpenShare) -> None:
    share.post("principal", account="a", **HAND)
    told(share, changed("a"))
    told(share, changed("b", action="throttle", rate=0.5))
    for at, (name, found) in enumerate(
        (("all", [None, None]), ("action:suspend", [None, 0.005]), ("action:ban", [0.0, 0.005]))
    ):
        assert told(share, switched(name, 2 * at, off=True), f"switch_{2 * at}")
        assert [bound(share, each) for each in "ab"] == found
        assert (f"That does not count while {name} is switched off." in explained(share)["words"]) == (found[0] is None)
        assert explained(share)["standing"]["ceil"] == 0.01
        assert explained(share)["decision"]["counts"] == (found[0] is not None)
        assert told(share, switched(name, 2 * at + 1, off=False), f"switch_{2 * at + 1}")
        assert not told(share, switched(name, 2 * at, off=True), f"switch_{2 * at}")
    assert [bound(share, each) for each in "ab"] == [0.0, 0.005]


# ---------------------------------------------------------------------------------------------------- order and repeats


def test_the_same_again_is_answered_and_applied_once(share: OpenShare) -> None:
    assert told(share, changed("a"))
    assert not told(share, changed("a"))
    assert told(share, changed("a", 1, action="allow"), "action_17_undone")
    assert not told(share, changed("a")), "after a later one was applied"
    assert bound(share) is None
    assert share.metric('fairgate_share_messages_total{what="applied"}') == 2
    assert share.metric('fairgate_share_messages_total{what="old"}') == 2
    assert told(share, changed("b")), "of another account, at the same time"


def test_many_at_a_time_share_commits_and_the_same_ones_count_once(
    share: OpenShare, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs, slow, fsync = [0], threading.Event(), os.fsync

    def counted(file: int) -> None:
        syncs[0] += 1
        slow.wait(0.05)
        fsync(file)

    monkeypatch.setattr(os, "fsync", counted)
    bodies = [changed(f"a{number % 100}") for number in range(200)]
    with ThreadPoolExecutor(50) as some:
        found = list(some.map(lambda body: told(share, body), bodies))
    assert sum(found) == 100
    assert share.metric("fairgate_share_bound") == 100
    assert 1 <= syncs[0] <= 40


def test_it_is_on_disk_before_it_is_answered_and_stands_after_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path) as share:
        share.post("principal", account="a", **HAND)
        told(share, changed("a"))
        told(share, changed("b", action="throttle", rate=0.5))
        told(share, changed("c"))
        told(share, changed("c", 1, action="allow"), "action_17_undone")
        told(share, changed("d", action="ban"))
        told(share, switched("action:ban", 1, off=True), "switch_1")
    with opened(tmp_path) as share:
        assert [bound(share, each) for each in "abcd"] == [0.0, 0.005, None, None]
        assert explained(share)["standing"]["ceil"] == 0.01
        assert not told(share, changed("c")), "what came before the restart is known"
        assert told(share, switched("action:ban", 2, off=False), "switch_2")
        assert bound(share, "d") == 0.0
    with sharing(settings_for(tmp_path, pool(capacity=100_000), throttled_ceil=0.1)) as share:
        assert bound(share, "b") == 0.05, "what a rate comes to is for the settings"


def test_what_can_not_be_written_down_is_not_answered_200_and_comes_again(
    share: OpenShare, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    body = changed("a")
    answer = share.client.post("/v1/share/standing", content=body, headers=headers(body))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unwritable")
    monkeypatch.undo()
    assert bound(share) is None
    assert refused(share, "unwritable") == 1
    assert told(share, body)
    assert bound(share) == 0.0


# -------------------------------------------------------------------------------------------------------------- hostile

BODY = changed("a")
Change = Callable[[dict[str, str]], dict[str, str]]


def without(name: str) -> Change:
    return lambda good: {key: value for key, value in good.items() if key != name}


def having(name: str, value: str) -> Change:
    return lambda good: good | {name: value}


REFUSED: list[tuple[str, str, Change]] = [
    ("no headers", "headers", lambda _: {}),
    *((f"no {name}", "headers", without(name)) for name in ("webhook-id", "webhook-timestamp", "webhook-signature")),
    *((f"{name} is {value!r}", "headers", having(name, value)) for name, value in (
        ("webhook-id", "a b"), ("webhook-id", "a.b"), ("webhook-timestamp", "soon"), ("webhook-timestamp", "-5"),
    )),
    ("another key", "signature", lambda _: headers(BODY, key=new_secret())),
    ("another id", "signature", having("webhook-id", "action_18_taken")),
    ("another body", "signature", lambda _: headers(changed("b"))),
    ("garbage", "signature", having("webhook-signature", "v1,garbage v1, ,, v2")),
    ("too old", "time", lambda _: headers(BODY, late=5 * MINUTE + 2 * SECOND)),
    ("too new", "time", lambda _: headers(BODY, late=-5 * MINUTE - 2 * SECOND)),
    ("at 0", "time", having("webhook-timestamp", "0")),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "change"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED])
def test_who_can_not_say_who_they_are_changes_nothing(share: OpenShare, reason: str, change: Change) -> None:
    answer = share.client.post("/v1/share/standing", content=BODY, headers=change(headers(BODY)))
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == {"headers": "unsigned", "time": "untimely"}.get(reason, "bad_signature")
    assert SECRET not in answer.text
    assert refused(share, reason) == 1
    assert bound(share) is None
    assert told(share, BODY)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[" * 20_000,
        b'{"type":"standing.changed"}',
        b'{"type":"standing.changed","timestamp":"2026-01-05T10:31:12","data":{}}',
        b'{"type":"standing.changed","timestamp":"2026-01-05T10:31:12Z","data":{}}',
        BODY.replace(b'"use":false', b'"use":0'),
        BODY.replace(b'"rate":1.0', b'"rate":-0.5'),
        BODY.replace(b'"rate":1.0', b'"rate":NaN'),
        BODY.replace(b'"kind":"account"', b'"kind":5'),
        BODY.replace(b'"suspend"', b'"' + b"s" * 65 + b'"'),
        BODY.replace(b'"timestamp":"', b'"timestamp":"x'),
        switched("all", 0, off=True).replace(b"true", b"1"),
    ],
)
def test_what_is_signed_and_makes_no_sense_is_refused(share: OpenShare, body: bytes) -> None:
    answer = share.client.post("/v1/share/standing", content=body, headers=headers(body))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed")
    assert refused(share, "malformed") == 1
    assert bound(share) is None


def test_a_body_that_is_too_large_is_refused_whether_or_not_it_says_so(share: OpenShare) -> None:
    body = BODY + b" " * webhook.LARGEST

    def parts() -> Iterator[bytes]:
        for at in range(0, len(body), 10_000):
            yield body[at : at + 10_000]

    for content in (body, parts()):
        try:
            answer = share.client.post("/v1/share/standing", content=content, headers=headers(body))
        except httpx.WriteError:  # the answer came before all was sent
            continue
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert refused(share, "too_large") == 2
    assert bound(share) is None
    largest = BODY + b" " * (webhook.LARGEST - len(BODY))
    assert told(share, largest)


def test_a_signature_is_no_api_key_and_an_api_key_no_signature(share: OpenShare) -> None:
    page = {"origin": "https://evil.example"}
    body = changed("a")
    answer = share.client.post("/v1/share/standing", content=body, headers=page | {"authorization": "Bearer fg_x"})
    assert answer.status_code == 401
    assert share.client.get("/v1/share/standing").status_code == 405
    assert share.client.post("/v1/share/principal", content=body, headers=headers(body) | page).status_code == 403


def test_without_a_secret_there_is_no_such_route(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FAIRGATE_SHARE_WEBHOOK")
    with opened(tmp_path) as share:
        answer = share.client.post("/v1/share/standing", content=BODY, headers=headers(BODY))
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_webhooks")
        assert bound(share) is None


def test_a_secret_that_is_none_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRGATE_SHARE_WEBHOOK", "whsec_short")
    with pytest.raises(BadSettings, match="FAIRGATE_SHARE_WEBHOOK holds no secret"), opened(tmp_path):
        pass


def test_by_hand_two_at_a_time_get_versions_of_their_own(share: OpenShare) -> None:
    def say(number: int) -> Any:  # noqa: ANN401 - parsed JSON
        with client_of(share.port) as client:
            body = {"account": "a", "paid": number, "reason": "at a time"}
            return client.post("/v1/share/principal", json=body).json()

    with ThreadPoolExecutor(8) as some:
        answers = list(some.map(say, range(40)))
    assert all(each["applied"] for each in answers)
    assert max(each["version"] for each in answers) == 39
