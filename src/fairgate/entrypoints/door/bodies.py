"""What the handlers of changes have in common: bodies that fit, reasons that say something, refusals that are told."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TypeAlias, TypeVar

import msgspec

from fairgate.domain.errors import (
    BadEntity,
    BadEntry,
    BadLabel,
    KeysUnusable,
    LogBroken,
    NoSuchEntityKind,
    NoSuchEntry,
    NoSuchList,
    PipelineStopped,
    RefTaken,
)
from fairgate.entrypoints.door.door import Door
from fairgate.entrypoints.door.http import Request, Response, problem
from fairgate.entrypoints.door.reads import no_kind, no_list

LONGEST_WHY = 1_000
#: Bytes of the body of a change.
LARGEST_CHANGE = 16 * 1024
#: Who changes something where the door asks for no key.
ANYONE = "anyone on this machine"
_Body = TypeVar("_Body")
Handler: TypeAlias = Callable[[Door, Request], Awaitable[Response]]


class Unfit(Exception):
    """Ends the handling of a request that can't be done; `response` says why."""

    def __init__(self, status: int, code: str, reason: str, field: str = "") -> None:
        super().__init__(code)
        self.reason, self.field = reason, field
        self.response = problem(status, code, reason, field)


def answering(handler: Handler) -> Handler:
    """A handler that answers what it raises; a disk that fails is for the door to tell and to repair."""

    @wraps(handler)
    async def answer(door: Door, request: Request) -> Response:
        try:
            return await handler(door, request)
        except Unfit as unfit:
            return unfit.response
        except NoSuchList as error:
            return no_list(error)
        except NoSuchEntityKind as error:
            return no_kind(error)
        except (BadEntry, BadEntity) as error:
            return problem(422, "invalid", f"the value {error.reason}", "value")
        except NoSuchEntry as error:
            return problem(404, "no_action", str(error), "number")
        except RefTaken as error:
            return problem(409, "ref_taken", str(error), "ref")
        except BadLabel as error:
            return problem(422, "bad_label", error.reason, error.field)
        except (LogBroken, KeysUnusable) as error:
            raise PipelineStopped from error

    return answer


def decoded(body: bytes, shape: type[_Body]) -> _Body:
    """A body in its shape. Raises `Unfit`."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise Unfit(422, "mistyped", f"the body does not fit: {str(error)[:1].lower()}{str(error)[1:]}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unfit(400, "malformed", "the body is not JSON") from error


def said(why: str) -> str:
    """A reason that says something. Raises `Unfit`."""
    if not why.strip() or len(why) > LONGEST_WHY or not why.isprintable():
        raise Unfit(422, "no_reason", f"say why, in at most {LONGEST_WHY:,} printable characters", "why")
    return why
