"""The log becomes rows: the same as a recording's, and all that is personal masked."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from fairgate.backends.embedded.lake import FolderLake, open_lake
from fairgate.backends.embedded.segments import open_log
from fairgate.domain.errors import LakeAhead, NotInLake, RecordUnreadable
from fairgate.domain.secret import Secrets, Tokens
from fairgate.domain.windows import DAY, HOUR, SECOND
from fairgate.pipeline.compaction import Compaction, retain
from fairgate.pipeline.history import logged_events
from fairgate.pipeline.live_lake import LiveLake
from fairgate.pipeline.recording import Recorded, Recording, open_recording
from fairgate.pipeline.records import EventRecord, decode
from fairgate.pipeline.replay import Replay
from fairgate.ports.event_log import EventLog
from fairgate.ports.lake import Covered, SqlLimits
from fairgate.wiring import checked_from
from tests.contracts.planting import Edit, planted
from tests.support import NOW, PACK, SECRET, SECRETS, SetClock, body, open_pipeline, seals_in, traffic
from tests.unit.pipeline.live import NEXT_PACK, take

LABELS = """
[event."account.label"]
label_of = ["account.signup", "api.request"]
[event."account.label".attributes]
of = { required = true }
bad = "bool"
account = { entity = "account" }
"""
LIMITS = SqlLimits()


def feed(folder: Path, numbers: range, text: str = PACK, secrets: Secrets = SECRETS, step: int = 7 * SECOND) -> None:
    """Let the live pipeline decide on some traffic, with a list's entry and a switch in between."""
    clock = SetClock()
    with open_pipeline(folder, text, clock=clock, secrets=secrets) as pipeline:
        for number, (raw, received) in enumerate(traffic(len(numbers), start=numbers.start, step=step)):
            clock.time = received
            take(pipeline, raw)
            if number == 5:
                pipeline.put_in_list("banned", "a3", received + HOUR, "me", "because")
                pipeline.switch("capped", off=True, by="me", why="because")


@contextmanager
def compaction_of(folder: Path) -> Iterator[tuple[EventLog, FolderLake, Compaction]]:
    with open_log(folder / "log", read_only=True) as log, open_lake(folder / "lake") as lake:
        yield log, lake, Compaction(log, lake, checked_from)


def compact(folder: Path, limit: int = 1_000) -> dict[str, pl.DataFrame]:
    """The lake brought up to date, in steps."""
    with compaction_of(folder) as (log, lake, compaction):
        while took := compaction.step(limit):
            assert took <= limit
        assert lake.covered().sequence == log.end()
        return {name: lake.scan(name).collect() for name in {each.event_type for each in lake.files()}}


def replayed(folder: Path) -> Recorded:
    """What a replay of the log records."""
    replay = Replay(checked_from({"pack.toml": PACK}), SECRET)
    recording = Recording(folder / "recorded", replay.engine)
    with open_log(folder / "log", read_only=True) as log, seals_in(folder) as seals:
        events = logged_events(log, replay.engine, replay.decoder.wires, seals.open)
        replay.run(events, recording=recording)
    recording.finish([])
    return open_recording(folder / "recorded")


def test_rows_are_those_of_a_recording(tmp_path: Path) -> None:
    feed(tmp_path, range(90))
    lake, recorded = compact(tmp_path), replayed(tmp_path)
    assert set(lake) == set(recorded.frames)
    for name, lazy in recorded.frames.items():
        frame = lazy.collect().drop("_sequence")
        assert_frame_equal(lake[name].select(frame.columns), frame)
    sequences = pl.concat(each["_sequence"] for each in lake.values()).sort().to_list()
    assert sequences == [1, 2, 3, 4, 5, 6, *range(9, 93)]


def test_what_is_personal_is_masked_beside_what_tells_nobody(tmp_path: Path) -> None:
    clock = SetClock()
    with open_pipeline(tmp_path, clock=clock) as pipeline:
        take(
            pipeline,
            body(id="1", data={"email": "Anna.Bell+x@Gmail.com"}),
            body(id="2", data={"email": None, "ip": None}),
        )
    first, second = compact(tmp_path)["account.signup"].rows(named=True)
    tokens = Tokens(SECRET)
    assert first["email"] == tokens.text("annabell@gmail.com")
    assert first["ip"] == tokens.text("198.51.100.7")
    assert (first["email.domain"], first["email.disposable"]) == ("gmail.com", False)
    assert (first["_personal"], first["_key"]) == ("email ip", 0)
    assert [second[name] for name in ("email", "ip", "email.domain", "_key", "_sealed")] == [None] * 5
    assert second["_personal"] == "email ip"
    assert first["_pack"] == checked_from({"pack.toml": PACK}).pack.label
    for path in (tmp_path / "lake").rglob("*"):
        assert path.is_dir() or b"nna" not in path.read_bytes()


@pytest.mark.parametrize("limit", [1, 7, 1_000])
def test_steps_of_any_size_across_packs_and_restarts_make_one_lake(tmp_path: Path, limit: int) -> None:
    feed(tmp_path, range(30))
    with compaction_of(tmp_path) as (_, lake, compaction):
        assert compaction.step(20) == 20
        assert lake.covered() == Covered(20, 0)
    feed(tmp_path, range(30, 50), NEXT_PACK.replace('model = "text"', 'model = "text"\nregion = "text"'))
    frames = compact(tmp_path, limit)
    requests = frames["api.request"]
    assert requests["_sequence"].is_sorted()
    assert requests["_id"].to_list() == [f"r{number}" for number in range(50) if number % 3]
    assert requests["_pack"].n_unique() == 2
    assert {"region"} <= set(requests.columns)
    regular = 'count("api.request", by=account, over="24h")'
    [column] = [name for name in requests.columns if name.startswith("count(") and "24h" in name]
    assert regular.split(",", maxsplit=1)[0] in column
    assert requests.filter(pl.col("_pack").str.contains(" 1 "))[column].null_count() == 20
    assert requests.filter(pl.col("_pack").str.contains(" 2 "))[column].null_count() == 0


def test_only_what_is_durable_is_taken(tmp_path: Path) -> None:
    clock = SetClock()
    with open_pipeline(tmp_path, clock=clock) as pipeline, open_log(tmp_path / "log", read_only=True) as log:
        take(pipeline, body(id="1"))
        pipeline.take([pipeline.decoder.single(body(id="2"), NOW)])
        log.refresh()
        with open_lake(tmp_path / "lake") as lake:
            compaction = Compaction(log, lake, checked_from)
            assert compaction.step() == 2
            assert compaction.step() == 0
            pipeline.commit()
            log.refresh()
            assert log.end() - lake.covered().sequence == 1
            assert compaction.step() == 1
            assert lake.scan("account.signup").select("_id").collect()["_id"].to_list() == ["1", "2"]


def test_labels_say_what_they_speak_of(tmp_path: Path) -> None:
    clock = SetClock()
    with open_pipeline(tmp_path, PACK + LABELS, clock=clock) as pipeline:
        take(
            pipeline,
            body(id="1"),
            body(id="2", type="account.label", data={"of": "1", "bad": True, "email": None, "ip": None}),
        )
    with opened(tmp_path) as live:
        asked = live.ask("SELECT type, account, of, bad, label_of, latest FROM labels", LIMITS)
    assert asked.answer.frame.rows() == [("account.label", "a", "1", True, ["account.signup", "api.request"], True)]


def test_a_lake_that_is_ahead_of_its_log_is_told(tmp_path: Path) -> None:
    feed(tmp_path, range(3))
    with compaction_of(tmp_path) as (_, lake, compaction):
        lake.append({}, Covered(99, 0))
        for call in (compaction.step, lambda: compaction.tail(tuple)):
            with pytest.raises(LakeAhead, match="goes up to 99, and the log ends before 4"):
                call()


def test_events_without_a_pack_are_told(tmp_path: Path) -> None:
    feed(tmp_path, range(3))
    with compaction_of(tmp_path) as (_, lake, compaction):
        lake.append({}, Covered(1, -1))
        with pytest.raises(RecordUnreadable, match="no pack stands before"):
            compaction.step()


# ---------------------------------------------------------------------------------------------------------------- live


@contextmanager
def opened(folder: Path, secrets: Secrets = SECRETS) -> Iterator[LiveLake]:
    with compaction_of(folder) as (log, lake, compaction), seals_in(folder, secrets) as seals:
        yield LiveLake(lake, compaction, log.end, secrets, seals.open)


def test_the_newest_events_are_asked_before_they_are_in_the_lake(tmp_path: Path) -> None:
    feed(tmp_path, range(40))
    query = "SELECT * EXCLUDE (_day) FROM api_request ORDER BY _sequence"
    with opened(tmp_path) as live:
        before = live.ask(query, LIMITS)
        assert before.left_out == 0
        lazily = live.frame("api.request").collect()
    with compaction_of(tmp_path) as (log, _, compaction):
        tail = compaction.tail(log.end, 10)
        assert tail.start == 0
        assert sum(each.height for each in tail.frames.values()) == 7  # beside a pack, a list's entry, and a switch
        assert tail.left_out == log.end() - 10
    frames = compact(tmp_path)
    with opened(tmp_path) as live:
        assert_frame_equal(live.ask(query, LIMITS).answer.frame, before.answer.frame)
        assert_frame_equal(live.frame("api.request").collect(), lazily, check_column_order=False)
        assert lazily.height == frames["api.request"].height
        with pytest.raises(NotInLake):
            live.frame("none.such")


def test_personal_values_show_only_where_asked_for_and_not_when_erased(tmp_path: Path) -> None:
    clock = SetClock()
    with open_pipeline(tmp_path, clock=clock) as pipeline:
        take(pipeline, body(id="1", data={"account": "a", "email": "anna@example.com"}))
        take(pipeline, body(id="2", data={"account": "b", "email": "bert@example.com"}))
        pipeline.erase("b", by="me", why="asked to")
    query = 'SELECT account, email, ip, "email.domain" FROM account_signup ORDER BY _sequence'
    with opened(tmp_path) as live:
        assert live.ask(query, LIMITS, personal=True).answer.frame.rows() == [
            ("a", "anna@example.com", "198.51.100.7", "example.com"),
            ("b", None, None, "example.com"),
        ]
        masked = live.ask(query, LIMITS).answer.frame
        assert masked["email"].str.contains("^t1:[0-9a-f]{32}$").all()
        found = "SELECT account FROM account_signup WHERE is_token(email, ' Bert@EXAMPLE.com')"
        assert live.ask(found.replace(" Bert", "Bert"), LIMITS).answer.frame.rows() == [("b",)]


def test_tokens_of_every_version_of_the_secret_are_found(tmp_path: Path) -> None:
    feed(tmp_path, range(3))
    both = Secrets({1: SECRET, 2: 0x5EED_2})
    feed(tmp_path, range(3, 6), secrets=both)
    query = "SELECT _id, email LIKE 't2:%' FROM account_signup WHERE is_token(email, 'u{}@{}.com')"
    with opened(tmp_path, both) as live:
        assert live.ask(query.format(0, "example"), LIMITS).answer.frame.rows() == [("s0", False)]
        assert live.ask(query.format(3, "mailinator"), LIMITS).answer.frame.rows() == [("s3", True)]
        [(token,)] = live.ask("SELECT token('u3@mailinator.com')", LIMITS).answer.frame.rows()
        assert token == Tokens(0x5EED_2, 2).text("u3@mailinator.com")


# ------------------------------------------------------------------------------------------- another fills it meanwhile

PLACES = ("covered", "refresh", "refreshed", "sql", "scan")
SEQUENCES = "SELECT sequence FROM decisions ORDER BY sequence"


@contextmanager
def overtaken(folder: Path, place: str, *, merging: bool) -> Iterator[tuple[LiveLake, EventLog]]:
    """A lake for reading; each time before it comes to a place, others decide on events and take some into the lake."""

    def theirs() -> None:
        with open_log(folder / "log", read_only=True) as log:
            start = log.end()
        feed(folder, range(start, start + 9))
        with compaction_of(folder) as (log, filled, compaction):
            before = filled.covered().sequence
            for limit in (3, log.end() - before - 5):  # what is asked about ends within a file, or none
                compaction.step(limit)
            if merging:
                assert filled.merge(date(2026, 2, 1)) > 0

    with (
        open_log(folder / "log", read_only=True) as log,
        open_lake(folder / "lake", read_only=True) as lake,
        seals_in(folder) as seals,
    ):

        def refresh() -> None:
            if place == "refresh":
                theirs()
            log.refresh()
            if place == "refreshed":
                theirs()

        def late(*given: Any) -> Any:  # noqa: ANN401 - whatever the place takes and gives
            theirs()
            return there(*given)

        if place not in {"refresh", "refreshed"}:
            there = getattr(lake, place)
            setattr(lake, place, late)
        yield LiveLake(lake, Compaction(log, lake, checked_from), refresh, SECRETS, seals.open), log


def logged(log: EventLog, event_type: str | None = None) -> list[int]:
    """The numbers of the events that a log shows, or of those of one type."""
    records = ((sequence, decode(sequence, data)) for sequence, data in log.read())
    return [at for at, each in records if isinstance(each, EventRecord) and event_type in {None, each.type}]


@pytest.mark.parametrize("merging", [False, True])
@pytest.mark.parametrize("place", PLACES[:-1])
def test_an_event_is_found_once_whenever_it_comes_into_the_lake(tmp_path: Path, place: str, merging: bool) -> None:
    feed(tmp_path, range(12))
    with compaction_of(tmp_path) as (_, _, compaction):
        compaction.step(8)
    with overtaken(tmp_path, place, merging=merging) as (live, log):
        for _ in range(3):
            asked = live.ask(SEQUENCES, LIMITS)
            assert asked.answer.frame["sequence"].to_list() == logged(log)
            assert asked.left_out == 0


def test_what_the_log_drops_meanwhile_is_found_in_the_lake(tmp_path: Path) -> None:
    feed(tmp_path, range(12))
    with compaction_of(tmp_path) as (_, _, compaction):
        compaction.step(8)

    def refresh() -> None:
        clock = SetClock(NOW + 2 * DAY)
        with open_pipeline(tmp_path, clock=clock) as pipeline:
            begin = pipeline.log.end()
            assert pipeline.restate()
            take(pipeline, body(id="1"), body(id="2"))
        compact(tmp_path)
        with open_log(tmp_path / "log") as kept:
            kept.drop(begin)
        log.refresh()
        assert logged(log) == [log.end() - 2, log.end() - 1]

    with open_log(tmp_path / "log", read_only=True) as log, open_lake(tmp_path / "lake", read_only=True) as lake:
        events = logged(log)
        with seals_in(tmp_path) as seals:
            live = LiveLake(lake, Compaction(log, lake, checked_from), refresh, SECRETS, seals.open)
            asked = live.ask(SEQUENCES, LIMITS)
        assert asked.answer.frame["sequence"].to_list() == [*events, *logged(log)]


@pytest.mark.parametrize("merging", [False, True])
@pytest.mark.parametrize("place", [place for place in PLACES if place != "sql"])
def test_so_it_is_in_a_frame(tmp_path: Path, place: str, merging: bool) -> None:
    feed(tmp_path, range(12))
    with compaction_of(tmp_path) as (_, _, compaction):
        compaction.step(8)
    with overtaken(tmp_path, place, merging=merging) as (live, log):
        for event_type in ("api.request", "account.signup", "api.request"):
            frame = live.frame(event_type)
            seen = logged(log, event_type)
            assert frame.select("_sequence").collect()["_sequence"].to_list() == seen


SEEN_FIRST = "    covered = self._lake.covered()\n    refresh()\n"
OLD_WAYS = {
    "the log is older than the lake": Edit(
        Compaction, "tail", SEEN_FIRST, "".join(reversed(SEEN_FIRST.splitlines(keepends=True)))
    ),
    "the tail begins where the lake did": Edit(Compaction, "tail", "Tail(start.sequence", "Tail(covered.sequence"),
    "a query sees all of the lake": Edit(LiveLake, "ask", "tail.start", "None"),
    "a frame has all of the lake": Edit(LiveLake, "frame", "event_type, tail.start", "event_type"),
}


@pytest.mark.parametrize("name", OLD_WAYS)
def test_the_old_ways_are_noticed(tmp_path: Path, name: str) -> None:
    def seen(folder: Path) -> None:
        test_what_the_log_drops_meanwhile_is_found_in_the_lake(folder / "dropped")
        for place in PLACES:
            if place != "scan":
                test_an_event_is_found_once_whenever_it_comes_into_the_lake(
                    folder / f"asked {place}", place, merging=False
                )
            if place != "sql":
                test_so_it_is_in_a_frame(folder / f"frame {place}", place, merging=False)

    with planted(OLD_WAYS[name]), pytest.raises((AssertionError, LakeAhead)):
        seen(tmp_path)


# ----------------------------------------------------------------------------------------------------------- retention


@pytest.mark.parametrize(
    ("days", "megabytes", "left"),
    [(None, None, 5), (2, None, 3), (0, None, 1), (None, 1, 5), (1, 1, 2), (9, None, 5)],
)
def test_rows_are_forgotten_by_age(tmp_path: Path, days: int | None, megabytes: int | None, left: int) -> None:
    feed(tmp_path, range(12), step=DAY // 3)
    compact(tmp_path)
    with open_lake(tmp_path / "lake") as lake:
        retain(lake, "api.request", date(2026, 1, 9), days, megabytes)
        kept = [each.day for each in lake.files() if each.event_type == "api.request"]
        assert kept == [date(2026, 1, 10 - number) for number in range(left, 0, -1)]
        assert any(each.event_type == "account.signup" for each in lake.files())


def test_rows_are_forgotten_by_size_but_for_the_last_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feed(tmp_path, range(12), step=DAY // 3)
    compact(tmp_path)
    with open_lake(tmp_path / "lake") as lake:
        sizes = [each.bytes for each in lake.files() if each.event_type == "api.request"]
        monkeypatch.setattr("fairgate.pipeline.compaction._MEGABYTE", 1)
        assert retain(lake, "api.request", date(2026, 1, 9), None, sum(sizes[1:])) > 0
        assert [each.bytes for each in lake.files() if each.event_type == "api.request"] == sizes[1:]
        retain(lake, "api.request", date(2026, 1, 9), None, 1)
        assert [each.bytes for each in lake.files() if each.event_type == "api.request"] == sizes[-1:]
    assert datetime.fromtimestamp(NOW / SECOND, UTC).date() == date(2026, 1, 5)
