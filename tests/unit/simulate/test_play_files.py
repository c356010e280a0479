"""A play as files: events by day as they were sent, the truth beside them, and nothing of it in them."""

import json
import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from fairgate.domain.action import Action
from fairgate.domain.errors import PlayUnwritable
from fairgate.domain.windows import DAY, HOUR
from fairgate.simulate import parquet_file, play_files
from fairgate.simulate.acts import Account, Act, Actor, Seen
from fairgate.simulate.operator import Entry
from fairgate.simulate.play_files import PlayFiles
from fairgate.simulate.service import ALLOWED, COMPANY, Done, Reviewed, Verdict
from fairgate.simulate.simulation import Simulation
from fairgate.simulate.world_file import Loaded
from tests.unit.simulate.worlds import world_of

OWNER = Actor("person_1", "hobbyist", honest=True, hands="person")
FARMER = Actor("credit_farm 0", "credit_farm", honest=False, hands="robot")
THIEF = Actor("takeover 0", "takeover", honest=False, hands="robot")


@pytest.fixture
def world(tmp_path: Path) -> Loaded:
    return world_of(tmp_path)


def account(name: str, owner: Actor, world: Loaded) -> Account:
    return Account(name, "free", world.begins - DAY, owner)


def done(who: Account, by: Actor, time: int, event: str) -> Done:
    act = Act(time, "api.request", who, by, {})
    return Done(act, Seen.SERVED if event else Seen.CLOSED, event, f'{{"id":"{event}"}}'.encode())


def lines(folder: Path) -> dict[str, list[str]]:
    return {each.name: each.read_text().splitlines() for each in sorted((folder / "events").iterdir())}


def test_a_day_has_a_file_and_a_day_without_events_none(tmp_path: Path, world: Loaded) -> None:
    out, who = tmp_path / "out", account("a", OWNER, world)
    files = PlayFiles(out, world, 9, 3)
    for number, at in enumerate((0, DAY - 1, DAY, 4 * DAY + HOUR)):
        files(done(who, OWNER, world.begins + at, f"{number}"))
    files.finish(5)
    assert lines(out) == {
        "2026-09-07.ndjson": ['{"id":"0"}', '{"id":"1"}'],
        "2026-09-08.ndjson": ['{"id":"2"}'],
        "2026-09-11.ndjson": ['{"id":"3"}'],
    }
    about = json.loads((out / "run.json").read_text())
    assert about["simulated"] is True
    assert (about["world"], about["fingerprint"], about["seed"]) == ("test", world.digest, 3)
    assert (about["days_asked"], about["days_played"], about["events"]) == (9, 5, 4)
    assert (about["begins"], about["ends"]) == ("2026-09-07T00:00:00+00:00", "2026-09-12T00:00:00+00:00")


def test_the_truth_says_who_did_what_and_first(tmp_path: Path, world: Loaded) -> None:
    out, start = tmp_path / "out", world.begins
    mine, farmed = account("mine", OWNER, world), account("farmed", FARMER, world)
    files = PlayFiles(out, world, 1, 3)
    files(done(mine, OWNER, start, "1"))
    files(done(mine, THIEF, start + 2_345, "2"))
    files(done(mine, FARMER, start + 3_000, "3"))
    files(done(farmed, FARMER, start + 4_000, "4"))
    files(done(mine, COMPANY, start + 5_000, "5"))
    files(done(mine, THIEF, start + 6_000, ""))  # the account is closed, so nothing is sent
    files(Reviewed(start + 7_000, mine, closed=True, cost=1.0))
    files(Entry(start, "takeover 0", "takeover", "server", -2.5))
    files(Entry(start + 1, "takeover 0", "takeover", "tries", 0.0, "a list"))
    files.finish(1)
    truth = pl.read_parquet(out / "truth.parquet")
    assert truth.drop("time").rows() == [
        ("1", "mine", "person_1", "hobbyist", "honest"),
        ("2", "mine", "takeover 0", "takeover", "abuse"),
        ("3", "mine", "credit_farm 0", "credit_farm", "abuse"),
        ("4", "farmed", "credit_farm 0", "credit_farm", "abuse"),
        ("5", "mine", "company", "company", "company"),
    ]
    begins = datetime(2026, 9, 7, tzinfo=UTC)
    assert truth["time"][1] == begins.replace(microsecond=2_000), "to the millisecond, as it is sent"
    accounts = pl.read_parquet(out / "truth_accounts.parquet")
    assert accounts.drop("created", "first_abuse").rows() == [
        ("mine", "person_1", "hobbyist", True, "takeover 0", "takeover"),
        ("farmed", "credit_farm 0", "credit_farm", False, "credit_farm 0", "credit_farm"),
    ]
    assert accounts["created"].to_list() == [datetime(2026, 9, 6, tzinfo=UTC)] * 2
    assert accounts["first_abuse"][0] == truth["time"][1]
    ledger = pl.read_parquet(out / "ledger.parquet")
    assert ledger.drop("time").rows() == [
        ("takeover 0", "takeover", "server", -2.5, ""),
        ("takeover 0", "takeover", "tries", 0.0, "a list"),
    ]
    about = json.loads((out / "run.json").read_text())
    assert about["events_by_intent"] == {"honest": 1, "abuse": 3, "company": 1}
    assert (about["accounts"], about["accounts_honest"], about["accounts_abused"], about["ledger"]) == (2, 1, 2, 2)


def test_a_play_in_which_nothing_happens_has_tables_without_rows(tmp_path: Path, world: Loaded) -> None:
    out = tmp_path / "out"
    PlayFiles(out, world, 1, 3).finish(1)
    assert lines(out) == {}
    for name in ("truth", "truth_accounts", "ledger"):
        frame = pl.read_parquet(out / f"{name}.parquet")
        assert frame.height == 0
        assert frame.width >= 6


def played(folder: Path, world: Loaded, days: int = 4, seed: int = 5) -> Counter[str]:
    """Play into a folder; returns the actors of what was sent."""
    files, actors = PlayFiles(folder, world, days, seed), Counter[str]()

    def told(each: Done | Reviewed | Entry) -> None:
        files(each)
        if isinstance(each, Done) and each.event:
            actors[each.act.actor.name] += 1

    def decide(_raw: bytes, time: int) -> Verdict:  # now and then something is done, so that the company labels
        return Verdict(Action.SUSPEND) if time % 997 == 0 else ALLOWED

    for _ in Simulation(world, days, seed, decide, told).play():
        pass
    files.finish(days)
    return actors


def test_pieces_make_the_same_files(tmp_path: Path, world: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    played(tmp_path / "whole", world)
    monkeypatch.setattr(play_files, "_HELD", 7)
    monkeypatch.setattr(parquet_file, "PART", 100)
    played(tmp_path / "pieces", world)
    assert lines(tmp_path / "pieces") == lines(tmp_path / "whole")
    for name in ("truth", "truth_accounts", "ledger"):
        first, second = (pl.read_parquet(tmp_path / each / f"{name}.parquet") for each in ("pieces", "whole"))
        assert first.equals(second)
    assert {each.name for each in (tmp_path / "pieces").iterdir()} == {
        "events", "ledger.parquet", "run.json", "truth.parquet", "truth_accounts.parquet",
    }  # fmt: skip


def test_events_come_in_order_and_the_truth_has_a_row_for_each(tmp_path: Path, world: Loaded) -> None:
    out = tmp_path / "out"
    actors = played(out, world)
    sent = [json.loads(line) for name in lines(out).values() for line in name]
    truth = pl.read_parquet(out / "truth.parquet")
    assert truth["event"].to_list() == [each["id"] for each in sent]
    assert truth["account"].to_list() == [each["data"]["account"] for each in sent]
    times = [each["time"] for each in sent]
    assert times == sorted(times)
    assert truth["time"].dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_list() == times
    for name, several in lines(out).items():
        assert all(f'"time":"{name.removesuffix(".ndjson")}T' in line for line in several)
    assert dict(truth["actor"].value_counts().rows()) == actors
    about = json.loads((out / "run.json").read_text())
    assert about["events"] == len(sent) == sum(about["events_by_intent"].values())
    assert set(truth["account"]) == set(pl.read_parquet(out / "truth_accounts.parquet")["account"])


def test_no_event_carries_the_truth(tmp_path: Path, world: Loaded) -> None:
    out = tmp_path / "out"
    actors = played(out, world, days=10)
    kinds = set(pl.read_parquet(out / "truth.parquet")["kind"]) - {"company"}
    assert len(kinds) > 5
    several = [line for name in lines(out).values() for line in name]
    for words in (*(actors.keys() - {"company"}), "honest", "abuse", "attack", "opponent", "victim"):
        assert not any(words in line for line in several), words
    allowed = {("purpose", "referral")}  # what credits were given for
    told = {pair for line in several for pair in json.loads(line)["data"].items() if pair[1] in kinds}
    assert told <= allowed


def test_a_folder_that_holds_anything_is_refused(tmp_path: Path, world: Loaded) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine").write_text("x")
    with pytest.raises(PlayUnwritable, match=r"it is not empty. Name a new folder, or empty this one"):
        PlayFiles(out, world, 1, 3)
    assert [each.name for each in out.iterdir()] == ["mine"]


def test_what_can_not_be_made_or_written_is_told(tmp_path: Path, world: Loaded) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(PlayUnwritable, match=r"Not a directory. Name a folder that can be made"):
        PlayFiles(tmp_path / "file" / "out", world, 1, 3)
    out = tmp_path / "out"
    files = PlayFiles(out, world, 1, 3)
    files(done(account("a", OWNER, world), OWNER, world.begins, "1"))
    shutil.rmtree(out)
    with pytest.raises(PlayUnwritable, match=r"What is simulated cannot be written. .*out: No such file or directory"):
        files.finish(1)


def test_progress_is_told_while_it_is_written(tmp_path: Path, world: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(play_files, "_HELD", 2)
    told: list[int] = []
    files = PlayFiles(tmp_path / "out", world, 1, 3, tick=told.append)
    who = account("a", OWNER, world)
    for number in range(5):
        files(done(who, OWNER, world.begins + number * HOUR, f"{number}"))
    assert told == [world.begins + HOUR, world.begins + 3 * HOUR]
