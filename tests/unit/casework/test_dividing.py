"""A case divided in two: by what decisions found of each account, and with nothing made or lost."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fairgate.backends.embedded.segments import open_log
from fairgate.casework.dividing import findings_in, parting
from fairgate.domain.action import Action
from fairgate.domain.case import Facts, Finding
from fairgate.domain.windows import HOUR
from fairgate.domain.worth import Stake
from tests.support import NOW, PACK, body, open_pipeline, request
from tests.unit.casework.test_opening import CASES
from tests.unit.pipeline.live import answers

STAKE = Stake(0.7, 80.0, 24.0, 300.0, 500.0, Action.HOLD, 5.0, NOW)
WHOLE = Facts(STAKE, Action.HOLD, ("farm", "burst"), ("rule_1",), (9, 8, 7))


def found(account: str, event: int, burn: float = 0.0, at_risk: float = 100.0, worth: float = 100.0) -> Finding:
    stake = Stake(event / 10, burn, 24.0, at_risk, worth, Action.THROTTLE, 5.0, NOW)
    return Finding(account, event, NOW, Action.THROTTLE, stake, (f"reason_{event}",), (f"rule_{event}",))


def test_each_part_gets_what_decisions_found_of_it() -> None:
    findings = [found("a", 7, burn=10.0), found("b", 8, burn=5.0, at_risk=200.0), found("a", 9, burn=5.0, worth=300.0)]
    stay, go = parting(["b"], ["a"], findings, NOW).of(WHOLE, NOW)
    assert (stay.reasons, stay.evidence, stay.events, stay.stake.probability) == (("reason_8",), ("rule_8",), (8,), 0.8)
    assert (go.reasons, go.events, go.stake.probability) == (("reason_9", "reason_7"), (9, 7), 0.9)
    assert (stay.suggested, go.suggested, go.stake.stands) == (Action.THROTTLE, Action.THROTTLE, Action.THROTTLE)
    assert (go.stake.burn, stay.stake.burn) == (60.0, 20.0)  # 15 to 5 of the 80
    assert go.stake.at_risk == 100.0
    assert stay.stake.at_risk == pytest.approx(200.0)
    assert (go.stake.worth, stay.stake.worth) == (375.0, 125.0)


def test_of_whom_nothing_is_known_as_much_is_taken_as_of_others() -> None:
    stay, go = parting(["a", "b"], ["c"], [found("a", 9, burn=7.0), found("b", 8, burn=1.0)], NOW).of(WHOLE, NOW)
    assert go.stake.burn == pytest.approx(80.0 / 3)
    assert (go.reasons, go.evidence, go.suggested) == (WHOLE.reasons, WHOLE.evidence, WHOLE.suggested)
    assert (stay.reasons, stay.events, go.events) == (("reason_9", "reason_8"), (9, 8, 7), ())
    stay, go = parting(["a"], ["b", "c"], [found("c", 9)], NOW).of(WHOLE, NOW)
    assert (go.reasons, go.stake.probability, go.events) == (WHOLE.reasons, 0.7, ())  # of `b` nobody knows


def test_where_nothing_is_known_the_accounts_count_alike() -> None:
    for findings in ([], [found("a", 1, at_risk=0.0, worth=0.0), found("b", 2, at_risk=0.0, worth=0.0)]):
        stay, go = parting(["a"], ["b", "c", "d"], findings, NOW).of(WHOLE, NOW)
        assert (stay.stake.burn, stay.stake.at_risk, stay.stake.worth) == (20.0, 75.0, 125.0)
        assert (go.stake.burn, go.stake.at_risk, go.stake.worth) == (60.0, 225.0, 375.0)


def test_what_was_used_earlier_counts_less() -> None:
    early = replace(found("a", 7, burn=10.0), stake=replace(found("a", 7, burn=10.0).stake, at=NOW - HOUR))
    stay, go = parting(["a"], ["b"], [early, found("b", 8, burn=10.0)], NOW).of(WHOLE, NOW)
    assert go.stake.burn / stay.stake.burn == pytest.approx(2.718281828)


@given(
    accounts=st.lists(st.sampled_from("abcdef"), min_size=2, unique=True),
    findings=st.lists(
        st.builds(
            found,
            st.sampled_from("abcxyz"),
            st.integers(0, 9),
            *[st.floats(0, 1e9, allow_subnormal=False)] * 3,
        ),
        max_size=8,
    ),
    later=st.sampled_from([0, HOUR]),
    data=st.data(),
)
def test_no_money_is_made_or_lost(
    accounts: list[str], findings: list[Finding], later: int, data: st.DataObject
) -> None:
    at, now = data.draw(st.integers(1, len(accounts) - 1)), NOW + later
    stay, go = parting(accounts[at:], accounts[:at], findings, now).of(WHOLE, now)
    merged, whole = stay.joined(go, now), STAKE.faded(now)
    assert merged.stake.burn == pytest.approx(whole.burn)
    assert merged.stake.at_risk == pytest.approx(whole.at_risk)
    assert merged.stake.worth == pytest.approx(whole.worth)
    assert merged.events == WHOLE.events
    for each in (stay.stake, go.stake):
        assert min(each.burn, each.at_risk, each.worth) >= 0
        assert (each.hours, each.minutes) == (24.0, 5.0)


def test_findings_are_read_again_from_the_log_as_they_were_made(tmp_path: Path) -> None:
    with open_pipeline(tmp_path, CASES) as pipeline:
        ones = answers(pipeline, request(1, "a", cost=30.0), request(2, "b", cost=10.0))
    with open_pipeline(tmp_path, PACK) as pipeline:  # from here on it opens no cases
        [other] = answers(pipeline, body({"account": "c"}, id="s1"))
    numbers = [each.sequence for each in ones]
    with open_log(tmp_path / "log", read_only=True) as log:
        again = findings_in(log, [99, *reversed(numbers), other.sequence, other.sequence - 1])
    assert [(each.account, each.event, each.stake.burn) for each in again] == [
        ("a", numbers[0], 30.0), ("b", numbers[1], 10.0),
    ]  # fmt: skip
    assert again[0].reasons == ("spend",)
    assert again[0].stake.at_risk == 100.0
