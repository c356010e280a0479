"""Who may see personal values now: those whose key has the scope, and who state why, for each time that they look."""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

#: The header of a request that says why, and the one of an answer that says whether they were shown.
REASON: Final = "fairgate-reason"
PERSONAL: Final = "fairgate-personal"
SHORTEST_REASON: Final = 3
LONGEST_REASON: Final = 300
_CASE: Final = re.compile(r"case ([1-9][0-9]{0,17})")

OpenCase = Callable[[int], bool]


class Sight(NamedTuple):
    """Whether personal values are shown, and what the answer tells of it: empty to who has no key that may.

    `why` is the reason that was stated, and `case` the number of the case where it was one.
    """

    shown: bool
    told: str
    why: str = ""
    case: int | None = None


def no_case(_number: int) -> bool:
    """Says that a case is not open, where there are none."""
    return False


def sight_of(*, may: bool, reason: bytes | None, open_case: OpenCase) -> Sight:
    """What a caller sees who may see personal values, or may not, and stated this reason: `case 12`, or in words."""
    if not may:
        return Sight(shown=False, told="")
    if reason is None:
        return Sight(shown=False, told="hidden; no reason")
    try:
        text = reason.decode().strip()
    except UnicodeDecodeError:
        text = ""
    if not (SHORTEST_REASON <= len(text) <= LONGEST_REASON and text.isprintable()):
        return Sight(shown=False, told="hidden; unfit reason")
    case = _CASE.fullmatch(text)
    if case is None:
        return Sight(shown=True, told="shown", why=text)
    if not open_case(int(case[1])):
        return Sight(shown=False, told="hidden; no such open case")
    return Sight(shown=True, told="shown", why=text, case=int(case[1]))
