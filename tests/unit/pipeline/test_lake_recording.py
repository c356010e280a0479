"""A backtest over the lake says what one over a replay of the same log says, or there is a reason to replay."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from fairgate.backends.embedded.lake import FolderLake, open_lake
from fairgate.backends.embedded.segments import open_log
from fairgate.domain.errors import LakeAhead, NotAllInLake
from fairgate.domain.event import microseconds
from fairgate.domain.windows import DAY
from fairgate.ingest.decode import Taken
from fairgate.language.checked import CheckedPack
from fairgate.pipeline.backtest import Material, Report, backtest
from fairgate.pipeline.compaction import Compaction
from fairgate.pipeline.history import logged_events
from fairgate.pipeline.lake_recording import lake_as_recording
from fairgate.pipeline.online import Answer
from fairgate.pipeline.recording import Recorded, Recording, open_recording
from fairgate.pipeline.replay import Replay
from fairgate.ports.lake import Covered
from fairgate.wiring import checked_from
from tests.support import SECRET, SetClock, open_pipeline, seals_in
from tests.unit.pipeline.test_backtest import NEW, OLD, OLD_RULES, START, event, of, pack, rule, some_events

#: The rules of the old pack under another name, so that another pack decided before it.
BEFORE = pack(*OLD_RULES, rule("nets", 'ip.network == "203.0.113.0/24" and amount > 99'), version="0")
SWITCHED = START + timedelta(days=1)
NOON = START + timedelta(days=1, hours=12)


def text_of(checked: CheckedPack) -> str:
    return checked.pack.files["pack.toml"]


def decide(folder: Path, events: Iterable[Mapping[str, object]], checked: CheckedPack, *, told: bool = False) -> None:
    """Let the live pipeline decide on events as they come; with `told`, a list and a switch change on the way."""
    clock = SetClock(microseconds(START))
    with open_pipeline(folder, text_of(checked), clock=clock) as pipeline:
        clock.time = max(clock.time, pipeline.engine.clock)
        for number, each in enumerate(events):
            clock.time = max(clock.time, microseconds(datetime.fromisoformat(str(each["time"]))))
            [outcome] = pipeline.take([pipeline.decoder.single(json.dumps(each).encode(), clock.time)])
            assert isinstance(outcome, Answer), outcome
            if told and number == 400:
                pipeline.put_in_list("blocked", "203.0.113.5", clock.time + DAY, "me", "because")
                pipeline.switch("dear", off=True, by="me", why="because")
        pipeline.commit()


def compact(folder: Path, most: int | None = None) -> None:
    """Bring the lake up to the log's end, or take in so many records."""
    with open_log(folder / "log", read_only=True) as log, open_lake(folder / "lake") as lake:
        compaction = Compaction(log, lake, checked_from)
        while compaction.step(most or 600) and most is None:
            pass


@contextmanager
def read(inputs: Sequence[Path], replay: Replay) -> Iterator[Iterable[Sequence[Taken]]]:
    """The events of a log for a replay, as the desk reads them."""
    with open_log(inputs[0], read_only=True) as log, seals_in(inputs[0].parent) as seals:
        yield logged_events(log, replay.engine, replay.decoder.wires, seals.open)


@dataclass(frozen=True)
class Both:
    """The same backtest over the lake and by a replay."""

    lake: Report
    replay: Report

    @property
    def same(self) -> bool:
        return replace(self.lake, replays=()) == replace(self.replay, replays=())


@contextmanager
def recording(folder: Path, checked: CheckedPack, since: datetime | None = None) -> Iterator[Recorded]:
    with open_log(folder / "log", read_only=True) as log, open_lake(folder / "lake", read_only=True) as lake:
        yield lake_as_recording(log, lake, checked, checked_from, log.refresh, since)


def both(folder: Path, scratch: Path, old: CheckedPack, new: CheckedPack, since: datetime | None = None) -> Both:
    replayed = Material(None, [folder / "log"], scratch / "replayed", SECRET, read, since)
    with recording(folder, old, since) as recorded:
        from_lake = replace(replayed, recording=recorded, scratch=scratch / "lake")
        return Both(backtest(old, new, from_lake), backtest(old, new, replayed))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of a shop, decided on live by the old pack; the last are not in the lake yet."""
    folder = tmp_path_factory.mktemp("shop")
    decide(folder, some_events(), OLD, told=True)
    compact(folder, most=1_400)
    return folder


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, but for another pack that decided on the first day."""
    folder = tmp_path_factory.mktemp("moved")
    events = some_events()
    first = sum(datetime.fromisoformat(str(each["time"])) < SWITCHED for each in in_order())
    decide(folder, events[:first], BEFORE)
    decide(folder, events[first:], OLD)
    compact(folder)
    return folder


# ------------------------------------------------------------------------------------------------------ the same twice


def test_changed_rules_and_new_ones_over_recorded_features_need_no_replay(shop: Path, tmp_path: Path) -> None:
    found = both(shop, tmp_path, OLD, NEW)
    assert found.same
    assert found.lake.replays == ()
    assert found.replay.replays == ("The old pack, shop 1, was replayed. There is no recording.",)
    assert {of(found.lake, name).how for name in ("dear", "fresh")} == {"columns"}
    assert of(found.lake, "dear").gained.labelled > 0
    assert sum(each.new.bad for each in found.lake.rules if each.new) > 0
    assert of(found.lake, "dear").overlaps
    assert sum(each.newly for each in found.lake.affected) > 0
    assert any("lists and switches as they stood then" in each for each in found.lake.warnings)


def test_a_new_aggregate_is_replayed_once_instead_of_twice(shop: Path, tmp_path: Path) -> None:
    wide = pack(*OLD_RULES, rule("wide", 'distinct(ip, by=account, over="24h") >= 3'), version="3")
    found = both(shop, tmp_path, OLD, wide)
    assert found.same
    [why] = found.lake.replays
    assert "The new pack, shop 3, was replayed. It reads what was not recorded: wide needs distinct(" in why
    assert len(found.replay.replays) == 2
    assert of(found.lake, "wide").how == "kernel"
    assert of(found.lake, "wide").gained.events > 0


@pytest.mark.parametrize(
    "condition", ['card in ("c1", "c2", "c3", "c4")', 'starts_with(email.local, "y")', 'email != "x@example.com"']
)
def test_a_personal_text_is_replayed_and_never_compared_with_its_token(
    shop: Path, tmp_path: Path, condition: str
) -> None:
    named = pack(*OLD_RULES, rule("named", condition), version="4")
    found = both(shop, tmp_path, OLD, named)
    assert found.same
    assert ["named needs" in each for each in found.lake.replays] == [True]
    assert of(found.lake, "named").gained.events > 0


def test_no_column_of_a_token_is_there(shop: Path) -> None:
    with open_lake(shop / "lake", read_only=True) as lake, recording(shop, OLD) as recorded:
        in_lake, names = lake.scan("pay").collect_schema().names(), recorded.frames["pay"].collect_schema().names()
    assert {"card", "email", "_sealed", "_key"} <= set(in_lake)
    assert {"card", "email", "_sealed", "_key"}.isdisjoint(names)
    assert "email.disposable" in names


@pytest.mark.parametrize("since", [START + timedelta(hours=5), NOON, START + timedelta(days=30)])
def test_what_was_received_since_a_time(shop: Path, tmp_path: Path, since: datetime) -> None:
    found = both(shop, tmp_path, OLD, NEW, since)
    assert found.same
    assert found.lake.replays == ()
    assert set(found.lake.types) == set(OLD.pack.event_types)  # those without events, too
    events = in_order()
    assert found.lake.events == sum(datetime.fromisoformat(str(each["time"])) >= since for each in events) < len(events)


def in_order(count: int = 1_500) -> list[dict[str, object]]:
    """The events with the time at which each is received."""
    events, latest = some_events(count), ""
    for each in events:
        latest = max(latest, str(each["time"]))
        each["time"] = latest
    return events


# --------------------------------------------------------------------------------------------------- reasons to replay


def why_not(folder: Path, checked: CheckedPack, since: datetime | None = None) -> str:
    with pytest.raises(NotAllInLake) as raised, recording(folder, checked, since):
        pass
    return str(raised.value)


def test_what_another_pack_decided_is_no_history_of_this_one(moved: Path, tmp_path: Path) -> None:
    label, mine = BEFORE.pack.label, OLD.pack.label
    for since in (None, SWITCHED - timedelta(hours=1)):
        assert why_not(moved, OLD, since) == (
            "The lake does not have all that a backtest asks about: "
            f"the old pack is {mine}, and {label} decided on some events."
        )
    assert why_not(moved, NEW).endswith(
        f"the old pack is {NEW.pack.label}, and {label}, {mine} decided on some events."
    )
    found = both(moved, tmp_path, OLD, NEW, SWITCHED)
    assert found.same
    assert found.lake.replays == ()
    assert found.lake.events > 500


def test_what_another_pack_decided_is_not_asked_about_in_the_tail_either(tmp_path: Path) -> None:
    events, times = some_events(80), [str(each["time"]) for each in in_order(80)]
    split = next(at for at in range(40, 80) if times[at] > times[at - 1])
    since = datetime.fromisoformat(times[split])
    decide(tmp_path, events[:split], BEFORE)
    decide(tmp_path, events[split:], OLD)
    compact(tmp_path, most=10)
    assert "decided on some events" in why_not(tmp_path, OLD)
    with recording(tmp_path, OLD, since) as found:
        assert sum(found.about.events.values()) == len(events) - split
        assert "ip.network" not in found.frames["pay"].collect_schema()


def test_a_column_that_only_another_pack_had_is_not_there(moved: Path, tmp_path: Path) -> None:
    nets = pack(*OLD_RULES, rule("nets", 'ip.network == "203.0.113.0/24" and amount > 80'), version="5")
    found = both(moved, tmp_path, OLD, nets, SWITCHED)
    assert found.same
    assert found.lake.replays == ()  # it can be had from the address, which is not personal
    assert of(found.lake, "nets").gained.events > 10


def test_a_column_that_had_another_type_is_told(tmp_path: Path) -> None:
    events = some_events(120)
    changes = {'amount = "number"': 'amount = "text"', "amount > 40": "known(amount)"}
    text = text_of(pack())
    for before, after in changes.items():
        text = text.replace(before, after)
    texts = checked_from({"pack.toml": text})
    decide(tmp_path, [{**each, "data": {**each["data"], "amount": "7"}} for each in events[:40]], texts)  # type: ignore[dict-item]
    decide(tmp_path, events[40:], OLD)
    compact(tmp_path)
    since = datetime.fromisoformat(str(in_order(120)[60]["time"]))
    assert why_not(tmp_path, OLD, since).endswith("amount of pay had another type once.")


@pytest.mark.parametrize("kind", ["pay", "dispute", "pay.label"])
def test_what_retention_has_removed_is_told(tmp_path: Path, shop: Path, kind: str) -> None:
    with lake_beside(tmp_path, shop) as lake:
        assert lake.drop(kind, date(2026, 1, 6)) > 0
        for since in (None, START + timedelta(hours=23)):
            assert why_not(tmp_path, OLD, since).endswith(f"retention has removed events of type {kind}.")
        found = both(tmp_path, tmp_path, OLD, NEW, SWITCHED)
        assert found.same
        assert found.lake.replays == ()
        lake.drop(kind, date(2030, 1, 1))
        assert kind in why_not(tmp_path, OLD, SWITCHED)


def test_a_lake_that_retention_has_emptied_is_told(tmp_path: Path, shop: Path) -> None:
    with lake_beside(tmp_path, shop) as lake:
        for before in (date(2026, 1, 6), date(2030, 1, 1)):
            for kind in OLD.pack.event_types:
                lake.drop(kind, before)
            assert "retention has removed events of type" in why_not(tmp_path, OLD)


@contextmanager
def lake_beside(folder: Path, shop: Path) -> Iterator[FolderLake]:
    """A lake of its own for the log of the shop."""
    (folder / "log").symlink_to(shop / "log")
    (folder / "subjects.keys").symlink_to(shop / "subjects.keys")
    compact(folder)
    with open_lake(folder / "lake") as lake:
        yield lake


def test_a_lake_far_behind_is_told(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairgate.pipeline.lake_recording.TAIL", 100)
    assert "records behind the log" in why_not(shop, OLD)


# ------------------------------------------------------------------------------------------------------------ the rows


@pytest.mark.parametrize("taken", [None, 1, 700])
def test_it_is_the_recording_that_a_replay_makes(tmp_path: Path, shop: Path, taken: int | None) -> None:
    (tmp_path / "log").symlink_to(shop / "log")
    compact(tmp_path, taken)
    replay = Replay(OLD, SECRET)
    made = Recording(tmp_path / "made", replay.engine)
    with read([shop / "log"], replay) as events:
        replay.run(events, recording=made)
    made.finish([])
    truth = open_recording(tmp_path / "made")
    with recording(tmp_path, OLD) as found:
        assert replace_inputs(found) == replace_inputs(truth)
        for name, frame in truth.frames.items():
            rows = found.frames[name].collect()
            assert_frame_equal(rows.drop("_sequence"), frame.collect().drop("_sequence"))
            assert rows["_sequence"].is_sorted()


def replace_inputs(recorded: Recorded) -> tuple[str, dict[str, int], dict[str, dict[str, str]]]:
    about = recorded.about
    return about.digest, about.events, about.features


def test_what_the_log_has_dropped_is_not_asked_about(tmp_path: Path) -> None:
    decide(tmp_path, some_events(60), OLD)
    compact(tmp_path)
    with open_log(tmp_path / "log") as log:
        log.drop(40)
    with recording(tmp_path, OLD) as found:
        assert sum(found.about.events.values()) == 1 + len(some_events(60)) - 40


def test_an_empty_log_is_an_empty_history(tmp_path: Path) -> None:
    decide(tmp_path, [], OLD)
    compact(tmp_path)
    with recording(tmp_path, OLD) as found:
        assert set(found.about.events.values()) == {0}
        assert found.frames["pay"].collect().height == 0
    assert both(tmp_path, tmp_path, OLD, NEW).same


@pytest.mark.parametrize("merging", [False, True])
def test_what_the_lake_takes_in_meanwhile_is_there_once(tmp_path: Path, merging: bool) -> None:
    events = some_events(60)
    decide(tmp_path, events[:30], OLD)
    compact(tmp_path, most=20)

    def theirs(some: Sequence[Mapping[str, object]]) -> None:
        decide(tmp_path, some, OLD)
        compact(tmp_path)
        with open_lake(tmp_path / "lake") as lake:
            assert not merging or lake.merge(date(2030, 1, 1)) > 0

    with open_log(tmp_path / "log", read_only=True) as log, open_lake(tmp_path / "lake", read_only=True) as lake:

        def later() -> None:
            """What is written to the log is in the lake before this reader knows of it, and more than that."""
            theirs(events[30:50])
            log.refresh()
            theirs(events[50:])

        found = lake_as_recording(log, lake, OLD, checked_from, later)
        assert sum(found.about.events.values()) == 50
        assert numbers_in(found) == list(range(1, 51))


@pytest.mark.parametrize("merging", [False, True])
@pytest.mark.parametrize("place", ["covered", "files", "scan"])
def test_so_it_is_whenever_the_lake_takes_it_in(tmp_path: Path, place: str, merging: bool) -> None:
    decide(tmp_path, some_events(60), OLD)
    compact(tmp_path, most=20)
    with open_log(tmp_path / "log", read_only=True) as log, open_lake(tmp_path / "lake", read_only=True) as lake:

        def late(*given: Any) -> Any:  # noqa: ANN401 - whatever the place takes and gives
            compact(tmp_path, most=8)
            if merging:
                with open_lake(tmp_path / "lake") as filled:
                    filled.merge(date(2030, 1, 1))
            return there(*given)

        there = getattr(lake, place)
        setattr(lake, place, late)
        found = lake_as_recording(log, lake, OLD, checked_from, log.refresh)
        assert numbers_in(found) == list(range(1, 1 + len(some_events(60))))


def numbers_in(found: Recorded) -> list[int]:
    rows = pl.concat([frame.select("_sequence") for frame in found.frames.values()]).collect()
    return rows["_sequence"].sort().to_list()


def test_a_lake_that_is_of_a_longer_log_is_no_history(tmp_path: Path) -> None:
    decide(tmp_path, some_events(5), OLD)
    with open_lake(tmp_path / "lake") as lake:
        lake.append({}, Covered(99, 0))
    with pytest.raises(LakeAhead), recording(tmp_path, OLD):
        pass


def test_rows_come_in_order_where_the_clock_was_put_back(tmp_path: Path) -> None:
    clock = SetClock(microseconds(SWITCHED))
    with open_pipeline(tmp_path, text_of(OLD), clock=clock) as pipeline:
        for number, hours in enumerate((1, -1, 2)):
            clock.time = microseconds(SWITCHED + timedelta(hours=hours))
            paid = event(number, "login", datetime.fromtimestamp(clock.time / 1e6, UTC), account="a")
            pipeline.take([pipeline.decoder.single(json.dumps(paid).encode(), clock.time)])
        pipeline.commit()
    compact(tmp_path)
    with recording(tmp_path, OLD) as found:
        assert found.frames["login"].select("_id").collect()["_id"].to_list() == ["e0", "e1", "e2"]


def test_entries_said_again_do_not_hide_where_a_time_begins(tmp_path: Path) -> None:
    """A log that restates its lists has old times among new ones: they are no events."""
    clock = SetClock(microseconds(START))
    with open_pipeline(tmp_path, text_of(OLD), clock=clock) as pipeline:
        for number in range(64):
            clock.time = microseconds(START + timedelta(hours=number))
            login = event(number, "login", START + timedelta(hours=number), account="a")
            pipeline.take([pipeline.decoder.single(json.dumps(login).encode(), clock.time)])
            clock.time = microseconds(START)
            for entry in range(number % 4):
                pipeline.put_in_list("blocked", f"203.0.113.{entry}", clock.time + DAY, "me", "because")
        pipeline.commit()
    compact(tmp_path)
    for hour in (0, 1, 7, 31, 63):
        with recording(tmp_path, OLD, START + timedelta(hours=hour)) as found:
            assert found.about.events["login"] == 64 - hour
            assert found.frames["login"].select(pl.col("_id").first()).collect().item() == f"e{hour}"
