"""What is drawn has the shape of the published traces, where these are at hand."""

import statistics
from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path
from random import Random

import polars as pl
import pytest

from fairgate.simulate.draws import BURSTS, CHAT, CODE, CONVERSATION, UNEVEN, Lengths, Talk, busier, gap

MANY = 20_000


def distance(drawn: Iterable[float], real: Iterable[float]) -> float:
    """The largest difference between the shares that two samples have below any value (Kolmogorov, Smirnov)."""
    one, other = sorted(drawn), sorted(real)
    values = sorted({*one, *other})
    return max(abs(bisect_right(one, each) / len(one) - bisect_right(other, each) / len(other)) for each in values)


@pytest.mark.parametrize(
    ("talk", "name", "asked", "answered"),
    [
        (CONVERSATION, "llm_trace_azure_conv.csv", "ContextTokens", "GeneratedTokens"),
        (CODE, "llm_trace_azure_code.csv", "ContextTokens", "GeneratedTokens"),
        (CHAT, "llm_trace_27_clients.csv", "prompt_len", "output_len"),
    ],
    ids=["conversation", "code", "chat"],
)
def test_lengths_are_those_of_the_trace(shared_data: Path, talk: Talk, name: str, asked: str, answered: str) -> None:
    real, rng = pl.read_csv(shared_data / name), Random(5)
    for lengths, column in ((talk.asked, asked), (talk.answered, answered)):
        drawn = [lengths.draw(rng) for _ in range(MANY)]
        assert distance(drawn, real[column]) < 0.06
        mean = real[column].mean()
        assert isinstance(mean, float)
        assert statistics.fmean(drawn) == pytest.approx(mean, rel=0.08)


def test_clients_come_in_bursts_and_differ_as_those_of_the_trace(shared_data: Path) -> None:
    trace = pl.read_csv(shared_data / "llm_trace_27_clients.csv")
    clients = [each["req_time"].sort() for _, each in trace.group_by("client")]
    gaps = [each.diff().drop_nulls().to_list() for each in clients]
    uneven = [statistics.pstdev(each) / statistics.fmean(each) for each in gaps if len(each) >= 20]
    assert BURSTS[0] - 0.1 < min(uneven)
    assert max(uneven) < BURSTS[1] + 0.1
    logs = pl.Series([float(len(each)) for each in clients]).log()
    spread = logs.std()
    assert isinstance(spread, float)
    assert spread == pytest.approx(UNEVEN, abs=0.15)


@pytest.mark.parametrize("burst", [0.5, 1.0, 1.8])
def test_gaps_have_the_mean_and_the_unevenness_that_is_asked_for(burst: float) -> None:
    rng = Random(3)
    drawn = [gap(rng, 40.0, burst) for _ in range(MANY)]
    assert statistics.fmean(drawn) == pytest.approx(40.0, rel=0.05)
    assert statistics.pstdev(drawn) / 40.0 == pytest.approx(burst, rel=0.06)


def test_half_are_less_busy_than_the_middle_one() -> None:
    rng = Random(4)
    drawn = [busier(rng) for _ in range(MANY)]
    assert sum(each < 1 for each in drawn) / MANY == pytest.approx(0.5, abs=0.02)


def test_the_mean_of_lengths_is_that_of_many_draws() -> None:
    rng = Random(6)
    for lengths in (CONVERSATION.asked, CODE.answered, CHAT.asked, Lengths((3,) * 26)):
        drawn = statistics.fmean(lengths.draw(rng) for _ in range(MANY))
        assert lengths.mean == pytest.approx(drawn, rel=0.05)
