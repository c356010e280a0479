"""A replay counts what happened, skips what it has met, and records what was decided on."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fairgate.domain.errors import RecordingUnusable
from fairgate.domain.event import Event, Refusal, microseconds
from fairgate.domain.windows import DAY, HOUR, MINUTE, SECOND
from fairgate.entrypoints import replay_command
from fairgate.ingest.identifiers import TYPES
from fairgate.language.check_pack import check_pack
from fairgate.language.checked import CheckedPack
from fairgate.language.pack_file import pack_from_texts
from fairgate.pipeline import recording as recording_module
from fairgate.pipeline.recording import Recorded, Recording, open_recording
from fairgate.pipeline.replay import MOST_EXAMPLES, Replay, ReplayReport

START = microseconds(datetime(2026, 1, 5, tzinfo=UTC))
SECRET = 7

PACK = """
[pack]
name = "small"
version = "3"

[event."account.signup".attributes]
account = { entity = "account", required = true }
email = { type = "email", entity = "email", personal = true }
phone = { type = "text", personal = true }
ip = { type = "ip", entity = "ip" }
seats = "integer"
opened = "time"

[event."api.request".attributes]
account = { entity = "account", required = true }
model = "text"
cost = "number"
cached = "bool"

[[reason]]
code = "burst"
user = "u"
reviewer = "r"
executive = "e"

[[segment]]
name = "company"
on = "account.signup"
when = "email.free == False"

[[segment]]
name = "default"

[[feature]]
name = "signups"
on = "account.signup"
value = 'count("account.signup", by=ip, over="1h")'

[[feature]]
name = "last_model"
on = "api.request"
value = "last(model, by=account)"

[[feature]]
name = "new_model"
on = "api.request"
value = "is_new(model, by=account)"

[[feature]]
name = "joined"
on = "api.request"
value = 'last(time, on="account.signup", by=account)'

[[rule]]
name = "burst"
on = "account.signup"
when = "signups >= 3"
action = "challenge"
reason = "burst"
why = "{signups} from {ip.network}"
mode = "live"

[[rule]]
name = "throwaway"
on = "account.signup"
when = 'email.disposable and email.local != "boss"'
action = "challenge"
reason = "burst"
mode = "live"

[[rule]]
name = "network"
on = ["account.signup"]
when = 'ip.network == "203.0.113.0/24"'
action = "hold"
reason = "burst"
mode = "shadow"

[[rule]]
name = "dear"
on = "api.request"
when = 'mean(cost, by=account, over="24h") > 5'
action = { "api.request" = "throttle" }
reason = "burst"
mode = "live"

[[rule]]
name = "never"
on = "api.request"
when = "cost > 1000000"
mode = "live"
"""


@pytest.fixture(scope="module")
def checked() -> CheckedPack:
    return check_pack(pack_from_texts({"pack.toml": PACK}), TYPES)


@pytest.fixture
def replay(checked: CheckedPack) -> Replay:
    return Replay(checked, SECRET)


Make = Callable[..., Event]


@pytest.fixture
def signup(replay: Replay) -> Make:
    return maker(replay, "account.signup")


@pytest.fixture
def request_(replay: Replay) -> Make:
    return maker(replay, "api.request")


def maker(replay: Replay, event_type: str) -> Make:
    data = replay.decoder.wires[event_type].data

    def make(number: int, at: int, **attributes: object) -> Event:
        given = {"account": f"a{number}", **attributes}
        return Event("test", f"{event_type}-{number}", event_type, START + at, START + at, data(**given))

    return make


# ------------------------------------------------------------------------------------------------------------ the tally


def test_the_tally_counts_hits_askings_and_actions(replay: Replay, signup: Make, request_: Make) -> None:
    events = [
        *(signup(n, n * SECOND, ip="203.0.113.7", email=f"a{n}@mailinator.com") for n in range(4)),
        request_(9, MINUTE, cost=6.0, model="big"),
        request_(10, 2 * MINUTE, cost=1.0),
    ]
    report = replay.run([events[:3], events[3:]])
    assert report == ReplayReport(
        events=6, repeats=0, refused={}, examples=(),
        types={"account.signup": 4, "api.request": 2},
        rule_hits={"burst": 2, "dear": 1, "network": 4, "never": 0, "throwaway": 4},
        asked={"challenge": 4, "throttle": 1},  # twice on the same event is once; a silent rule asks for nothing
        actions={"allow": 1, "watch": 0, "throttle": 1, "challenge": 4, "hold": 0, "suspend": 0, "ban": 0},
        degraded=0, out_of_order=0, first=START, last=START + 2 * MINUTE,
    )  # fmt: skip


def test_a_repeat_is_skipped_and_counts_nowhere(replay: Replay, signup: Make) -> None:
    first, second = signup(1, 0, ip="203.0.113.7"), signup(2, SECOND, ip="203.0.113.7")
    report = replay.run([[first, second, first], [second, signup(3, 2 * SECOND, ip="203.0.113.7")]])
    assert (report.events, report.repeats, report.types) == (3, 2, {"account.signup": 3})
    assert report.rule_hits["burst"] == 1


def test_the_same_id_from_another_source_is_another_event(replay: Replay, signup: Make) -> None:
    event = signup(1, 0)
    other = Event("elsewhere", event.id, event.type, event.time, event.received, event.data)
    assert replay.run([[event, other]]).repeats == 0


def test_refusals_are_counted_by_code_with_the_first_as_examples(replay: Replay, signup: Make) -> None:
    refused = [Refusal("malformed", "", f"rows.csv:{n}: bad") for n in range(30)] + [Refusal("missing", "id", "none")]
    report = replay.run([[*refused[:5], signup(1, 0)], refused[5:]])
    assert report.refused == {"malformed": 30, "missing": 1}
    assert report.examples == tuple(refused[:MOST_EXAMPLES])
    assert report.events == 1


def test_what_comes_too_late_is_refused_and_out_of_order_is_told(replay: Replay, signup: Make) -> None:
    oldest = replay.decoder.oldest
    assert oldest == DAY  # the pack's longest window
    report = replay.run([
        [signup(1, 2 * DAY), signup(2, DAY + 1), signup(3, DAY), signup(4, 0)],
        [signup(5, 2 * DAY), signup(6, 3)],
    ])  # fmt: skip
    assert report.events == 3
    assert report.out_of_order == 1
    assert report.refused == {"late": 3}
    assert "1 days or more before an earlier event's: sort the files by time" in report.examples[0].reason
    assert report.first == START + DAY + 1


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_a_limit_ends_the_replay_exactly_there(checked: CheckedPack, limit: int) -> None:
    results = []
    for size in (1, 2, 5, 20):
        replay = Replay(checked, SECRET)
        make = maker(replay, "account.signup")
        taken = [each for n in range(10) for each in (Refusal("malformed", "", str(n)), make(n, n), make(n // 2, n))]
        results.append(replay.run([taken[at : at + size] for at in range(0, len(taken), size)], limit=limit))
    assert results[0].events == limit
    assert all(
        (each.events, each.rule_hits, each.last) == (limit, results[0].rule_hits, results[0].last) for each in results
    )


def test_batches_change_nothing(checked: CheckedPack) -> None:
    reports = []
    for size in (1, 3, 50):
        replay = Replay(checked, SECRET)
        make = maker(replay, "account.signup")
        events = [make(n % 40, n * MINUTE - (n % 7) * HOUR, ip=f"203.0.113.{n % 3}") for n in range(600, 650)]
        reports.append(replay.run([events[at : at + size] for at in range(0, 50, size)]))
    assert reports[0].repeats == 10
    assert reports[0].out_of_order > 0
    assert reports[0] == reports[1] == reports[2]


# -------------------------------------------------------------------------------------------------------- the recording


def recorded(replay: Replay, folder: Path, batches: Sequence[Sequence[Event]]) -> Recorded:
    recording = Recording(folder, replay.engine)
    replay.run(batches, recording=recording)
    recording.finish([Path("rows.csv")])
    return open_recording(folder)


def rows(recorded: Recorded, event_type: str) -> list[dict[str, Any]]:
    return recorded.frames[event_type].collect().to_dicts()


def test_a_recording_says_what_each_event_was_decided_on(
    replay: Replay, signup: Make, request_: Make, tmp_path: Path
) -> None:
    opened = datetime(2026, 1, 1, 12, tzinfo=UTC)
    events = [
        signup(1, 0, ip="203.0.113.7", email="Anna.B@Mailinator.com", phone="1", seats=3, opened=opened),
        request_(1, SECOND, model="big", cost=6.5, cached=True),
        request_(2, 2 * SECOND, account="a1", model="small", cost=1.0),
        signup(2, 3 * SECOND),
    ]
    result = recorded(replay, tmp_path / "out", [events[:2], events[2:]])
    first, second = rows(result, "account.signup")
    time = datetime(2026, 1, 5, tzinfo=UTC)
    judged = Replay(replay.engine.checked, SECRET).engine.run(events)
    decision = judged[0].decision
    assert first == {
        "_sequence": 0, "_time": time, "_received": time, "_source": "test", "_id": "account.signup-1",
        "_action": "challenge", "_log_odds": decision.log_odds, "_probability": decision.probability,
        "_segment": "company", "_rules": ["throwaway", "network"], "_silent": ["network"], "_propensity": 1.0,
        "account": "a1", "ip": "203.0.113.7", "seats": 3, "opened": opened,
        "ip.network": "203.0.113.0/24", "email.disposable": True, "email.free": False, "signups": 1.0,
    }  # fmt: skip
    assert (second["_sequence"], second["_rules"], second["ip.network"], second["signups"]) == (3, [], None, None)
    third, fourth = rows(result, "api.request")
    assert [third[name] for name in ("_sequence", "model", "cost", "cached")] == [1, "big", 6.5, True]
    mean = 'mean(cost, on="api.request", by=account, over="24h")'
    assert [third[name] for name in ("last_model", "new_model", "joined", mean)] == [None, True, time, 6.5]
    assert [fourth[name] for name in ("last_model", "new_model", "joined", mean)] == ["big", True, time, 3.75]
    assert fourth["cached"] is None
    assert result.about.features["api.request"] == {
        "last_model": 'last(model, on="api.request", by=account)',
        "new_model": 'is_new(model, on="api.request", by=account)',
        "joined": 'last(time, on="account.signup", by=account)',
        mean: mean,
    }
    assert (result.about.pack, result.about.version, result.about.inputs) == ("small", "3", ("rows.csv",))
    assert result.about.events == {"account.signup": 2, "api.request": 2}


def test_what_is_personal_is_nowhere_in_a_recording(replay: Replay, signup: Make, tmp_path: Path) -> None:
    recorded(replay, tmp_path / "out", [[signup(1, 0, email="anna.bell@mailinator.com", phone="+491701234567")]])
    frame = open_recording(tmp_path / "out").frames["account.signup"].collect()
    assert {"email", "phone", "email.local", "email.value"} & set(frame.columns) == set()
    assert "anna" not in str(frame.to_dicts())
    assert "4917" not in str(frame.to_dicts())


def test_every_type_has_its_columns_even_without_events(replay: Replay, signup: Make, tmp_path: Path) -> None:
    full = recorded(replay, tmp_path / "full", [[signup(1, 0, ip="203.0.113.7")]])
    empty = recorded(Replay(replay.engine.checked, SECRET), tmp_path / "empty", [])
    assert empty.about.events == {"account.signup": 0, "api.request": 0}
    for name, frame in empty.frames.items():
        assert frame.collect().height == 0
        assert frame.collect_schema() == full.frames[name].collect_schema()


def test_parts_join_in_order(replay: Replay, signup: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_module, "PART", 4)
    events = [signup(n, n, ip="203.0.113.7") for n in range(10)]
    result = recorded(replay, tmp_path / "out", [events[at : at + 3] for at in range(0, 10, 3)])
    assert len(list((tmp_path / "out" / "events" / "account.signup").iterdir())) == 2
    assert [row["_sequence"] for row in rows(result, "account.signup")] == list(range(10))
    assert [row["signups"] for row in rows(result, "account.signup")] == [float(n) for n in range(1, 11)]


def test_a_recording_is_never_written_over_anything(replay: Replay, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    for folder, words in (
        (tmp_path, "not empty"),
        (tmp_path / "notes.txt", "exists"),
        (tmp_path / "notes.txt" / "x", "directory"),
    ):
        with pytest.raises(RecordingUnusable, match=words):
            Recording(folder, replay.engine)
    assert (tmp_path / "notes.txt").read_text("utf-8") == "mine"


def test_a_recording_that_is_none_is_told(replay: Replay, signup: Make, tmp_path: Path) -> None:
    unfinished = Recording(tmp_path / "unfinished", replay.engine)
    unfinished.write(replay.engine.run([signup(1, 0)]), 0)
    recorded(Replay(replay.engine.checked, SECRET), tmp_path / "whole", [])
    about = (tmp_path / "whole" / "recording.json").read_text("utf-8")
    spoilt = {"newer": about.replace('"format": 1', '"format": 99'), "broken": about[:20], "other": "[]"}
    for name, text in spoilt.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "recording.json").write_text(text, "utf-8")
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "recording.json").write_text(about, "utf-8")
    words = {
        "unfinished": "let it finish", "none": "let it finish", "newer": "format 99", "broken": "broken",
        "other": "broken", "gone": "type account.signup are gone",
    }  # fmt: skip
    for name, said in words.items():
        with pytest.raises(RecordingUnusable) as caught:
            open_recording(tmp_path / name)
        assert said in str(caught.value)
        assert str(tmp_path / name) in str(caught.value)


# ---------------------------------------------------------------------------------------------------------- the command


def written(folder: Path) -> tuple[Path, Path]:
    (folder / "pack").mkdir()
    (folder / "pack" / "pack.toml").write_text(PACK, "utf-8")
    lines = [
        {
            "specversion": "1.0", "id": str(n), "source": "s", "type": "account.signup",
            "time": f"2026-01-05T00:00:{n:02}Z", "data": {"account": f"a{n}", "ip": "203.0.113.7"},
        }
        for n in range(5)
    ]  # fmt: skip
    (folder / "events.ndjson").write_text("\n".join([*map(json.dumps, lines), "\x1b[31m{", ""]), "utf-8")
    return folder / "pack", folder / "events.ndjson"


def test_the_command_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack, events = written(tmp_path)
    assert replay_command.run(pack, [events, events], as_json=True, out=tmp_path / "out") == 0
    said = capsys.readouterr()
    summary = json.loads(said.out)
    assert said.err == ""  # no bar where nobody watches
    assert (summary["pack"], summary["events"], summary["repeats"]) == ("small", 5, 5)
    assert summary["rule_hits"] == {"burst": 3, "dear": 0, "network": 5, "never": 0, "throwaway": 0}
    assert summary["refused"] == {"malformed": 2}
    assert summary["examples"][0].startswith(f"{events}:6: this is not JSON")
    assert (summary["first"], summary["last"]) == ("2026-01-05T00:00:00+00:00", "2026-01-05T00:00:04+00:00")
    assert summary["events_per_second"] > 0
    assert open_recording(tmp_path / "out").about.events["account.signup"] == 5


def test_the_command_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack, events = written(tmp_path)
    assert replay_command.run(pack, [events], limit=4) == 0
    said = capsys.readouterr().out
    assert "small 3 (" in said
    assert "4 events, from 2026-01-05T00:00:00+00:00 to 2026-01-05T00:00:03+00:00" in said
    assert ["burst", "2", "50.00%"] in [line.split() for line in said.splitlines()]


def test_nothing_but_refusals_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack, events = written(tmp_path)
    events.write_text("{\n{\n", "utf-8")
    assert replay_command.run(pack, [events]) == 1
    assert "refused: malformed" in capsys.readouterr().out
    events.write_text("\n", "utf-8")
    assert replay_command.run(pack, [events]) == 0


def test_the_same_files_give_the_same_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack, events = written(tmp_path)
    frames: list[Mapping[str, pl.DataFrame]] = []
    for name in ("one", "two"):
        replay_command.run(pack, [events], out=tmp_path / name)
        frames.append({each: frame.collect() for each, frame in open_recording(tmp_path / name).frames.items()})
    assert all(frames[0][name].equals(frames[1][name]) for name in frames[0])
    capsys.readouterr()
