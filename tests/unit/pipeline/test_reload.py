"""A pack goes live while events are taken: prepared elsewhere, caught up, and then as if it had been restarted."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from fairgate.backends.embedded.segments import open_log
from fairgate.backends.embedded.snapshots import FolderSnapshots
from fairgate.domain.errors import NotPrepared
from fairgate.domain.windows import HOUR, MINUTE
from fairgate.pipeline.online import Pipeline
from fairgate.pipeline.records import PackRecord, decode, encode
from fairgate.wiring import new_repeats
from tests.support import SECRET, SetClock, body, new_engine, open_pipeline, seals_in, traffic
from tests.unit.pipeline.live import NEXT_PACK, answers, logged, reread

BODIES = [raw for raw, _ in traffic(160)]


def prepare(folder: Path) -> int:
    """What `fairgate reload` does in a process of its own, beside the door."""
    with open_log(folder / "log", read_only=True) as log, seals_in(folder) as seals:
        prepared, repeats = FolderSnapshots(folder / "prepared"), new_repeats(SECRET)
        engine = new_engine(NEXT_PACK)
        pipeline = Pipeline(engine, log, prepared, SetClock(), SECRET, seals, repeats, remembers=False)
        return pipeline.prepare(prepared)


def of_next_pack(folder: Path, old: Pipeline, clock: SetClock, stack: ExitStack) -> Pipeline:
    seals, snapshots = stack.enter_context(seals_in(folder, writable=True)), FolderSnapshots(folder / "snapshots")
    engine, repeats = new_engine(NEXT_PACK), old.remembered
    return Pipeline(engine, old.log, snapshots, clock, SECRET, seals, repeats, remembers=False)


def prepared_in(folder: Path) -> FolderSnapshots:
    return FolderSnapshots(folder / "prepared")


def restarted(folder: Path, clock: SetClock) -> list[bytes]:
    """The answers where the door is restarted with the next pack instead."""
    with open_pipeline(folder, clock=clock) as pipeline:
        answers(pipeline, *BODIES[:80])
        pipeline.erase("a3", "me", "test")
        clock.time += MINUTE
        answers(pipeline, *BODIES[80:120])
        pipeline.put_in_list("banned", "a4", clock.time + HOUR, "me", "test")
        pipeline.commit()
    with open_pipeline(folder, NEXT_PACK, clock=clock) as pipeline:
        return [encode(each) for each in answers(pipeline, *BODIES[110:])]


def test_a_reload_is_as_good_as_a_restart(tmp_path: Path) -> None:
    expected, clock, folder = restarted(tmp_path / "restarted", SetClock()), SetClock(), tmp_path / "live"
    with open_pipeline(folder, clock=clock) as old, ExitStack() as stack:
        answers(old, *BODIES[:80])
        assert prepare(folder) == 81
        old.erase("a3", "me", "test")
        clock.time += MINUTE
        answers(old, *BODIES[80:120])
        new = of_next_pack(folder, old, clock, stack)
        assert new.catch_up(prepared_in(folder)) == 41  # what was prepared need not be read again
        old.put_in_list("banned", "a4", clock.time + HOUR, "me", "test")
        old.commit()
        assert new.catch_up() == 1
        new.go_live()
        assert [encode(each) for each in answers(new, *BODIES[110:])] == expected
        new.commit()
    left = [decode(at, data) for at, data in enumerate(logged(folder))]
    assert [at for at, each in enumerate(left) if isinstance(each, PackRecord)] == [0, 123]
    assert logged(folder) == logged(tmp_path / "restarted")
    assert reread(folder) == 160


def test_what_is_not_durable_yet_is_not_caught_up_with(tmp_path: Path) -> None:
    with open_pipeline(tmp_path) as old, ExitStack() as stack:
        new = of_next_pack(tmp_path, old, SetClock(), stack)
        old.take([old.decoder.single(body(), old.clock.now())])
        assert new.catch_up() == 1
        old.commit()
        assert new.catch_up() == 1


def test_a_pack_that_is_live_goes_live_but_once(tmp_path: Path) -> None:
    with open_pipeline(tmp_path, NEXT_PACK) as old, ExitStack() as stack:
        new = of_next_pack(tmp_path, old, SetClock(), stack)
        new.catch_up()
        new.go_live()
        assert old.log.end() == 1


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_without_what_was_prepared_all_is_counted_from_the_log(tmp_path: Path, damage: str) -> None:
    with open_pipeline(tmp_path) as old, ExitStack() as stack:
        answers(old, *BODIES[:80])
        prepare(tmp_path)
        for file in [each for each in (tmp_path / "prepared").rglob("*") if each.is_file()]:
            file.unlink() if damage == "gone" else file.write_bytes(file.read_bytes()[:-9])
        new = of_next_pack(tmp_path, old, SetClock(), stack)
        with pytest.raises(NotPrepared, match="81 records"):
            new.catch_up(prepared_in(tmp_path), most=80)
        assert new.catch_up(prepared_in(tmp_path), most=81) == 81
