"""Structured logs: what a line has, and that nobody's data is in it, whatever went wrong."""

import asyncio
import errno
import io
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fairgate.domain.errors import LogBroken
from fairgate.monitor.logs import REQUEST, JsonLines, configure

MAIL = "anna.secret@example.com"
_log = logging.getLogger("fairgate.somewhere")

Written = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave logging and the hooks as they were found."""
    root = logging.getLogger()
    found = root.handlers[:], root.level, sys.excepthook, threading.excepthook, sys.unraisablehook
    yield
    root.handlers[:], level, sys.excepthook, threading.excepthook, sys.unraisablehook = found
    root.setLevel(level)


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def written(stream: io.StringIO) -> Written:
    """What has been logged as JSON lines, in which the address is nowhere."""
    configure("info", json=True, stream=stream)

    def lines() -> list[dict[str, Any]]:
        text = stream.getvalue()
        assert "anna" not in text
        assert "secret" not in text
        return [json.loads(line) for line in text.splitlines()]

    return lines


def fail(value: str) -> None:
    raise ValueError(f"{value} is no number")


def fill_the_disk(path: str) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", path)


def fail_of(cause: BaseException) -> None:
    raise RuntimeError(MAIL) from cause


def test_a_line_has_time_level_logger_message_and_declared_fields(written: Written) -> None:
    _log.warning("the queue is full", extra={"route": "/v1/decide", "events": 20_000, "seconds": 0.5})
    [line] = written()
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "fairgate.somewhere",
        "message": "the queue is full",
        "route": "/v1/decide",
        "events": 20_000,
        "seconds": 0.5,
    }


def test_what_is_below_the_level_is_not_written(written: Written) -> None:
    _log.debug("too much")
    assert written() == []


def test_a_line_names_the_request_that_is_being_answered(written: Written) -> None:
    token = REQUEST.set("7f-12")
    _log.info("in a request")
    REQUEST.reset(token)
    _log.info("in none")
    assert [line.get("request") for line in written()] == ["7f-12", None]


@pytest.mark.parametrize(
    ("extra", "shown"),
    [
        ({"email": MAIL, "data": {"email": MAIL}}, {}),
        ({"route": MAIL}, {"route": "..."}),
        ({"code": {"email": MAIL}}, {"code": "..."}),
        ({"key": f"two words {MAIL}"}, {"key": "..."}),
        ({"code": f"late\n{MAIL}"}, {"code": "..."}),
        ({"attempt": True, "code": "late"}, {"attempt": True, "code": "late"}),
    ],
)
def test_only_declared_fields_pass_and_only_as_numbers_and_words(
    written: Written, extra: dict[str, object], shown: dict[str, object]
) -> None:
    _log.info("something", extra=extra)
    [line] = written()
    assert {name: line[name] for name in line.keys() - {"time", "level", "logger", "message"}} == shown


@pytest.mark.parametrize(
    ("message", "args", "shown"),
    [
        ("%d of %d events", (3, 5), "3 of 5 events"),
        ("%s waits for %.1f s", (MAIL, 1.25), "... waits for 1.2 s"),
        ("%r and %s", (MAIL, None), "'...' and ..."),
        ("%d events", (MAIL,), "%d events"),
        ("%(mail)s is bad", ({"mail": MAIL},), "%(mail)s is bad"),
        ("Task exception was never retrieved\nfuture: %s", (MAIL,), "Task exception was never retrieved"),
        ("100 % done", (), "100 % done"),
        (ValueError(MAIL), (), "ValueError"),
    ],
)
def test_only_numbers_are_filled_into_a_message(message: object, args: tuple[object, ...], shown: str) -> None:
    record = logging.LogRecord("somewhere", logging.ERROR, __file__, 1, message, args, None)
    assert json.loads(JsonLines().format(record))["message"] == shown


def test_an_error_is_told_by_kind_and_place_alone(written: Written) -> None:
    try:
        fail(MAIL)
    except ValueError:
        _log.exception("a request failed")
    [line] = written()
    [error] = line["errors"]
    assert error["kind"] == "builtins.ValueError"
    assert error.keys() == {"kind", "at"}
    assert [place.rpartition(" in ")[2] for place in error["at"]] == [
        "test_an_error_is_told_by_kind_and_place_alone",
        "fail",
    ]
    assert error["at"][1].startswith(f"{__file__}:")


def test_fairgates_own_errors_keep_their_words_and_the_systems_their_codes(written: Written) -> None:
    try:
        try:
            fill_the_disk(f"/data/{MAIL}")
        except OSError as error:
            raise LogBroken(Path("/data/log"), "the disk is full", "Make room.") from error
    except LogBroken:
        _log.exception("the door has stopped")
    [line] = written()
    broken, full = line["errors"]
    assert broken["kind"] == "fairgate.domain.errors.LogBroken"
    assert broken["words"].endswith("/data/log: the disk is full. Make room.")
    assert (full["kind"], full["words"]) == ("builtins.OSError", "ENOSPC")


def test_what_an_error_came_of_is_told_too_and_ends(written: Written) -> None:
    first = ValueError(MAIL)
    group = ExceptionGroup(MAIL, [KeyError(MAIL), first])
    first.__context__ = group  # a circle
    try:
        fail_of(group)
    except RuntimeError:
        _log.exception("several")
    [line] = written()
    kinds = [error["kind"] for error in line["errors"]]
    assert kinds == [f"builtins.{name}" for name in ("RuntimeError", "ExceptionGroup", "KeyError", "ValueError")]


def test_errors_that_nobody_catches_are_logged_wherever_they_come_from(written: Written) -> None:
    thread = threading.Thread(target=fail, args=(MAIL,))
    thread.start()
    thread.join()
    quiet = threading.Thread(target=sys.exit)
    quiet.start()
    quiet.join()
    try:
        fail(MAIL)
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)

    class Broken:
        def __del__(self) -> None:
            fail(MAIL)

    Broken()
    words = ["an error ended a thread", "an error ended the process", "an error could not be raised"]
    assert [line["message"] for line in written()] == words


def test_what_asyncio_says_of_a_lost_error_does_not_repeat_it(written: Written) -> None:
    async def main() -> None:
        async def lost() -> None:
            fail(MAIL)

        task = asyncio.create_task(lost())
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_exception_handler(
            {"message": "it was lost", "exception": task.exception(), "task": task}
        )

    asyncio.run(main())
    [line] = written()
    assert line["message"] == "it was lost"


def test_what_can_t_be_logged_is_told_without_its_values(
    written: Written, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, stream: io.StringIO
) -> None:
    def broken(_text: str) -> int:
        raise OSError(MAIL)

    monkeypatch.setattr(stream, "write", broken)
    monkeypatch.setattr(sys, "__stderr__", sys.stderr)
    _log.info("lost: %s", MAIL, extra={"route": "/v1/decide"})
    told = capsys.readouterr().err
    assert told.startswith("a line of fairgate.somewhere, line ")
    assert told.endswith("could not be logged: OSError\n")
    assert written() == []


def test_plain_lines_say_the_same(stream: io.StringIO) -> None:
    configure("warning", json=False, stream=stream)
    _log.info("too much")
    _log.warning("the queue is full", extra={"events": 3, "email": MAIL})
    token = REQUEST.set("7f-12")
    try:
        fail(MAIL)
    except ValueError:
        _log.exception("a request failed")
    REQUEST.reset(token)
    first, second, kind, *places = stream.getvalue().splitlines()
    assert first.endswith("Z WARNING the queue is full events=3")
    assert second.endswith("Z ERROR a request failed request=7f-12")
    assert kind == "  builtins.ValueError"
    assert [place.rpartition(" in ")[2] for place in places] == ["test_plain_lines_say_the_same", "fail"]
    assert "anna" not in stream.getvalue()
