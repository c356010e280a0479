"""The checks would notice: each mistake planted in what carries profiles fails the one that is there for it."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, Phase, given, settings

import fairgate.features.carry
import fairgate.features.plan
import fairgate.pipeline.engine
from fairgate.kernel.program import Fold
from fairgate.kernel.rows import Rows
from tests.properties import carry_checks as checks
from tests.properties.carry_cases import Handover, handovers
from tests.properties.carry_checks import Check
from tests.properties.plain_kernel import Mutant, plain_rows, wrapping

_MANY = settings(
    max_examples=100,
    phases=[Phase.generate],
    database=None,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def survive(rows: type[Rows]) -> None:
    @_MANY
    @given(handovers())
    def check(handover: Handover) -> None:
        checks.profiles_survive(rows, handover)

    check()


IN_THE_KERNEL: dict[str, tuple[Check, Mutant]] = {
    "a cell stays where it was": (
        checks.spilled_sets_come_along,
        Mutant("carry", "arena[made + cells[pair, 1]]", "arena[made + cells[pair, 0]]"),
    ),
    "a set stays where it was": (
        checks.spilled_sets_come_along,
        Mutant("carry", "made + sets[pair, 1])", "made + sets[pair, 0])"),
    ),
    "a set loses the days of its values": (
        checks.spilled_sets_come_along,
        Mutant("carry", "range(at.SET_WORDS)", "range(at.SET_SLOTS)"),
    ),
    "a set keeps the place of the chunk that it had": (
        checks.spilled_sets_come_along,
        Mutant("carry", "        held.arena[where] = chunk\n", ""),
    ),
    "a chunk comes along in part": (
        checks.spilled_sets_come_along,
        Mutant("carry", "range(at.SPILL_WORDS)", "range(at.SPILL_WORDS // 2)"),
    ),
    "a chunk is not counted": (
        checks.spilled_sets_come_along,
        Mutant("sets", "    counters[at.SPILLS] += 1\n    return chunk", "    return chunk"),
    ),
    "a row with sets alone is left behind": (
        checks.a_row_of_which_nothing_moves_is_left,
        Mutant("carry", "moves |= old", "moves &= old"),
    ),
    "a row with cells alone is left behind": (
        checks.a_row_of_which_nothing_moves_is_left,
        Mutant("carry", "moves |= not math.isnan", "moves |= math.isinf"),
    ),
    "a row of which nothing moves comes along": (
        checks.a_row_of_which_nothing_moves_is_left,
        Mutant("carry", "moves = False", "moves = True"),
    ),
    "it is forgotten when a row was touched": (
        checks.a_row_of_which_nothing_moves_is_left,
        Mutant("carry", "        arena[made + at.LAST_TOUCHED] = old[row + at.LAST_TOUCHED]\n", ""),
    ),
    "the rows of another family are taken": (
        survive,
        Mutant("rows", "families == move.old", "families == move.new"),
    ),
    "cells are looked for where the new pack has them": (
        survive,
        Mutant("rows", "move.spec.ring_start(0) + one", "new.ring_start(0) + one + 1"),
    ),
    "no room is made for chunks": (
        checks.room_is_made_for_all,
        Mutant("rows", "needed = 1 + words + spills * at.SPILL_WORDS", "needed = 1 + words"),
    ),
}


@dataclass(frozen=True)
class Planted:
    """A mistake in a module of features: what is written there instead of what."""

    module: ModuleType
    right: str
    wrong: str


_CARRY, _PLAN = fairgate.features.carry, fairgate.features.plan
IN_FEATURES: dict[str, tuple[Check, Planted]] = {
    "a condition may change": (
        checks.other_words_begin_anew,
        Planted(_CARRY, "kept.is_set, kept.counted", "kept.is_set, replace(kept.counted, where=None)"),
    ),
    "what is counted may change": (
        checks.other_words_begin_anew,
        Planted(_CARRY, "kept.is_set, kept.counted", "kept.is_set, replace(kept.counted, value=None)"),
    ),
    "the event types may change": (
        checks.other_words_begin_anew,
        Planted(_CARRY, "kept.is_set, kept.counted", "kept.is_set, replace(kept.counted, on=())"),
    ),
    "first may become last": (
        checks.other_words_begin_anew,
        Planted(_CARRY, "kept.is_set, kept.counted", "kept.is_set, replace(kept.counted, fold=Fold.LAST)"),
    ),
    "a value may become personal": (
        checks.what_means_something_else_begins_anew,
        Planted(_CARRY, "(found.type, found.personal)", "found.type"),
    ),
    "a list may change": (
        checks.what_means_something_else_begins_anew,
        Planted(_CARRY, "return frozenset(spec.entries), ", "return "),
    ),
    "what has no counterpart is not told": (
        survive,
        Planted(_CARRY, "            anew.append(text)\n", "            pass\n"),
    ),
    "cells go where others were": (
        checks.spilled_sets_come_along,
        Planted(_CARRY, "add((before.target, kept.target))", "add((kept.target, kept.target))"),
    ),
    "a key may become personal": (
        checks.what_means_something_else_begins_anew,
        Planted(_PLAN, "each.semantic, self.is_personal(each))", "each.semantic)"),
    ),
    "a family is known by its number": (
        survive,
        Planted(
            _PLAN,
            "named = repr((by, EVER in family.rings))",
            "named = repr(list(self.families.values()).index(family))",
        ),
    ),
    "profiles share their salt with windows": (survive, Planted(_PLAN, "repr((by, EVER in family.rings))", "repr(by)")),
    "the order of a key's parts is not told": (
        checks.other_words_begin_anew,
        Planted(_PLAN, "repr((by, EVER", "repr((sorted(by), EVER"),
    ),
}


@pytest.mark.parametrize("check", [survive, *checks.ALONE])
def test_a_kernel_without_mistakes_passes(check: Check) -> None:
    with wrapping():
        check(plain_rows())


@pytest.mark.parametrize("mistake", IN_THE_KERNEL)
def test_a_mistake_in_the_kernel_is_noticed(mistake: str) -> None:
    check, mutant = IN_THE_KERNEL[mistake]
    with wrapping(), pytest.raises((AssertionError, IndexError)):
        check(plain_rows(mutant))


@pytest.mark.parametrize("mistake", IN_FEATURES)
def test_a_mistake_in_features_is_noticed(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check, each = IN_FEATURES[mistake]
    name = "carried" if each.module is _CARRY else "plan_features"
    wrong = vars(_with(each))[name]
    for user in (fairgate.pipeline.engine, _CARRY):
        if name in vars(user):
            monkeypatch.setattr(user, name, wrong)
    with wrapping(), pytest.raises((AssertionError, IndexError, ValueError)):
        check(plain_rows())  # compiled rows would write wherever a wrong plan leads them


def _with(mistake: Planted) -> ModuleType:
    """The module once more, with the mistake in it."""
    source = Path(str(mistake.module.__file__)).read_text(encoding="utf-8")
    assert source.count(mistake.right) == 1, (
        f"{mistake.module} has {source.count(mistake.right)} times: {mistake.right}"
    )
    made = ModuleType(mistake.module.__name__)
    vars(made).update(replace=replace, Fold=Fold)  # words that a mistake may use
    exec(compile(source.replace(mistake.right, mistake.wrong), "<planted>", "exec"), vars(made))  # noqa: S102 - our own
    return made
