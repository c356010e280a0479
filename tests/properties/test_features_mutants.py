"""The checks would notice: each mistake planted in the kernel fails the one that is there for it."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from fairgate.kernel.rows import Rows
from tests.properties import feature_checks as checks
from tests.properties.feature_cases import Case, cases
from tests.properties.feature_checks import Check, Pause
from tests.properties.plain_kernel import Mutant, plain_rows, wrapping

_MANY = settings(
    max_examples=200,
    phases=[Phase.generate],
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)

_BEFORE = """    for step in range(program[touch + at.FIRST_BEFORE], program[touch + at.FIRST_FEED], at.OP_WORDS):
        _read_before(held, step, row, asked)
"""
_FEED = """    for step in range(program[touch + at.FIRST_FEED], program[touch + at.FIRST_AFTER], at.OP_WORDS):
        _feed(held, step, row, asked)
"""


def agrees(rows: type[Rows]) -> None:
    @_MANY
    @given(cases())
    def check(case: Case) -> None:
        checks.agrees_with_the_naive_model(rows, case)

    check()


def undisturbed(rows: type[Rows]) -> None:
    @_MANY
    @given(cases())
    def check(case: Case) -> None:
        checks.is_undisturbed(rows, case, [Pause(1, 1_000, reopen=True)] * len(case.events))

    check()


MUTANTS: dict[str, tuple[Check, Mutant]] = {
    "a table's gap is left open": (
        checks.rows_outlive_their_neighbours,
        Mutant("keys", "    while table[2 * after] != 0:", "    while False:"),
    ),
    "a bucket too many is covered": (agrees, Mutant("rings", "dead = now - buckets", "dead = now - buckets - 1")),
    "a late event misses the oldest bucket": (
        agrees,
        Mutant("rings", "if own > dead else -1", "if own > dead + 1 else -1"),
    ),
    "an event that came too late is counted": (
        agrees,
        Mutant("rings", "own % buckets if own > dead else -1", "own % buckets"),
    ),
    "sliding empties nothing": (
        agrees,
        Mutant("rings", "_clear(held, ring, row, moment[window, at.NOW_BUCKET], ", "max(0, "),
    ),
    "sliding empties a bucket too few": (
        agrees,
        Mutant(
            "rings",
            "min(gone, held.program[ring + at.RING_BUCKETS])",
            "min(gone, held.program[ring + at.RING_BUCKETS]) - 1",
        ),
    ),
    "sliding forgets to move the head": (
        agrees,
        Mutant("rings", "        held.arena[head] = moment[window, at.NOW]\n", ""),
    ),
    "FIRST is overwritten": (
        agrees,
        Mutant("rings", "elif fold == Fold.LAST or math.isnan(cells[where]):", "else:"),
    ),
    "LAST is kept": (agrees, Mutant("rings", "fold == Fold.LAST or math.isnan", "math.isnan")),
    "the newest bucket is not the last": (
        agrees,
        Mutant(
            "rings", "range(now_bucket, now_bucket - buckets, -1)", "range(now_bucket - 1, now_bucket - buckets, -1)"
        ),
    ),
    "the oldest bucket comes from the middle": (
        agrees,
        Mutant(
            "rings",
            "range(now_bucket + 1, now_bucket + 1 + buckets)",
            "range(now_bucket + 2, now_bucket + 1 + buckets)",
        ),
    ),
    "a sum leaves out a bucket": (
        agrees,
        Mutant(
            "rings",
            "range(where, where + buckets):\n        summed",
            "range(where, where + buckets - 1):\n        summed",
        ),
    ),
    "missing values are counted": (agrees, Mutant("advance", "math.isfinite(value) and ", "")),
    "this event is counted before is_new is read": (
        agrees,
        Mutant("advance", f"{_BEFORE}{_FEED}", f"{_FEED}{_BEFORE}"),
    ),
    "rows of two families share a key": (
        agrees,
        Mutant(
            "advance",
            "np.uint64(program[_family(program, program[touch + at.TOUCH_FAMILY]) + at.SALT])",
            "np.uint64(1)",
        ),
    ),
    "the parts of a key may change places": (agrees, Mutant("advance", "mix(key ^ hashed) + hashed", "key ^ hashed")),
    "a missing part of a key is skipped": (
        agrees,
        Mutant("advance", "            return 0\n        key", "            continue\n        key"),
    ),
    "a row is evicted a microsecond early": (
        checks.a_row_stays_while_its_window_does,
        Mutant("advance", "<= clock - arena[row + at.LAST_TOUCHED]", "<= clock - arena[row + at.LAST_TOUCHED] + 1"),
    ),
    "a profile is evicted": (undisturbed, Mutant("advance", "not free and 0 <= program", "not free and -1 <= program")),
    "a row made anew keeps its cells": (
        undisturbed,
        Mutant("advance", "        open_ring(held, ring, row, moment)", "        pass"),
    ),
    "a snapshot loses the last row": (
        undisturbed,
        Mutant("rows", "[: int(self._counters[at.BUMP])]", "[: int(self._counters[at.BUMP]) - 1]"),
    ),
    "spilling loses the 16": (
        checks.distinct_is_exact_to_16,
        Mutant(
            "sets", "        _enter_chunk(held, chunk, Sighting(np.uint64(arena[slot]), last, seen.dead), op)\n", ""
        ),
    ),
    "a count of 17 spills nothing": (
        checks.distinct_is_exact_to_16,
        Mutant("sets", "        _spill(held, where, seen, op)", "        pass"),
    ),
    "a spilled count covers a bucket too many": (
        checks.distinct_slides,
        Mutant("sets", "live += stamps[stamp] > limit", "live += stamps[stamp] >= limit"),
    ),
    "a stamp goes back with a late value": (
        checks.distinct_takes_values_late_and_again,
        Mutant("sets", "shorts[mine] = max(shorts[mine], stamp)", "shorts[mine] = shorts[mine] or stamp"),
    ),
    "a value out of the window is entered": (
        checks.distinct_is_exact_to_16,
        Mutant("sets", "    if seen.own <= seen.dead:\n        return\n", ""),
    ),
    "a chunk is given back too early": (
        checks.distinct_is_exact_again,
        Mutant("sets", "held.arena[chunk + at.LAST_SEEN] = max(last, seen.own)", "pass"),
    ),
    "a chunk is never given back": (
        checks.distinct_is_exact_again,
        Mutant("sets", "        if last > seen.dead:\n            held", "        if True:\n            held"),
    ),
    "rebasing keeps what is out": (
        checks.stamps_outlast_their_16_bits,
        Mutant("sets", "max(0, held.shorts[stamp] - later)", "max(1, held.shorts[stamp] - later)"),
    ),
    "rebasing moves nothing": (
        checks.stamps_outlast_their_16_bits,
        Mutant("sets", "max(0, held.shorts[stamp] - later)", "held.shorts[stamp]"),
    ),
    "stamps wrap around": (
        checks.stamps_outlast_their_16_bits,
        Mutant("sets", "> at.STAMP_MAX:\n        _rebase", "> 2 * at.STAMP_MAX:\n        _rebase"),
    ),
    "an evicted row keeps its chunk": (
        checks.chunks_are_kept_and_given_back,
        Mutant("advance", "            release(held, where)\n", "            pass\n"),
    ),
    "a chunk is not cleared for its next set": (
        checks.chunks_are_kept_and_given_back,
        Mutant("sets", "        arena[word] = 0\n", "        pass\n"),
    ),
    "a value seen again is not seen later": (
        checks.is_new_knows_16_values,
        Mutant("sets", "arena[slot + at.SET_SLOTS] = max(last, seen.own)", "pass"),
    ),
    "fingerprints are not looked at": (
        checks.is_new_knows_200_values,
        Mutant("sets", "if stamp > dead and shorts[cell + 1] == fingerprint:", "if stamp > dead:"),
    ),
    "the newest is forgotten": (
        checks.is_new_forgets_the_longest_unseen,
        Mutant("sets", "if stamp < unseen_stamp:", "if stamp > dead or stamp < unseen_stamp:"),
    ),
    "what comes late displaces what is newer": (
        checks.is_new_forgets_the_longest_unseen,
        Mutant("sets", "    if stamp >= shorts[cell]:", "    if stamp >= 0:"),
    ),
}


@pytest.mark.parametrize(
    "check", [agrees, undisturbed, *(each for each in checks.ALONE if each is not checks.distinct_is_within_5_percent)]
)
def test_a_kernel_without_mistakes_passes(check: Check) -> None:
    with wrapping():
        check(plain_rows())


@pytest.mark.parametrize("mistake", MUTANTS)
def test_a_mistake_is_noticed(mistake: str) -> None:
    check, mutant = MUTANTS[mistake]
    with wrapping(), pytest.raises(AssertionError):
        check(plain_rows(mutant))
