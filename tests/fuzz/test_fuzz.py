"""No bytes make the decoder or the reader of records fail: a few of each target here, and many under a fuzzer."""

import random
import subprocess
import sys
from importlib.util import find_spec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairgate.domain.errors import RecordUnreadable
from fairgate.pipeline.records import decode
from tests.e2e.doors import ENVIRONMENT, ROOT
from tests.fuzz.mutate import mutated
from tests.fuzz.properties import TARGETS, record, seeds, words

SECONDS = 20


@pytest.mark.parametrize("name", TARGETS)
def test_real_events_are_taken_and_read(name: str) -> None:
    target, _ = TARGETS[name]
    for seed in seeds(target):
        target(seed)


def test_a_record_with_text_that_is_none_is_told_apart() -> None:
    with pytest.raises(RecordUnreadable, match="Record 7"):
        decode(7, seeds(record)[1].replace(b"test", b"t\xffst"))


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=300)
@given(draw=st.randoms(use_true_random=False), times=st.integers(1, 6))
def test_nothing_fails_of_what_is_nearly_right(name: str, draw: random.Random, times: int) -> None:
    target, encoding = TARGETS[name]
    raw = draw.choice(seeds(target))
    for _ in range(times):
        raw = mutated(raw, draw, encoding) or raw
    if draw.random() < 0.3:
        at = draw.randrange(len(raw) + 1)
        raw = raw[:at] + draw.choice([*words(), draw.randbytes(3)]) + raw[at + draw.randrange(4) :]
    target(raw)


@pytest.mark.soak
@pytest.mark.skipif(find_spec("atheris") is None, reason="the fuzzer has no build for this platform")
@pytest.mark.parametrize("name", TARGETS)
def test_nothing_fails_under_a_fuzzer(name: str) -> None:
    """The corpus grows from run to run, and what fails is kept beside it."""
    folder = ROOT / "build" / "fuzz" / name
    command = [sys.executable, "-m", "tests.fuzz.decoder", name, str(folder), f"-max_total_time={SECONDS}"]
    done = subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=20 * SECONDS, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr[-6_000:]}"
    assert "Done" in done.stderr
