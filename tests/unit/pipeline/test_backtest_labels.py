"""A label that came from a rule's own pick never scores that rule, and scores every other."""

from datetime import timedelta
from pathlib import Path

import pytest

from fairgate.ingest.identifiers import TYPES
from fairgate.language.check_pack import check_pack
from fairgate.language.checked import CheckedPack
from fairgate.language.pack_file import pack_from_texts
from fairgate.pipeline.backtest import Material, backtest
from fairgate.pipeline.backtest.report import Report, RuleResult
from tests.unit.pipeline.test_backtest import BASE, SECRET, START, event, recorded, rule, written

#: Both rules fire on each payment that is labelled here.
RULES = (rule("dear", "amount > 60"), rule("dearer", "amount > 70"))
WITH_SELECTORS = 'bad = "bool"\nselected_by = "text"\npropensity = "number"\n'


def pack(label: str = WITH_SELECTORS) -> CheckedPack:
    text = "\n".join([BASE.format(version="1", blocked="").replace('bad = "bool"\n', label, 1), *RULES])
    return check_pack(pack_from_texts({"pack.toml": text}), TYPES)


def report_of(folder: Path, *labels: dict[str, object], checked: CheckedPack | None = None) -> Report:
    """A backtest's report where one payment was made and these labels were given of it, in this order."""
    events = [event(1, "pay", START, account="a", amount=100.0)]
    for number, data in enumerate(labels, 2):
        kind = "dispute" if data.pop("disputed", False) else "pay.label"
        events.append(event(number, kind, START + timedelta(minutes=number), of="e1", **data))
    checked = checked or pack()
    inputs = written(folder, events)
    recording = recorded(checked, inputs, folder / "recording")
    return backtest(checked, checked, Material(recording, [], folder / "scratch", SECRET))


def results(folder: Path, *labels: dict[str, object], checked: CheckedPack | None = None) -> dict[str, RuleResult]:
    """What it says of each rule."""
    return {each.name: each for each in report_of(folder, *labels, checked=checked).rules}


def scored(result: RuleResult) -> tuple[int, int, int]:
    """How many of the rule's hits are labelled, how many bad, and against how many bad ones it is held."""
    assert result.new is not None
    return result.new.labelled, result.new.bad, 0 if result.new.recall is None else result.new.recall.whole


BAD, BENIGN = {"bad": True}, {"bad": False}
OWN = {"selected_by": "dear", "propensity": 1.0}
NOT_LABELLED, IS_BAD, IS_BENIGN = (0, 0, 0), (1, 1, 1), (1, 0, 0)


@pytest.mark.parametrize(
    ("labels", "dear", "dearer"),
    [
        pytest.param([{**BAD, **OWN}], NOT_LABELLED, IS_BAD, id="its own pick"),
        pytest.param([{**BENIGN, **OWN}], NOT_LABELLED, IS_BENIGN, id="its own pick, benign"),
        pytest.param([{**BAD, "selected_by": "dear"}], NOT_LABELLED, IS_BAD, id="nobody says that it was by lot"),
        pytest.param([{**BAD, **OWN, "propensity": 0.1}], IS_BAD, IS_BAD, id="by lot"),
        pytest.param([{**BAD, **OWN, "selected_by": "dear dearer"}], IS_BAD, IS_BAD, id="another picked it too"),
        pytest.param([BAD], IS_BAD, IS_BAD, id="nobody says who picked it"),
        pytest.param([{**BAD, "disputed": True}], IS_BAD, IS_BAD, id="a label type without selectors"),
        pytest.param([BAD, {**BENIGN, **OWN}], IS_BAD, IS_BENIGN, id="the bank had said otherwise before"),
        pytest.param([{**BENIGN, **OWN}, BAD], IS_BAD, IS_BAD, id="the bank says otherwise since"),
        pytest.param([BENIGN, {**BAD, **OWN}], IS_BENIGN, IS_BAD, id="the bank had called it benign"),
    ],
)
def test_a_label_scores_all_rules_but_the_one_that_picked_its_event(
    tmp_path: Path, labels: list[dict[str, object]], dear: tuple[int, int, int], dearer: tuple[int, int, int]
) -> None:
    found = results(tmp_path, *(dict(each) for each in labels))
    assert (scored(found["dear"]), scored(found["dearer"])) == (dear, dearer)


def test_a_label_type_that_does_not_say_whether_it_was_by_lot_was_not(tmp_path: Path) -> None:
    checked = pack('bad = "bool"\nselected_by = "text"\n')
    found = results(tmp_path, {**BAD, "selected_by": "dear"}, checked=checked)
    assert (scored(found["dear"]), scored(found["dearer"])) == (NOT_LABELLED, IS_BAD)


@pytest.mark.parametrize(
    ("labels", "scores"),
    [
        pytest.param([{**BAD, **OWN}], NOT_LABELLED, id="a rule picked it"),
        pytest.param([{**BAD, **OWN, "selected_by": "dear dearer"}], NOT_LABELLED, id="two did"),
        pytest.param([{**BAD, **OWN, "propensity": 0.1}], IS_BAD, id="by lot"),
        pytest.param([BAD], IS_BAD, id="nobody says who picked it"),
        pytest.param([{**BAD, "selected_by": ""}], IS_BAD, id="nobody picked it"),
        pytest.param([BAD, {**BENIGN, **OWN}], IS_BAD, id="the bank had said otherwise before"),
    ],
)
def test_what_decisions_picked_to_be_labelled_never_scores_decisions(
    tmp_path: Path, labels: list[dict[str, object]], scores: tuple[int, int, int]
) -> None:
    found = report_of(tmp_path, *(dict(each) for each in labels)).interventions.new
    assert (found.labelled, found.bad, 0 if found.recall is None else found.recall.whole) == scores
