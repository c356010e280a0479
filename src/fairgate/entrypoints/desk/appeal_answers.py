"""What the desk takes and gives about appeals, as its OpenAPI shows it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from fairgate.domain.appeal import AppealState
from fairgate.entrypoints.door.bodies import LONGEST_WHY

#: The largest number that SQL has.
LARGEST: Final = (1 << 63) - 1
_LONGEST_WORDS, _LONGEST_REF, _LONGEST_SPARE = 4_000, 300, 20


def _visible(text: str) -> str:
    """A text with something to be seen in it, and nothing that can't be."""
    if not text.strip() or not text.isprintable():
        raise ValueError("must be printable characters, and not only spaces")
    return text


def _readable(text: str) -> str:
    """Somebody's words, which may have lines."""
    if not text.strip():
        raise ValueError("must say something")
    if "\0" in text:
        raise ValueError("must not have a character of the number 0")
    return text


class AppealAsked(BaseModel):
    """An appeal that is to be filed for whoever an action is on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Annotated[int, Field(ge=0, le=LARGEST, description="The number of the action.", examples=[17])]
    words: Annotated[
        str,
        Field(min_length=1, max_length=_LONGEST_WORDS, description="What the appellant says.", examples=["It was me."]),
        AfterValidator(_readable),
    ]
    ref: Annotated[
        str,
        Field(
            min_length=1,
            max_length=_LONGEST_REF,
            description="Your own name for it: the same again under one name is filed once.",
            examples=["ticket-4711"],
        ),
        AfterValidator(_visible),
    ]


class DecisionAsked(BaseModel):
    """A decision on an appeal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    granted: Annotated[bool, Field(strict=True, description="Whether the action is to be undone.")]
    why: Annotated[
        str,
        Field(min_length=1, max_length=LONGEST_WHY, description="Why, for whoever looks later."),
        AfterValidator(_visible),
    ]
    spare: Annotated[
        str | None,
        Field(
            max_length=_LONGEST_SPARE,
            description="For how long rules then spare whom the action was on; only where it is granted.",
            examples=["30d"],
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class AppealDecided:
    """When, by whom and why an appeal was decided."""

    at: datetime
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class AppealAnswer:
    """An appeal. `kind` and `value` say whom the action is on; without `taken_by` it followed from a decision.

    `words` are told to keys with the scope `personal`.
    """

    number: int
    action: int
    kind: str
    value: str
    taken_by: str
    state: AppealState
    filed: datetime
    filed_by: str
    due: datetime
    overdue: bool
    words: str | None
    ref: str
    decided: AppealDecided | None


@dataclass(frozen=True, slots=True)
class AppealList:
    """Appeals, those that are due first at first. `next`, where there is more, is the `after` of the next page."""

    appeals: list[AppealAnswer]
    next: int | None
