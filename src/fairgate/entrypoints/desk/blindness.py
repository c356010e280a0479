"""Who may see all of a case: not whoever was given it to look at without knowing what others said."""

from typing import Annotated, NamedTuple, TypeAlias

from fastapi import Depends, Path

from fairgate.domain.access import Granted, Scope
from fairgate.entrypoints.desk.appeal_answers import LARGEST
from fairgate.entrypoints.desk.office import Desk, needs
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.second_looks import Given

Reviewer = Annotated[Granted, Depends(needs(Scope.REVIEW))]
Number = Annotated[int, Path(ge=0, le=LARGEST)]


async def _blind(number: Number, desk: Desk, granted: Reviewer) -> Given | None:
    """The look at this case that they were given and have not done; None for who sees all of it."""
    return await desk.second_looks.at(number, granted)


Blind: TypeAlias = Annotated[Given | None, Depends(_blind)]


class Judge(NamedTuple):
    """Who is about to judge a case, and their look at it where they are blind to what others said."""

    granted: Granted
    given: Given | None


async def _judge(granted: Reviewer, blind: Blind) -> Judge:
    """Lets in who may review."""
    return Judge(granted, blind)


Judges: TypeAlias = Annotated[Judge, Depends(_judge)]


async def _sighted(granted: Reviewer, blind: Blind) -> Granted:
    """Lets in who sees all of the case."""
    if blind is not None:
        what = "you look at this case without knowing what others said: say what you find, or give it back"
        raise Refusal(409, "blind", what)
    return granted


#: Somebody who may review, and sees all of the case.
Sighted = Annotated[Granted, Depends(_sighted)]
