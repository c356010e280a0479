"""What a caller of the sidecar is told of an error: of what they sent, and of nothing that is wrong inside."""

import logging

import pytest

from fairgate.domain.errors import BadAmount
from fairgate.entrypoints.share import asgi


def test_what_a_caller_sent_is_told_in_the_shares_words() -> None:
    answer = asgi._failed(BadAmount("output: -1 is not a number of tokens"))
    assert (answer.status, b"output: -1" in answer.body) == (400, True)


@pytest.mark.parametrize(
    "error", [ValueError("inside: key 7"), KeyError("inside: key 7"), RuntimeError("inside: key 7")]
)
def test_a_fault_inside_is_logged_and_not_told(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = asgi._failed(error)
    assert (answer.status, b"inside" in answer.body) == (500, False)
    assert "inside: key 7" in caplog.text
