"""Appeals at the desk: when one may be filed, who may decide it, and what a door that fails leaves behind."""

import asyncio
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from fairgate.backends.embedded.segments import open_log
from fairgate.domain.access import Granted, Scope
from fairgate.domain.action import Action
from fairgate.domain.audit import Doing, Kind, more_of
from fairgate.domain.errors import RecordsUnavailable
from fairgate.domain.ledger import FOREVER, Entry, Subject, Undone
from fairgate.domain.windows import DAY, HOUR
from fairgate.ports.appeals import ERASED
from fairgate.ports.ledger import Read
from fairgate.settings import DoorSettings
from fairgate.wiring import RECORDS, Records, open_records
from tests.support import NOW, PACK, SetClock, open_pipeline
from tests.unit.entrypoints.test_desk_app import Desk, refusal
from tests.unit.entrypoints.test_desk_records import fits
from tests.unit.entrypoints.test_doctor import certificate, free_port

DOCS = Path(__file__).parents[3] / "docs"
WHY = {"Fairgate-Reason": "an appeal"}
TERMS = '\n[appeal]\ntext = "Write to us."\ndays = 30\n'
ANNA = Subject("account", "anna")
WORDS = {"action": 7, "words": "It was me.\nTruly.", "ref": "ticket 1"}
GRANT, REFUSE = {"granted": True, "why": "a friend"}, {"granted": False, "why": "no friend"}
REVIEWS = frozenset({Scope.REVIEW})
KEYS = {
    "help desk": REVIEWS,
    "shop": REVIEWS,
    "ann": REVIEWS | {Scope.ENFORCE},
    "bob": REVIEWS | {Scope.ENFORCE},
    "insider": REVIEWS | {Scope.PERSONAL},
}


class FakeDoor:
    """What a door is to the desk: it notes what it is asked, and answers as it is told."""

    def __init__(self) -> None:
        self.port = free_port()
        self.status, self.body = 200, b"{}"
        self.asked: list[tuple[str, str | None, Any]] = []
        self.before_it_answers: Callable[[], object] = lambda: None

    @contextmanager
    def open(self, context: ssl.SSLContext | None = None) -> Iterator[None]:
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                door.asked.append((self.path, self.headers["authorization"], json.loads(raw)))
                door.before_it_answers()
                self.send_response(door.status)
                self.send_header("content-length", str(len(door.body)))
                self.end_headers()
                self.wfile.write(door.body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def refuses(self, status: int, code: str, field: str = "") -> None:
        error = {"code": code, "reason": "as it says", "field": field}
        self.status, self.body = status, json.dumps({"error": error}).encode()


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor()


@pytest.fixture
def desk(tmp_path: Path, door: FakeDoor) -> Iterator[Desk]:
    with ExitStack() as stack:
        yield made(tmp_path, stack, door)


def made(folder: Path, stack: ExitStack, door: FakeDoor, text: str = PACK + TERMS, *, keys: bool = True) -> Desk:
    """A desk whose log says that a pack is live."""
    go_live(folder, text)
    return Desk(folder, stack, KEYS if keys else {}, DoorSettings(port=door.port))


def go_live(folder: Path, text: str) -> None:
    with open_pipeline(folder, text):
        pass


@pytest.fixture
def records(desk: Desk) -> Iterator[Records]:
    """What a clerk has open, with an action that Ann took."""
    with open_records(desk.office.settings.data) as opened:
        taken(opened, entry())
        yield opened


def entry(number: int = 7, by: str = "ann", **changes: object) -> Entry:
    made = Entry(number, ANNA, Action.SUSPEND, NOW - HOUR, FOREVER, ("burst",), ("rule",), "pack@1", by)
    return msgspec.structs.replace(made, **changes)


def taken(records: Records, *entries: Entry) -> None:
    records.ledger.take(Read(1, NOW), entries, [], [])


def filed(desk: Desk, by: str = "help desk", /, **changes: object) -> Any:  # noqa: ANN401 - JSON
    answer = desk.ask("POST", "/v1/appeals", by=by, json={**WORDS, **changes})
    assert answer.status_code == 201, answer.text
    return answer.json()


def tried(desk: Desk, by: str = "help desk", /, **changes: object) -> tuple[int, str]:
    return refusal(desk.ask("POST", "/v1/appeals", by=by, json={**WORDS, **changes}))


def decided(desk: Desk, number: int, by: str, decision: object = GRANT) -> httpx.Response:
    return desk.ask("POST", f"/v1/appeals/{number}/decision", by=by, headers=WHY, json=decision)


def shown(desk: Desk, path: str, by: str = "bob") -> Any:  # noqa: ANN401 - JSON
    answer = desk.ask("GET", f"/v1/appeals{path}", by=by, headers=WHY)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    told = desk.application.openapi()
    pattern = "/v1/appeals" if path[:1] in {"", "?"} else "/v1/appeals/{number}"
    fits(
        told, told["paths"][pattern]["get"]["responses"]["200"]["content"]["application/json"]["schema"], answer.json()
    )
    return answer.json()


def at(desk: Desk, time: int) -> None:
    clock = desk.office.records.clock
    assert isinstance(clock, SetClock)
    clock.time = time


# -------------------------------------------------------------------------------------------------------------- filing


def test_an_appeal_is_filed_with_a_deadline(desk: Desk, records: Records) -> None:
    assert records
    appeal = filed(desk)
    assert appeal == {
        "number": appeal["number"],
        "action": 7,
        "kind": "account",
        "value": "anna",
        "taken_by": "ann",
        "state": "open",
        "filed": "2026-01-05T10:31:12Z",
        "filed_by": "help desk",
        "due": "2026-01-19T10:31:12Z",
        "overdue": False,
        "words": None,
        "ref": "ticket 1",
        "decided": None,
    }
    assert shown(desk, f"/{appeal['number']}") == appeal
    assert shown(desk, f"/{appeal['number']}", "insider") == {**appeal, "words": WORDS["words"]}
    at(desk, NOW + 14 * DAY)
    assert shown(desk, f"/{appeal['number']}")["overdue"] is True
    assert refusal(desk.ask("GET", "/v1/appeals/77", by="bob")) == (404, "not_found")


def test_what_is_filed_twice_under_one_ref_is_filed_once(desk: Desk, records: Records) -> None:
    taken(records, entry(8))
    first = filed(desk)
    again = desk.ask("POST", "/v1/appeals", by="help desk", json=WORDS)
    assert (again.status_code, again.json()) == (200, first)
    assert tried(desk, words="other") == (409, "ref_taken")
    assert tried(desk, action=8) == (409, "ref_taken")
    assert filed(desk, "shop", action=8)["ref"] == WORDS["ref"]  # another caller's name for something
    at(desk, NOW + 300 * DAY)  # a retry that comes late is a retry
    taken(records, entry(undone=Undone(NOW, "bob", "so")))
    assert desk.ask("POST", "/v1/appeals", by="help desk", json=WORDS).status_code == 200


def test_one_appeal_at_a_time_is_open_against_an_action(desk: Desk, records: Records) -> None:
    assert records
    first = filed(desk)["number"]
    assert tried(desk, ref="2") == (409, "appeal_open")
    assert tried(desk, "shop") == (409, "appeal_open")
    assert decided(desk, first, "bob", REFUSE).status_code == 200
    assert filed(desk, ref="2")["number"] > first


def test_what_can_not_be_appealed_against_is_told(desk: Desk, records: Records) -> None:
    undone = Undone(NOW, "bob", "so")
    taken(records, entry(1, undone=undone), entry(2, ends=NOW), entry(3, ends=NOW + 1))
    assert tried(desk, action=99) == (404, "no_action")
    assert tried(desk, action=1) == (409, "action_over")
    assert tried(desk, action=2) == (409, "action_over")
    assert filed(desk, action=3)["state"] == "open"


def test_the_packs_days_are_for_appeals(desk: Desk, records: Records) -> None:
    taken(records, entry(1, starts=NOW - 30 * DAY), entry(2, starts=NOW - 30 * DAY - 1))
    assert filed(desk, action=1)["state"] == "open"
    assert tried(desk, action=2, ref="2") == (422, "too_late")
    go_live(desk.office.settings.data, (PACK + TERMS).replace("days = 30", "days = 31"))
    assert filed(desk, action=2, ref="2")["state"] == "open"
    go_live(desk.office.settings.data, PACK)
    assert tried(desk, ref="3") == (409, "no_appeals")


def test_a_log_that_can_not_be_read_is_told(desk: Desk, records: Records) -> None:
    assert records
    for each in (desk.office.settings.data / "log").glob("*.log"):
        each.unlink()
    assert tried(desk) == (503, "unavailable")
    with open_log(desk.office.settings.data / "log"):
        pass
    assert tried(desk) == (503, "unavailable")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"words": ""}, "words"),
        ({"words": " \n"}, "words"),
        ({"words": "x" * 4_001}, "words"),
        ({"words": "a\0b"}, "words"),
        ({"words": "a\ud800b"}, "words"),
        ({"ref": ""}, "ref"),
        ({"ref": "  "}, "ref"),
        ({"ref": "a\nb"}, "ref"),
        ({"ref": "x" * 301}, "ref"),
        ({"action": -1}, "action"),
        ({"action": 2**63}, "action"),
        ({"action": "seven"}, "action"),
        ({"due": 1}, "due"),
    ],
)
def test_what_can_not_be_filed_is_told_where(
    desk: Desk, records: Records, changes: dict[str, object], field: str
) -> None:
    raw = json.dumps({**WORDS, **changes})
    headers = {"content-type": "application/json"}
    answer = desk.ask("POST", "/v1/appeals", by="help desk", headers=headers, content=raw)
    assert refusal(answer) == (422, "malformed")
    assert answer.json()["error"]["field"] == field
    assert records.appeals.docket(NOW).open == 0


def test_the_longest_words_are_kept_as_they_are(desk: Desk, records: Records) -> None:
    words = "zwei ✓ 😀\n" + "x" * 3_991
    number = filed(desk, words=words)["number"]
    appeal = records.appeals.get(number)
    assert appeal is not None
    assert (appeal.words, len(words)) == (words, 4_000)


def test_erased_words_are_gone_and_who_files_them_again_is_told_of_the_same(desk: Desk, records: Records) -> None:
    taken(records, entry(8, subject=Subject("account", "acc_1")))
    kept, forgotten = filed(desk)["number"], filed(desk, action=8, words="Forget me not.", ref="2")["number"]
    assert records.appeals.erase(Subject("account", "acc_1")) == 1
    assert [shown(desk, f"/{number}", "insider")["words"] for number in (kept, forgotten)] == [WORDS["words"], ERASED]
    again = desk.ask(
        "POST", "/v1/appeals", by="help desk", json={**WORDS, "action": 8, "words": "Forget me not.", "ref": "2"}
    )
    assert (again.status_code, again.json()["number"]) == (200, forgotten)


# ------------------------------------------------------------------------------------------------------------- listing


def test_appeals_are_listed_by_their_deadline_page_by_page(desk: Desk, records: Records) -> None:
    other = Subject("account", "ben")
    taken(records, *[entry(number, subject=other if number % 2 else ANNA) for number in range(8)])
    for number in range(8):
        at(desk, NOW + (number % 3) * HOUR)
        filed(desk, action=number, ref=f"{number}")
    actions, after = list[int](), ""
    while True:
        page = shown(desk, f"?limit=3{after}")
        actions += [each["action"] for each in page["appeals"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert actions == [0, 3, 6, 1, 4, 7, 2, 5]
    assert [each["action"] for each in shown(desk, "?account=ben")["appeals"]] == [3, 1, 7, 5]
    [only] = shown(desk, "?action=4")["appeals"]
    decided(desk, only["number"], "bob", REFUSE)
    assert [each["action"] for each in shown(desk, "?state=refused&account=anna")["appeals"]] == [4]
    assert 4 not in [each["action"] for each in shown(desk, "?state=open")["appeals"]]
    assert shown(desk, "?state=granted") == {"appeals": [], "next": None}
    assert {each["words"] for each in shown(desk, "")["appeals"]} == {None}
    assert {each["words"] for each in shown(desk, "", "insider")["appeals"]} == {WORDS["words"]}
    unexplained = desk.ask("GET", "/v1/appeals", by="insider")
    assert unexplained.headers["fairgate-personal"] == "hidden; no reason"
    assert {each["words"] for each in unexplained.json()["appeals"]} == {None}


@pytest.mark.parametrize("query", ["state=lost", "limit=0", "limit=501", "after=77", "after=-1", f"after={2**63}"])
def test_what_can_not_be_listed_is_told(desk: Desk, records: Records, query: str) -> None:
    assert records
    answer = desk.ask("GET", f"/v1/appeals?{query}", by="bob")
    assert refusal(answer) == (422, "malformed")
    assert answer.json()["error"]["field"] == query.partition("=")[0]


# ------------------------------------------------------------------------------------------------------------ deciding


def test_one_that_is_granted_is_undone_at_the_door_in_the_callers_name(
    desk: Desk, records: Records, door: FakeDoor
) -> None:
    number = filed(desk)["number"]
    states = list[str]()
    door.before_it_answers = lambda: states.append(appeal_of(records, number))
    with door.open():
        answer = decided(desk, number, "bob", {**GRANT, "spare": "30d"})
    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["decided"]) == (
        "granted",
        {"at": "2026-01-05T10:31:12Z", "by": "bob", "why": "a friend"},
    )
    ((path, key, body),) = door.asked
    assert (path, body) == ("/v1/actions/7/undo", {"why": "a friend", "spare": "30d"})
    passed = granted_by(desk, key)
    assert (passed.by, passed.scopes) == ("bob", KEYS["bob"])  # in whose name, and with what of theirs
    assert states == ["open"]  # while the door has not answered
    assert appeal_of(records, number) == "granted"


def appeal_of(records: Records, number: int) -> str:
    appeal = records.appeals.get(number)
    assert appeal is not None
    return appeal.state


def test_one_that_is_refused_needs_no_door(desk: Desk, records: Records, door: FakeDoor) -> None:
    number = filed(desk)["number"]
    answer = decided(desk, number, "insider", REFUSE)
    assert (answer.status_code, answer.json()["state"], answer.json()["words"]) == (200, "refused", WORDS["words"])
    assert (appeal_of(records, number), door.asked) == ("refused", [])


def test_what_was_decided_is_not_decided_again(desk: Desk, records: Records, door: FakeDoor) -> None:
    number = filed(desk)["number"]
    decided(desk, number, "bob", REFUSE)
    with door.open():
        for decision in (GRANT, REFUSE):
            assert refusal(decided(desk, number, "bob", decision)) == (409, "decided")
    assert (appeal_of(records, number), door.asked) == ("refused", [])
    assert refusal(decided(desk, 77, "bob", GRANT)) == (404, "not_found")


@pytest.mark.parametrize(("by", "code"), [("ann", "took_it"), ("help desk", "filed_it")])
def test_nobody_decides_their_own_and_who_tries_is_noted(
    desk: Desk, records: Records, door: FakeDoor, by: str, code: str
) -> None:
    number = filed(desk)["number"]
    with door.open():
        for decision in (GRANT, REFUSE):
            assert refusal(decided(desk, number, by, decision)) == (403, code)
    assert (appeal_of(records, number), door.asked) == ("open", [])
    noted, _ = (each.doing for each in records.audit.rows(0, 9))
    key, about = desk.keys[by].split("_")[1], Subject("appeal", str(number))
    assert noted == Doing(NOW, by, key, Kind.REFUSED, about, more=more_of(code=code))


def test_where_it_can_not_be_noted_that_is_told(desk: Desk, records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> None:
        raise RecordsUnavailable("records.db", "the disk is full", "Make room.")

    number = filed(desk)["number"]
    monkeypatch.setattr(desk.audit, "refused", full)
    assert refusal(decided(desk, number, "ann", REFUSE)) == (503, "records_unavailable")
    assert appeal_of(records, number) == "open"


def test_what_rules_did_may_be_decided_by_anybody_but_who_filed_it(desk: Desk, records: Records) -> None:
    taken(records, entry(by=""))
    number = filed(desk)["number"]
    assert refusal(decided(desk, number, "help desk", REFUSE)) == (403, "filed_it")
    assert decided(desk, number, "ann", REFUSE).status_code == 200


@pytest.mark.parametrize(
    ("decision", "field"),
    [
        ({"granted": True}, "why"),
        ({**GRANT, "why": " "}, "why"),
        ({**GRANT, "why": "a\nb"}, "why"),
        ({**GRANT, "why": "x" * 1_001}, "why"),
        ({"why": "so"}, "granted"),
        ({**GRANT, "granted": "yes"}, "granted"),
        ({**REFUSE, "spare": "30d"}, "spare"),
        ({**GRANT, "spare": "x" * 21}, "spare"),
        ({**GRANT, "by": "ann"}, "by"),
    ],
)
def test_what_is_no_decision_is_told_where(
    desk: Desk, records: Records, door: FakeDoor, decision: object, field: str
) -> None:
    number = filed(desk)["number"]
    answer = decided(desk, number, "bob", decision)
    assert refusal(answer) == (422, "malformed")
    assert answer.json()["error"]["field"] == field
    assert (appeal_of(records, number), door.asked) == ("open", [])


# ---------------------------------------------------------------------------------------------------- a door that fails


def test_a_door_that_can_not_be_reached_leaves_it_open(desk: Desk, records: Records, door: FakeDoor) -> None:
    number = filed(desk)["number"]
    assert refusal(decided(desk, number, "bob")) == (503, "door_unavailable")
    assert appeal_of(records, number) == "open"
    with door.open():
        assert decided(desk, number, "bob").status_code == 200
    assert appeal_of(records, number) == "granted"


@pytest.mark.parametrize(
    ("door_says", "desk_says"),
    [
        ((401, "ended_pass"), (503, "door_unavailable")),
        ((403, "scope_missing"), (403, "scope_missing")),
        ((404, "no_action"), (409, "action_over")),
        ((422, "bad_length"), (422, "bad_length")),
        ((429, "busy"), (503, "door_unavailable")),
        ((500, "failed"), (503, "door_unavailable")),
        ((503, "stopped"), (503, "door_unavailable")),
    ],
)
def test_what_the_door_refuses_is_not_granted(
    desk: Desk, records: Records, door: FakeDoor, door_says: tuple[int, str], desk_says: tuple[int, str]
) -> None:
    number = filed(desk)["number"]
    door.refuses(*door_says, field="spare")
    with door.open():
        answer = decided(desk, number, "bob")
    assert refusal(answer) == desk_says
    if answer.status_code == 422:
        assert answer.json()["error"]["field"] == "spare"
    assert appeal_of(records, number) == "open"
    assert decided(desk, number, "bob", REFUSE).status_code == 200


@pytest.mark.parametrize("status", [202, 302, 500])
def test_what_only_looks_like_a_door_grants_nothing(desk: Desk, records: Records, door: FakeDoor, status: int) -> None:
    number = filed(desk)["number"]
    door.status, door.body = status, b"<html>"
    with door.open():
        assert refusal(decided(desk, number, "bob")) == (503, "door_unavailable")
    assert appeal_of(records, number) == "open"


def test_records_that_fail_after_the_door_has_undone_it_leave_it_open(
    desk: Desk, records: Records, door: FakeDoor, caplog: pytest.LogCaptureFixture
) -> None:
    number = filed(desk)["number"]
    path = desk.office.settings.data / RECORDS
    door.before_it_answers = lambda: path.rename(path.with_name("away"))
    with door.open():
        assert refusal(decided(desk, number, "bob")) == (503, "no_records")
        path.with_name("away").rename(path)
        assert appeal_of(records, number) == "open"
        door.before_it_answers = lambda: None
        assert decided(desk, number, "bob").status_code == 200
    assert [path for path, *_ in door.asked] == ["/v1/actions/7/undo"] * 2  # which undoes it once
    assert appeal_of(records, number) == "granted"
    assert caplog.text == ""


def test_of_two_who_decide_at_the_same_time_one_does(desk: Desk, records: Records, door: FakeDoor) -> None:
    number = filed(desk)["number"]
    waits, go = threading.Event(), threading.Event()

    def wait() -> None:
        waits.set()
        go.wait(60)

    door.before_it_answers = wait

    async def both() -> list[httpx.Response]:
        transport = httpx.ASGITransport(desk.application)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8081") as client:

            async def decide(by: str, decision: object) -> httpx.Response:
                headers = {"authorization": f"Bearer {desk.keys[by]}"}
                return await client.post(f"/v1/appeals/{number}/decision", headers=headers, json=decision)

            first = asyncio.create_task(decide("bob", GRANT))
            await asyncio.to_thread(waits.wait, 60)
            second = await decide("insider", REFUSE)  # it may not be refused while it is being undone
            go.set()
            return [await first, second]

    with door.open():
        first, second = asyncio.run(both())
    assert (first.status_code, refusal(second)) == (200, (409, "being_decided"))
    assert appeal_of(records, number) == "granted"


def test_one_that_another_desk_has_decided_meanwhile_is_told(desk: Desk, records: Records, door: FakeDoor) -> None:
    number = filed(desk)["number"]

    def refuse() -> None:
        with ExitStack() as stack:
            other = Desk(desk.office.settings.data, stack, {}, desk.office.settings.door)
            other.keys = desk.keys
            assert decided(other, number, "insider", REFUSE).status_code == 200

    door.before_it_answers = refuse
    with door.open():
        assert refusal(decided(desk, number, "bob")) == (409, "decided")
    assert appeal_of(records, number) == "refused"


def test_a_door_with_a_certificate_is_known_by_it(tmp_path: Path, door: FakeDoor) -> None:
    for name in ("own", "other"):
        (tmp_path / name).mkdir()
        certificate(tmp_path / name, timedelta(days=3_650))
    for name, status in (("other", 503), ("own", 200)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / name / "cert.pem", tmp_path / name / "key.pem")
        with ExitStack() as stack:
            go_live(tmp_path / name, PACK + TERMS)
            own = tmp_path / "own"
            at_door = DoorSettings(port=door.port, tls_cert=own / "cert.pem", tls_key=own / "key.pem")
            desk = Desk(tmp_path / name, stack, KEYS, at_door)
            with open_records(tmp_path / name) as records, door.open(context):
                taken(records, entry())
                assert decided(desk, filed(desk)["number"], "bob").status_code == status
    assert [asked[0] for asked in door.asked] == ["/v1/actions/7/undo"]


# ------------------------------------------------------------------------------------------- without keys, and metrics


def test_without_keys_only_what_rules_did_can_be_decided(tmp_path: Path, door: FakeDoor) -> None:
    with ExitStack() as stack:
        desk = made(tmp_path, stack, door, keys=False)
        with open_records(tmp_path) as records, door.open():
            taken(records, entry(1, "anyone on this machine"), entry(2, "ann"), entry(3, ""))
            numbers = [filed(desk, "", action=action, ref=f"{action}")["number"] for action in (1, 2, 3)]
            for number in numbers[:2]:
                answer = decided(desk, number, "")
                assert refusal(answer) == (403, "not_told_apart")
                assert "fairgate keys create" in answer.json()["error"]["reason"]
            answer = decided(desk, numbers[2], "")
            assert answer.status_code == 200
            assert answer.json()["decided"]["by"] == "anyone on this machine"
            taken(records, entry(4, ""))
            number = filed(desk, "", action=4, ref="4")["number"]
            strange = {"authorization": "Basic \u00e4".encode("latin-1")}
            answer = desk.ask("POST", f"/v1/appeals/{number}/decision", headers=strange, json=GRANT)  # type: ignore[arg-type]
            assert answer.status_code == 200
    assert [path for path, *_ in door.asked] == ["/v1/actions/3/undo", "/v1/actions/4/undo"]
    assert {granted_by(desk, key).by for _, key, _ in door.asked} == {""}


def granted_by(desk: Desk, key: str | None) -> Granted:
    """What the door is shown: a pass of this installation."""
    assert key is not None
    granted = desk.passes.check(key.encode())
    assert granted is not None
    return granted


def metrics(desk: Desk) -> dict[str, float]:
    lines = desk.ask("GET", "/metrics").text.splitlines()
    return {line.split()[0]: float(line.split()[1]) for line in lines if line.startswith("fairgate_appeals_")}


def test_metrics_tell_how_many_are_open_and_overdue(desk: Desk, records: Records) -> None:
    taken(records, *[entry(number) for number in range(4)])
    numbers = []
    for number in range(4):
        at(desk, NOW + number * DAY)
        numbers.append(filed(desk, action=number, ref=f"{number}")["number"])
    assert metrics(desk) == {"fairgate_appeals_open": 4, "fairgate_appeals_overdue": 0}
    at(desk, NOW + 16 * DAY)
    assert metrics(desk) == {"fairgate_appeals_open": 4, "fairgate_appeals_overdue": 3}
    decided(desk, numbers[0], "bob", REFUSE)
    assert metrics(desk) == {"fairgate_appeals_open": 3, "fairgate_appeals_overdue": 2}


def test_metrics_of_appeals_are_missing_where_the_records_are(desk: Desk) -> None:
    assert metrics(desk) == {}
    (desk.office.settings.data / RECORDS).write_bytes(b"no data base" * 999)
    assert metrics(desk) == {}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/appeals", WORDS),
        ("GET", "/v1/appeals", None),
        ("GET", "/v1/appeals/1", None),
        ("POST", "/v1/appeals/1/decision", GRANT),
    ],
)
def test_without_records_that_is_said_and_broken_ones_are_told(
    desk: Desk, door: FakeDoor, method: str, path: str, body: object
) -> None:
    assert refusal(desk.ask(method, path, by="bob", json=body)) == (503, "no_records")
    (desk.office.settings.data / RECORDS).write_bytes(b"no data base" * 999)
    assert refusal(desk.ask(method, path, by="bob", json=body)) == (503, "records_unavailable")
    assert door.asked == []
