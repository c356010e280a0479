"""A worker's side of the pipe: lines in, replies out, and whatever fails told in words."""

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from fairgate.casework.plan import Plan, Reviewer, Work
from fairgate.domain.errors import (
    FairgateError,
    LakeDamaged,
    LogUnavailable,
    NothingToCompare,
    QueryFailed,
    QueryTooBig,
    QueryTooLong,
)
from fairgate.entrypoints.desk.lifeline import lines_of, settings_line, settings_of_line
from fairgate.entrypoints.desk.tasks import Arrange, Arranged, Done, Query, Task
from fairgate.entrypoints.desk.work import arranged, refused_of
from fairgate.entrypoints.desk.worker import serve
from fairgate.settings import CallSite, DoorSettings, Retention, Settings

TASK = msgspec.json.encode(Query("select 1", 10, "json", personal=False))


def replies(do: Callable[[Task, Callable[[str], None]], tuple[Done, bytes]]) -> tuple[list[dict[str, object]], bytes]:
    """The replies to a task, and the bytes behind the last."""
    pipe = io.BytesIO()
    serve(do, TASK, pipe)
    found, rest = [], pipe.getvalue()
    while rest.startswith(b'{"type"'):
        line, _, rest = rest.partition(b"\n")
        found.append(json.loads(line))
    return found, rest


def test_a_result_follows_its_line_and_progress_stands_before() -> None:
    def do(task: Task, told: Callable[[str], None]) -> tuple[Done, bytes]:
        assert isinstance(task, Query)
        told("at it")
        return Done(rows=3), b"a\nb"

    lines, body = replies(do)
    assert [line["type"] for line in lines] == ["told", "done"]
    assert (lines[1]["bytes"], lines[1]["rows"], body) == (3, 3, b"a\nb")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (QueryFailed("no such column"), 422, "bad_query"),
        (QueryTooLong("too long"), 422, "too_slow"),
        (QueryTooBig("too big"), 422, "too_big"),
        (MemoryError(), 422, "too_big"),
        (NothingToCompare(), 422, "not_done"),
        (LogUnavailable(Path("log"), "it is gone", "Look."), 503, "unavailable"),
        (LakeDamaged(Path("lake"), "it is broken", "Look."), 503, "unavailable"),
        (ZeroDivisionError("anna@example.com"), 500, "failed"),
    ],
)
def test_what_fails_is_told_in_words(error: Exception, status: int, code: str) -> None:
    def do(_task: Task, _told: Callable[[str], None]) -> tuple[Done, bytes]:
        raise error

    (line,), body = replies(do)
    assert (line["type"], line["status"], line["code"], body) == ("refused", status, code, b"")
    assert line["reason"]
    assert "anna" not in str(line["reason"])
    if isinstance(error, FairgateError | MemoryError):
        assert refused_of(error).reason == line["reason"]


def test_lines_come_whole_however_they_were_written() -> None:
    reader, writer = os.pipe()
    for piece in (b"on", b"e\ntwo\n", b"\n", b"th", b"ree\ncut short"):
        os.write(writer, piece)
    os.close(writer)
    assert list(lines_of(reader)) == [b"one", b"two", b"", b"three"]
    os.close(reader)


def test_settings_come_through_as_they_are() -> None:
    settings = Settings(
        pack="my pack",
        data=Path("some where"),
        door=DoorSettings(tls_cert=Path("a.pem"), tls_key=Path("b.pem")),
        call_site={"signup": CallSite(fail="hold")},
        retention={"api.request": Retention(days=30)},
    )
    line = settings_line(settings)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert settings_of_line(line) == settings


def test_plans_are_made_by_or_tools_where_that_is_installed_else_greedily(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Arrange([Work(0, 5.0, 1.0)], [Reviewer("ann", 10.0)], 0)
    plan = Plan({"ann": (0,)}, (), ())
    sent = msgspec.json.decode(msgspec.json.encode(task), type=Task)
    assert isinstance(sent, Arrange)
    assert arranged(sent) == Arranged("cp-sat", plan)
    monkeypatch.setitem(sys.modules, "fairgate.casework.solver", None)
    made = arranged(sent)
    assert (made.by, made.plan) == ("greedy", plan)
    assert "pip install" in made.why
