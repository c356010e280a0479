"""Structured logs on stderr, one line each, without personal data.

What a line may hold is decided here, not where it is written: the message's fixed words with numbers filled in, the
fields that are declared below, and of an error its kind and places. Texts that were filled into a message, other fields
and the words of errors that aren't Fairgate's own may repeat what somebody sent, so none of them is shown.
"""

import errno
import logging
import re
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from types import TracebackType
from typing import Final, TextIO

import msgspec

from fairgate.domain.errors import FairgateError
from fairgate.domain.event import moment

#: The request that is being answered, shown in every line written meanwhile. The door makes it up; callers can't.
REQUEST: ContextVar[str] = ContextVar("request", default="")

#: The fields that `extra=` may give, beside those that every line has. Values are numbers or single words.
FIELDS: Final = (
    *("attempt", "bytes", "call_site", "code", "events", "host", "key", "milliseconds", "pack", "port", "query"),
    *("receiver", "receivers", "route", "rule", "seconds", "sequence", "status"),
)

_WORD = re.compile(r"[A-Za-z0-9_./:{}-]{1,80}")
_HIDDEN = "..."
_MOST_FRAMES = 40
_MOST_ERRORS = 8
_log = logging.getLogger(__name__)


class _Error(msgspec.Struct, omit_defaults=True):
    """An error, or one that it came of. `words` only where they are Fairgate's own or the operating system's."""

    kind: str
    words: str = ""
    at: list[str] = []


class _Line(msgspec.Struct, omit_defaults=True):
    """What every line has, before its fields."""

    time: str
    level: str
    logger: str
    message: str
    request: str = ""
    errors: list[_Error] = []


def configure(level: str, *, json: bool, stream: TextIO | None = None) -> None:
    """Send what is logged from `level` on to stderr (or `stream`), as JSON lines or plain, in place of what was set.

    Errors that nobody catches, in any thread, are logged in the same way instead of being printed.
    """
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if json else PlainLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time, level, logger, message, request, errors, and declared fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        return msgspec.json.encode(msgspec.to_builtins(_line(record)) | _fields(record)).decode()


class PlainLines(logging.Formatter):
    """A record for people: the same contents; an error's places stand in lines of their own."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line = _line(record)
        fields = ({"request": line.request} if line.request else {}) | _fields(record)
        shown = (f"{name}={value}" for name, value in fields.items())
        first = " ".join([line.time, line.level.upper(), line.message, *shown])
        errors = [
            f"  {error.kind}: {error.words}".rstrip(": ") + "".join(f"\n    {at}" for at in error.at)
            for error in line.errors
        ]
        return "\n".join([first, *errors])


def _line(record: logging.LogRecord) -> _Line:
    time = moment(int(record.created * 1_000_000)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    error = record.exc_info[1] if record.exc_info else None
    return _Line(
        time=time,
        level=record.levelname.lower(),
        logger=record.name,
        message=_message(record),
        request=REQUEST.get(),
        errors=[_error(each) for each in _chain(error)],
    )


def _message(record: logging.LogRecord) -> str:
    """The fixed words; only numbers are filled in. What libraries append in further lines may be anything: left out."""
    if not isinstance(record.msg, str):
        return type(record.msg).__name__
    words = record.msg.partition("\n")[0]
    if not record.args:
        return words
    args = record.args if isinstance(record.args, tuple) else (_HIDDEN,)
    try:
        return words % tuple(each if isinstance(each, int | float) else _HIDDEN for each in args)
    except (TypeError, ValueError):  # a text that was to be a number
        return words


def _fields(record: logging.LogRecord) -> dict[str, str | int | float]:
    given = {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
    return {name: value if _harmless(value) else _HIDDEN for name, value in given.items()}


def _harmless(value: object) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and _WORD.fullmatch(value) is not None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what it came of, and what it is made of."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < _MOST_ERRORS:
        each = waiting.pop(0)
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting.append(each.__cause__ or (None if each.__suppress_context__ else each.__context__))
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions


def _error(error: BaseException) -> _Error:
    words = ""
    if isinstance(error, FairgateError):
        words = str(error)
    elif isinstance(error, OSError) and error.errno is not None:
        words = errno.errorcode.get(error.errno, str(error.errno))
    return _Error(f"{type(error).__module__}.{type(error).__qualname__}", words, _places(error.__traceback__))


def _places(traceback: TracebackType | None) -> list[str]:
    """Where the error passed, outermost first; neither source nor values."""
    places = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        places.append(f"{code.co_filename}:{traceback.tb_lineno} in {code.co_qualname}")
        traceback = traceback.tb_next
    return places[-_MOST_FRAMES:]


class _Handler(logging.StreamHandler[TextIO]):
    """Writes lines. What can't be written is not shown, as the standard handler would show it: with all its values."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name that logging calls
        """Say where the line came from that could not be written."""
        kind = type(sys.exc_info()[1]).__name__
        print(f"a line of {record.name}, line {record.lineno}, could not be logged: {kind}", file=sys.__stderr__)


def _uncaught(_kind: type[BaseException], error: BaseException, _traceback: TracebackType | None) -> None:
    _log.critical("an error ended the process", exc_info=error)


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:  # a thread's way to end, to the standard hook too
        _log.critical("an error ended a thread", exc_info=args.exc_value)


def _unraisable(args: "sys.UnraisableHookArgs") -> None:
    _log.error("an error could not be raised", exc_info=args.exc_value)
