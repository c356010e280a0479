"""Erasing an account: nothing of it can be read any more, nothing counted is lost, and a crash changes neither."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairgate.backends.embedded.segments import open_log
from fairgate.backends.embedded.subject_keys import FileSubjectKeys
from fairgate.domain.errors import KeysUnusable, NothingSealed
from fairgate.domain.event import Erased
from fairgate.domain.windows import HOUR
from fairgate.ingest.decode import Decoder
from fairgate.pipeline.history import pieces
from fairgate.pipeline.records import PackRecord, RecordReader
from tests.support import PACK, SetClock, body, checked, open_pipeline, request, seals_in
from tests.unit.pipeline.live import answers, reread, snapshot

PERSONAL = ("ada.lovelace@example.com", "203.0.113.77", "198.51.100.99")
ADA = (
    body({"account": "ada", "email": PERSONAL[0], "ip": PERSONAL[2]}, id="ada-1"),
    request(70, "ada", ip=PERSONAL[1], model="big", cost=1),
    request(71, "ada", ip=PERSONAL[1], model="small", cost=2),
)
BOB = (
    body({"account": "bob", "email": "bob@example.net", "ip": PERSONAL[2]}, id="bob-1"),
    request(80, "bob", ip=PERSONAL[1], model="big", cost=1),
)


def readable(folder: Path) -> list[str]:
    """The personal values that stand in some file of a folder, in any usual spelling, packed or not."""
    held = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    spelt = {text: (text.encode(), text.encode("utf-16-le"), text.encode().hex().encode()) for text in PERSONAL}
    return [text for text, ways in spelt.items() if any(way in held for way in ways)]


def events_of(folder: Path) -> Iterator[object]:
    """The data of a log's events, as whoever has the keys reads them."""
    with open_log(folder / "log", read_only=True) as log, seals_in(folder) as seals:
        reader = RecordReader(Decoder(checked(PACK), 1).wires, seals.open)
        for _, piece in pieces(log.read()):
            if isinstance(piece, PackRecord):
                reader.under(piece)
            elif isinstance(piece, list):
                for record in piece:
                    event = reader.event(record)
                    assert event is not None
                    yield event.data


def test_nothing_is_readable_without_keys_and_nothing_with_them_once_erased(tmp_path: Path) -> None:
    with open_pipeline(tmp_path) as pipeline:
        answers(pipeline, *ADA, *BOB)
        snapshot(pipeline)
        assert readable(tmp_path) == []
        assert any(PERSONAL[0] in str(data) for data in events_of(tmp_path))
        pipeline.erase("ada", "me", "she asked")
        snapshot(pipeline)
        left = [data for data in events_of(tmp_path) if getattr(data, "account", "") == "ada"]
        assert len(left) == 3
        assert not any(text in str(data) for data in left for text in PERSONAL)
        assert isinstance(getattr(left[0], "email", None), Erased)
        assert any(PERSONAL[1] in str(data) for data in events_of(tmp_path))  # the other's stay
    assert readable(tmp_path) == []
    assert reread(tmp_path) == 5


@pytest.mark.parametrize("restart", ["none", "from a snapshot", "from the log"])
def test_what_was_counted_stays_counted(tmp_path: Path, restart: str) -> None:
    """The address that the erased account used goes on being known: it is counted by its token."""
    later = body({"account": "carl", "email": "carl@example.org", "ip": PERSONAL[2]}, id="carl-1")
    found = []
    for erased in (False, True):
        folder, clock = tmp_path / str(erased), SetClock()
        with open_pipeline(folder, clock=clock) as pipeline:
            answers(pipeline, *ADA, *BOB)
            if erased:
                pipeline.erase("ada", "me", "she asked")
            if restart == "from a snapshot":
                snapshot(pipeline)
            if restart == "none":
                found.append([each.decision for each in answers(pipeline, later, request(90, "ada", ip=PERSONAL[1]))])
        if restart != "none":
            with open_pipeline(folder, clock=clock) as pipeline:
                found.append([each.decision for each in answers(pipeline, later, request(90, "ada", ip=PERSONAL[1]))])
    assert found[0] == found[1]


def test_what_comes_later_of_an_erased_account_can_be_read_and_erased_again(tmp_path: Path) -> None:
    with open_pipeline(tmp_path) as pipeline:
        answers(pipeline, *ADA)
        pipeline.erase("ada", "me", "she asked")
        answers(pipeline, request(72, "ada", ip=PERSONAL[1]))
    assert sum(PERSONAL[1] in str(data) for data in events_of(tmp_path)) == 1
    with open_pipeline(tmp_path) as pipeline:
        pipeline.erase("ada", "me", "again")
        with pytest.raises(NothingSealed, match="check how the account is written"):
            pipeline.erase("ada", "me", "and again")
    assert not any(text in str(data) for data in events_of(tmp_path) for text in PERSONAL)


def test_nobody_is_told(tmp_path: Path) -> None:
    with open_pipeline(tmp_path) as pipeline, pytest.raises(NothingSealed):
        pipeline.erase("nobody", "me", "test")


def test_a_key_that_could_not_be_overwritten_is_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_keys: FileSubjectKeys, _numbers: list[int]) -> None:
        raise KeysUnusable(tmp_path, "input/output error", "Erase again.")

    with open_pipeline(tmp_path) as pipeline:
        answers(pipeline, *ADA)
        monkeypatch.setattr(FileSubjectKeys, "erase", failing)
        with pytest.raises(KeysUnusable):
            pipeline.erase("ada", "me", "she asked")
    assert any(PERSONAL[0] in str(data) for data in events_of(tmp_path))
    monkeypatch.undo()
    with open_pipeline(tmp_path):
        assert not any(text in str(data) for data in events_of(tmp_path) for text in PERSONAL)


def test_an_entry_of_a_list_is_no_more_readable_than_an_event(tmp_path: Path) -> None:
    with open_pipeline(tmp_path) as pipeline:
        pipeline.put_in_list("bad_mail", PERSONAL[0], pipeline.clock.now() + HOUR, "me", "test")
        pipeline.commit()
        snapshot(pipeline)
    assert readable(tmp_path) == []


def test_the_search_for_what_is_readable_finds_it(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "x").write_bytes(b"...ada.lovelace@example.com...")
    (tmp_path / "y").write_bytes(PERSONAL[1].encode("utf-16-le"))
    (tmp_path / "z").write_bytes(
        gzip.compress(PERSONAL[2].encode())
    )  # packed: nothing in a data folder but the lake is
    assert readable(tmp_path) == list(PERSONAL[:2])
