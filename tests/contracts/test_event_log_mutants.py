"""Mutants of the embedded event log that its contract must kill."""

from functools import partial

import pytest
from hypothesis import Phase, settings

from fairgate.backends.embedded import segment_begin
from fairgate.backends.embedded.segment_file import SegmentFile
from fairgate.backends.embedded.segment_index import SegmentIndex
from fairgate.backends.embedded.segment_reader import SegmentReader
from fairgate.backends.embedded.segment_writer import SegmentWriter
from fairgate.backends.embedded.segments import SegmentLog
from fairgate.domain.errors import FairgateError
from tests.contracts.log_places import EmbeddedPlace
from tests.contracts.planting import Edit, planted
from tests.contracts.test_event_log import check_dropping, check_opening_is_cut_short, opened, run_machine

MUTANTS = {
    "commit writes nothing": [
        Edit(SegmentWriter, "write", '_write_all(self._fd, b"".join(parts), begin)', "pass"),
    ],
    "commit doesn't sync": [Edit(SegmentWriter, "write", "os.fdatasync(self._fd)", "pass")],
    "commit vouches for what came after it": [
        Edit(SegmentLog, "_flush", "= self._base, []", "= self._base + len(self._pending), []"),
    ],
    "a failed commit is forgotten": [Edit(SegmentLog, "_flush", "self._failure = error", "pass")],
    "close commits nothing": [Edit(SegmentLog, "close", "self._flush()", "pass")],
    "a new segment's name isn't synced": [Edit(SegmentWriter, "create", "sync_directory(directory)", "pass")],
    "a new segment's header isn't synced": [Edit(SegmentWriter, "create", "os.fsync(fd)", "pass")],
    "roll-over loses a pending record": [
        Edit(SegmentLog, "_flush", "(self._flushing, done)", "(self._flushing, done + 1)")
    ],
    "one number is skipped after reopening": [
        Edit(SegmentReader, "__init__", "segments[-1].index.sequence", "segments[-1].index.sequence + 1"),
    ],
    "a torn tail stays": [Edit(SegmentWriter, "resume", "os.ftruncate(fd, index.offset)", "pass")],
    "what a killed process wrote isn't synced": [Edit(SegmentWriter, "resume", "os.fsync(fd)", "pass")],
    "the checksum doesn't cover the sequence": [
        Edit(SegmentFile, "checksum", 'crc32(sequence.to_bytes(8, "little"), self.header.salt)', "self.header.salt"),
        Edit(SegmentFile, "frames", "crc32(body,", "crc32(body[8:],"),
        Edit(SegmentFile, "find_frame", "crc32(body,", "crc32(body[8:],"),
    ],
    "the checksum isn't checked": [Edit(SegmentFile, "frames", "!= checksum", "is None")],
    "read includes its end": [
        Edit(SegmentReader, "read", "min(stop, durable)", "min(stop + 1, durable)"),
    ],
    "read gives out pending records": [Edit(SegmentReader, "read", "= self._durable,", "= self.end(),")],
    "the index counts its strides from 0": [
        Edit(SegmentIndex, "_place", "(self.sequence - self.first)", "self.sequence")
    ],
    "a record in flight is taken for another": [Edit(SegmentLog, "get", "[sequence - self._durable]", "[0]")],
    "the beginning gets its name before it is synced": [
        Edit(segment_begin, "save_begin", "os.fsync(file.fileno())", "pass"),
    ],
    "the beginning's name isn't synced": [Edit(segment_begin, "save_begin", "sync_directory(directory)", "pass")],
    "the beginning isn't written down": [
        Edit(SegmentLog, "drop", "segment_begin.save_begin(self.directory, before)", "pass"),
    ],
    "segments go before the beginning is written down": [
        Edit(
            SegmentLog,
            "drop",
            "segment_begin.save_begin(",
            "segment_begin.remove_below(self.directory, "
            "self._segments[segment_of(self._segments, before)].index.first); segment_begin.save_begin(",
        ),
    ],
    "a drop goes back": [Edit(SegmentLog, "drop", "self._begin <= before <=", "0 <= before <=")],
    "a drop takes what isn't durable": [
        Edit(SegmentLog, "drop", "<= self._durable:", "<= self._base + len(self._pending):"),
    ],
    "a drop takes a segment with a record that is held": [
        Edit(SegmentLog, "drop", "segment_of(self._segments, before) :", "segment_of(self._segments, before + 1) :"),
    ],
    "a drop removes nothing": [
        Edit(SegmentLog, "drop", "segment_begin.remove_below(self.directory, self._segments[0].index.first)", "pass"),
    ],
    "what a crash left of a drop stays": [
        Edit(SegmentLog, "open", "segment_begin.remove_below(directory, held.segments[0].index.first)", "pass"),
    ],
    "a sidecar stays": [Edit(segment_begin, "remove_below", "{SUFFIX, SIDECAR}", "{SUFFIX}")],
    "reopening goes back to the first record there is": [
        Edit(SegmentReader, "__init__", "= held.begin", "= held.segments[0].index.first"),
    ],
    "the first segment held is taken for dropped": [Edit(segment_begin, "held_paths", "- 1) :", ") :")],
    "read gives out what was dropped": [Edit(SegmentReader, "read", "if start < begin:", "if start < 0:")],
    "get gives out what was dropped": [
        Edit(SegmentLog, "get", "self._begin <= sequence", "0 <= sequence"),
        Edit(SegmentReader, "get", "begin <= sequence", "0 <= sequence"),
    ],
    "a reader never sees the new beginning": [Edit(SegmentReader, "_let_go", "self._begin = begin", "pass")],
    "a reader far behind stays there": [
        Edit(SegmentReader, "_let_go", "self._segments[-1].file.path < paths[0]", "False"),
    ],
    "a reader takes what was dropped for lost": [
        Edit(SegmentReader, "_check_not_dropped", "sequence < begin", "sequence < 0"),
    ],
}


def check_contract(how: settings) -> None:
    run_machine(EmbeddedPlace, how)
    check_dropping(partial(opened, EmbeddedPlace))  # what the machine draws depends on what else is loaded


@pytest.mark.parametrize("name", MUTANTS)
def test_kills_the_mutant(name: str) -> None:
    how = settings(max_examples=400, phases=[Phase.generate], derandomize=True, database=None, print_blob=False)
    noticed = (AssertionError, pytest.fail.Exception, FairgateError, LookupError)
    with planted(*MUTANTS[name]), pytest.raises(noticed):
        check_contract(how)


def test_kills_a_mutant_that_opens_with_a_beginning_that_is_not_durable() -> None:
    renamed = 2
    with planted(Edit(SegmentLog, "open", "sync_directory(directory)", "pass")), pytest.raises(FairgateError):
        check_opening_is_cut_short(EmbeddedPlace, renamed)
