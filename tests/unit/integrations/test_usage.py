"""Tokens are read from what models answer, in the forms of the two interfaces, whole or in any pieces."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.integrations.usage import LARGEST_ANSWER, LARGEST_EVENT, Meter
from fairgate.share import Usage


def event(**data: object) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


OPENAI = (
    event(choices=[{"delta": {"content": "a"}}], usage=None)
    + event(choices=[{"delta": {"content": "b"}}], usage=None)
    + event(
        choices=[],
        usage={"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
    )
    + b"data: [DONE]\n\n"
)
RESPONSES = event(type="response.output_text.delta", delta="a") + event(
    type="response.completed",
    response={"usage": {"input_tokens": 9, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 4}}},
)
CACHED = {"input_tokens": 3, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2, "output_tokens": 1}
ANTHROPIC = (
    b"event: message_start\n"
    + event(
        type="message_start",
        message={"usage": CACHED},
    )
    + b"event: content_block_delta\n"
    + event(type="content_block_delta", delta={"text": "a"})
    + event(type="message_delta", usage={"output_tokens": 2})
)  # fmt: skip


@pytest.mark.parametrize("stream", [OPENAI, RESPONSES, ANTHROPIC], ids=["openai", "responses", "anthropic"])
@given(cuts=st.lists(st.integers(0, 600)))
def test_a_stream_in_any_pieces_tells_the_same(stream: bytes, cuts: list[int]) -> None:
    meter = Meter(streams=True)
    at = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    for begin, end in pairwise(at):
        meter.take(stream[begin:end])
    meter.end()
    assert meter.told
    assert meter.usage(77) == Usage(9, 2, 4)


def test_until_usage_is_told_events_are_counted() -> None:
    meter = Meter(streams=True)
    for number in range(1, 6):
        meter.take(event(delta="x") + b": a comment\n\nid: 7\n\n")
        assert meter.output == number
    meter.end()
    assert not meter.told
    assert meter.usage(77) == Usage(77, 5, 0)


def test_a_counter_of_tokens_counts_them() -> None:
    meter = Meter(lambda data: len(json.loads(data)["delta"]), streams=True)
    meter.take(event(delta="four") + event(delta="sevenxx"))
    assert meter.output == 11


def test_a_whole_answer_tells_its_usage() -> None:
    meter = Meter(streams=False)
    meter.take(b'{"usage": {"prompt_tokens": 5, ')
    meter.take(b'"completion_tokens": 6}}')
    meter.end()
    assert meter.usage(77) == Usage(5, 6, 0)


def test_without_usage_a_whole_answer_is_measured() -> None:
    meter = Meter(streams=False)
    meter.take(b"x" * 4_000)
    meter.end()
    assert meter.usage(77) == Usage(77, 1_000, 0)


@pytest.mark.parametrize(
    "usage",
    [
        None, 5, [], {}, {"prompt_tokens": -1}, {"prompt_tokens": 1e300, "completion_tokens": "2"},
        {"completion_tokens": True}, {"prompt_tokens_details": [1]}, {"completion_tokens": 10**30},
    ],
)  # fmt: skip
def test_usage_that_can_not_be_is_no_usage(usage: object) -> None:
    meter = Meter(streams=False)
    meter.take(json.dumps({"usage": usage, "message": 3, "response": None}).encode())
    meter.end()
    assert not meter.told
    assert meter.usage(7).input == 7


def test_more_from_a_cache_than_was_read_is_cut() -> None:
    meter = Meter(streams=False)
    meter.said({"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 50}})
    assert meter.usage(0) == Usage(5, 1, 5)


def test_answers_and_events_without_end_are_not_held() -> None:
    whole, stream = Meter(streams=False), Meter(streams=True)
    for _ in range(2 + LARGEST_ANSWER // 100_000):
        whole.take(b"x" * 100_000)
        stream.take(b"data: " + b"x" * 100_000)
    assert len(whole._held) <= LARGEST_ANSWER
    assert len(stream._held) <= LARGEST_EVENT + 200_000
    whole.end()
    assert whole.output > LARGEST_ANSWER // 5
    assert stream.output > LARGEST_ANSWER // 8
