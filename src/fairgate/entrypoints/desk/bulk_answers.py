"""What the desk takes and gives about bulk actions, as its OpenAPI shows it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from fairgate.domain.bulk import MOST_ACCOUNTS, BulkState
from fairgate.entrypoints.desk.answers import QueryText
from fairgate.entrypoints.door.actions import LONGEST_NAMED, MOST_NAMED
from fairgate.entrypoints.door.bodies import LONGEST_WHY

#: The number of the batch is put before it where it is told to the door.
_LONGEST_UNDO_WHY: Final = LONGEST_WHY - 40
_LONGEST_WORD, _LONGEST_TYPED = 20, 100


def _visible(text: str) -> str:
    """A text with something to be seen in it, and nothing that can't be."""
    if not text.strip() or not text.isprintable():
        raise ValueError("must be printable characters, and not only spaces")
    return text


_Named = Annotated[str, Field(min_length=1, max_length=LONGEST_NAMED), AfterValidator(_visible)]
_Why = Annotated[
    str,
    Field(min_length=1, max_length=_LONGEST_UNDO_WHY, description="Why, for whoever looks later."),
    AfterValidator(_visible),
]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class BulkAsked(_Asked):
    """A bulk action that is to be drafted, on what a query gives or on accounts that are named."""

    query: Annotated[QueryText | None, Field(description="One SELECT that gives one column, `account`.")] = None
    accounts: Annotated[
        list[Annotated[str, StringConstraints(strict=True)]] | None,
        Field(min_length=1, max_length=MOST_ACCOUNTS, description="The accounts, instead of a query."),
    ] = None
    action: Annotated[str, Field(max_length=_LONGEST_WORD, description="From `watch` to `ban`.", examples=["suspend"])]
    length: Annotated[
        str | None,
        Field(alias="for", max_length=_LONGEST_WORD, description="For how long (default: as the pack says)."),
    ] = None
    reasons: Annotated[list[_Named], Field(max_length=MOST_NAMED, description="Codes of the pack.")] = []
    evidence: Annotated[list[_Named], Field(max_length=MOST_NAMED, description="What speaks for it.")] = []
    why: _Why
    ref: Annotated[_Named, Field(description="Your own name for it: the same again is drafted once.")]

    @model_validator(mode="after")
    def _one_of_both(self) -> "BulkAsked":
        if (self.query is None) == (self.accounts is None):
            raise ValueError("must have either a query or accounts")
        return self


class ConfirmAsked(_Asked):
    """What is typed to confirm a draft: its `phrase`."""

    typed: Annotated[str, Field(max_length=_LONGEST_TYPED, examples=["suspend 1,204 accounts"])]


class WhyAsked(_Asked):
    """Why it is rejected, cancelled or undone."""

    why: _Why


@dataclass(frozen=True, slots=True)
class MoneyShown:
    """How many of the accounts paid in 90 days, what all paid in 30 and 90, and the most of one in 90."""

    paying: int
    days_30: float
    days_90: float
    largest: float


@dataclass(frozen=True, slots=True)
class AgesShown:
    """Days since accounts began: the newest, the quartiles, the oldest."""

    newest: float
    lower: float
    median: float
    upper: float
    oldest: float


@dataclass(frozen=True, slots=True)
class EvidenceShown:
    """Of how many accounts no decision of the last days was against them, of how many with one group of rules alone.

    `weakest` are those with the fewest groups and the least log-odds.
    """

    days: int
    none: int
    share_none: float
    one_group: int
    weakest: list[str]


@dataclass(frozen=True, slots=True)
class SampledShown:
    """An account of the random sample. `decision` is the id of the last decision against it, from `source`."""

    account: str
    groups: int
    log_odds: float | None
    source: str | None
    decision: str | None


@dataclass(frozen=True, slots=True)
class PreviewShown:
    """What it would do. `skipped` are left out, by reason; `money` or `ages` are null where nobody knows them.

    Then `unknown` says so in words. The sample was drawn with `seed`.
    """

    accounts: int
    skipped: dict[str, int]
    loses: str
    money: MoneyShown | None
    ages: AgesShown | None
    ages_unknown: int
    unknown: list[str]
    evidence: EvidenceShown
    seed: int
    sample: list[SampledShown]


@dataclass(frozen=True, slots=True)
class HappeningShown:
    """One step of its history."""

    at: datetime
    by: str
    state: BulkState
    why: str


@dataclass(frozen=True, slots=True)
class ProgressShown:
    """How far it is: `left` to act on, `taken`, `refused` by reason; of an undo, how many by what it met.

    Those are `undone`, `undone_before` by somebody else, `ended` by themselves, or `gone` from the door long ago.
    """

    left: int
    taken: int
    refused: dict[str, int]
    met: dict[str, int]


@dataclass(frozen=True, slots=True)
class BulkBrief:
    """A bulk action in a list."""

    number: int
    state: BulkState
    action: str
    accounts: int
    drafted: datetime
    drafted_by: str
    why: str


@dataclass(frozen=True, slots=True)
class BulkAnswer:
    """A bulk action. `phrase` is what is to be typed to confirm it; `second` says that somebody else must approve it.

    Its actions at the door have the `batch`, a slash and the account as their `ref`.
    """

    number: int
    state: BulkState
    action: str
    length: str | None
    reasons: list[str]
    evidence: list[str]
    why: str
    ref: str
    batch: str
    query: str | None
    drafted: datetime
    drafted_by: str
    expires: datetime
    phrase: str
    second: bool
    confirmed_by: str
    problem: str
    preview: PreviewShown
    progress: ProgressShown
    history: list[HappeningShown]


@dataclass(frozen=True, slots=True)
class BulkList:
    """Bulk actions, the newest first. `next`, where there is more, is the `before` of the next page."""

    bulks: list[BulkBrief]
    next: int | None
