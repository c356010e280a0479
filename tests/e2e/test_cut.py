"""A service that keeps its log for forty days: the door drops what is older, and everything else goes on as before."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from fairgate.backends.embedded.segments import open_log, verify
from fairgate.domain.errors import BadSettings, NoSuchRecord, RecordsUnavailable
from fairgate.domain.windows import DAY
from fairgate.entrypoints import backup_command, rerun_command
from fairgate.entrypoints.doctor import data as doctor
from fairgate.entrypoints.doctor.finding import Finding, Installation, State
from fairgate.pipeline.records import EventRecord, decode
from fairgate.ports.lake import SqlLimits
from fairgate.ports.ledger import Read
from fairgate.settings import DeskSettings, DoorSettings, LogSettings, Settings
from fairgate.wiring import RECORDS, LivePipeline, catch_up, open_live_lake, open_records
from tests.e2e.doors import application, serving, wait_until
from tests.support import NOW, PACK, SetClock, body, traffic

LIMITS = SqlLimits(rows=100, seconds=20.0, megabytes=512)
A_DAY = 240
AGED = """
[[rule]]
name = "aged"
on = "api.request"
when = 'since("account.signup", by=account) > 50 * 86400'
score = 1.0
reason = "spend"
mode = "live"
"""


def settings_in(folder: Path, days: int | None = 40) -> Settings:
    pack = folder / "pack"
    pack.mkdir(exist_ok=True)
    (pack / "pack.toml").write_text(PACK)
    return Settings(
        pack=str(pack),
        data=folder / "data",
        door=DoorSettings(port=0, snapshot_events=A_DAY),
        log=LogSettings(segment_megabytes=1, days=days),
        desk=DeskSettings(enabled=False),
    )


def days_pass(settings: Settings, clock: SetClock, first: int, count: int, *, compacted: bool = True) -> None:
    """Days of events, each of which ends with a snapshot; the lake is kept up unless it is not."""
    with closing(LivePipeline(settings, clock)) as live:
        served = application(live, settings)
        with serving(served) as client:
            for day in range(first, first + count):
                bodies = [raw for raw, _ in traffic(A_DAY, start=day * A_DAY)]
                answer = client.post("/v1/events", content=b"[" + b",".join(bodies) + b"]")
                assert answer.status_code == 200, answer.text
                wait_until(lambda: served.door._keeping is not None and served.door._keeping.done())
                if compacted:
                    catch_up(settings.data)
                clock.time += DAY


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, SetClock]:
    """A service after eighty days, in a folder of its own."""
    settings, clock = settings_in(tmp_path_factory.mktemp("cut")), SetClock()
    days_pass(settings, clock, 0, 80)
    return settings, clock


def held(settings: Settings) -> tuple[int, int]:
    with open_log(settings.data / "log", read_only=True) as log:
        return log.begin(), log.end()


def test_the_log_has_what_it_is_to_keep_and_no_more(cut: tuple[Settings, SetClock]) -> None:
    settings, clock = cut
    begin, end = held(settings)
    with open_log(settings.data / "log", read_only=True) as log:
        events = [record for at, raw in log.read() if isinstance(record := decode(at, raw), EventRecord)]
        with pytest.raises(NoSuchRecord):
            log.get(begin - 1)
    ages = {(clock.time - each.received) // DAY for each in events}
    assert ages == set(range(1, 41))
    segments = sorted((settings.data / "log").glob("*.log"))
    assert int(segments[0].stem) <= begin < int(segments[1].stem)
    assert 0 < begin < end - 40 * A_DAY
    assert verify(settings.data / "log").problems == ()


def test_the_lake_still_answers_for_what_was_dropped(cut: tuple[Settings, SetClock]) -> None:
    settings, _ = cut
    with open_live_lake(settings.data) as lake:
        asked = lake.ask("select count(*), min(sequence), count(distinct day) from decisions", LIMITS)
    assert asked.answer.frame.rows() == [(80 * A_DAY, 1, 80)]


def found(check: object, settings: Settings, now: int) -> Finding:
    return check(Installation(settings, now))  # type: ignore[operator,no-any-return]


def test_what_is_left_can_be_verified_backed_up_and_looked_at(cut: tuple[Settings, SetClock], tmp_path: Path) -> None:
    settings, clock = cut
    said: list[str] = []
    assert rerun_command.run(settings.data, said.append) == 0, said
    assert said[0].startswith("the log's beginning was dropped")
    for check in (doctor.log, doctor.snapshot, doctor.age, doctor.lake, doctor.erased, doctor.secret):
        assert found(check, settings, clock.time).state == State.OK, found(check, settings, clock.time)
    late = found(doctor.age, settings, clock.time + 10 * DAY)
    assert late.state == State.WARN
    assert "51 days old; they are kept for 40" in late.words
    assert backup_command.back_up(settings, None, tmp_path / "copy", said.append, with_secret=True) == 0
    assert backup_command.restore(tmp_path / "copy", tmp_path / "new", said.append) == 0
    assert held(settings_in(tmp_path / "new")) == held(settings)
    assert rerun_command.run(tmp_path / "new" / "data", said.append) == 0, said


def test_without_a_lake_that_has_them_records_stay(tmp_path: Path) -> None:
    settings, clock = settings_in(tmp_path), SetClock()
    days_pass(settings, clock, 0, 50, compacted=False)
    assert held(settings)[0] == 0
    catch_up(settings.data)
    days_pass(settings, clock, 50, 1)
    begin, end = held(settings)
    assert begin > 0
    (settings.data / "lake" / "lake.json").unlink()
    catch_up(settings.data)
    days_pass(settings, clock, 51, 1)
    assert held(settings)[0] > begin
    with open_live_lake(settings.data) as lake:
        asked = lake.ask("select min(sequence) from decisions", LIMITS)
    assert asked.answer.frame.item() > begin
    assert end < held(settings)[1]


def clerk_reads(settings: Settings, upto: int) -> None:
    """A clerk has read the records below a number, and is down since."""
    with open_records(settings.data) as records:
        records.ledger.take(Read(upto, NOW), [], [], [])


def test_what_the_clerk_has_not_read_stays(tmp_path: Path) -> None:
    settings, clock = settings_in(tmp_path, days=3), SetClock()
    days_pass(settings, clock, 0, 3)
    middle = held(settings)[1]
    clerk_reads(settings, 1)
    days_pass(settings, clock, 3, 4)
    assert held(settings)[0] == 0
    clerk_reads(settings, middle)
    days_pass(settings, clock, 7, 1)
    first = held(settings)[0]
    assert 0 < first <= middle
    days_pass(settings, clock, 8, 3)
    assert held(settings)[0] <= middle
    clerk_reads(settings, held(settings)[1])
    days_pass(settings, clock, 11, 1)
    assert held(settings)[0] > middle


def test_while_the_clerks_records_can_t_be_read_the_log_is_not_cut(tmp_path: Path) -> None:
    settings, clock = settings_in(tmp_path, days=3), SetClock()
    records = settings.data / RECORDS
    days_pass(settings, clock, 0, 3)
    assert not records.exists()
    records.write_bytes(b"no data base" * 999)
    days_pass(settings, clock, 3, 4)
    with closing(LivePipeline(settings, clock)) as live:
        with pytest.raises(RecordsUnavailable, match="Restore it from a backup"):
            live.cut()
        assert live.pipeline.log.begin() == held(settings)[0] == 0
        records.unlink()
        live.cut()
        assert live.pipeline.log.begin() > 0
    assert not records.exists()


def test_an_aged_account_stays_aged_under_another_pack(tmp_path: Path) -> None:
    settings, clock = settings_in(tmp_path), SetClock()
    pack = Path(settings.pack) / "pack.toml"
    pack.write_text(PACK + AGED)
    with closing(LivePipeline(settings, clock)) as live:
        live.pipeline.take([live.pipeline.decoder.single(body({"account": "old"}, id="old"), clock.time)])
        live.pipeline.commit()
    days_pass(settings, clock, 0, 60)
    assert held(settings)[0] > 1
    pack.write_text(PACK.replace('version = "1"', 'version = "2"') + AGED)
    with closing(LivePipeline(settings, clock)) as live:
        raw = json.dumps({"specversion": "1.0", "id": "now", "source": "gateway", "type": "api.request",
                          "data": {"account": "old"}}).encode()  # fmt: skip
        [answer] = live.pipeline.take([live.pipeline.decoder.single(raw, clock.time)])
        assert "aged" in answer.decision.rules  # type: ignore[union-attr]
        assert live.pipeline.anew == ()


def test_a_log_that_is_kept_too_short_for_the_pack_is_refused(tmp_path: Path) -> None:
    settings, clock = settings_in(tmp_path), SetClock(NOW)
    pack = Path(settings.pack) / "pack.toml"
    far = PACK.replace('over="24h") >= 2', 'over="90d") >= 2').replace('version = "1"', 'version = "2"')
    with closing(LivePipeline(settings, clock)) as live:
        pack.write_text(far)
        with pytest.raises(BadSettings, match="looks back over 90 days"):
            live.follow()
        with serving(application(live, settings)) as client:
            answer = client.post("/v1/reload")
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "bad_settings")
    with pytest.raises(BadSettings, match="90 days"):
        LivePipeline(settings, clock)
