"""A backtest over the lake says what one over a recording of the same log says."""

from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal

from fairgate.backends.embedded.lake import open_lake
from fairgate.pipeline.backtest.history import History
from fairgate.pipeline.lake_recording import lake_as_recording
from fairgate.wiring import checked_from
from tests.support import PACK
from tests.unit.pipeline.live import NEXT_PACK
from tests.unit.pipeline.test_compaction import compact, feed, replayed


def test_the_lake_is_a_recording_of_what_its_pack_decided(tmp_path: Path) -> None:
    feed(tmp_path, range(60))
    feed(tmp_path, range(60, 80), NEXT_PACK)
    compact(tmp_path)
    checked = checked_from({"pack.toml": PACK})
    recorded = replayed(tmp_path)
    with open_lake(tmp_path / "lake", read_only=True) as lake:
        found = lake_as_recording(lake, checked)
        assert found.about.features == recorded.about.features
        assert (found.about.digest, sum(found.about.events.values())) == (recorded.about.digest, 60)
        for name, frame in found.frames.items():
            rows = frame.collect()
            expected = recorded.frames[name].collect().filter(pl.col("_id").is_in(rows["_id"].implode()))
            assert_frame_equal(rows.drop("_sequence").select(expected.columns[1:]), expected.drop("_sequence"))
            assert {"email", "ip.value", "_sealed"}.isdisjoint(rows.columns)
            assert rows["_sequence"].is_sorted()
        mine, theirs = History(checked, found, checked), History(checked, recorded, checked)
        for name in ("account.signup", "api.request"):
            rules = checked.rules_on(name)
            hits = mine.fired(name, [each for each in rules if not mine.lacking(name, [each.when])])
            again = theirs.fired(name, [each for each in rules if not theirs.lacking(name, [each.when])])
            assert set(hits["rule"]) == set(again["rule"])
            assert 0 < hits.height <= again.height


def test_another_packs_events_are_left_out(tmp_path: Path) -> None:
    feed(tmp_path, range(10))
    compact(tmp_path)
    with open_lake(tmp_path / "lake", read_only=True) as lake:
        assert lake_as_recording(lake, checked_from({"pack.toml": NEXT_PACK})).frames == {}
