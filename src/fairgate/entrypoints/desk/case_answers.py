"""What the desk takes and gives about cases, as its OpenAPI shows it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from fairgate.casework.handling import MOST_ACCOUNTS
from fairgate.domain.action import Action
from fairgate.domain.case import MOST_KEPT, CaseState, Outcome
from fairgate.domain.worth import Stake
from fairgate.entrypoints.desk.answers import QueryText
from fairgate.entrypoints.desk.appeal_answers import LARGEST
from fairgate.entrypoints.desk.look_answers import GoldAnswer, LookAnswer
from fairgate.entrypoints.door.actions import LONGEST_NAMED, MOST_NAMED
from fairgate.entrypoints.door.bodies import LONGEST_WHY
from fairgate.ingest.wire import LONGEST_IDENTIFIER

#: Accounts that are taken from one query, and the longest text of one, which each case keeps.
MOST_GATHERED, LONGEST_QUERY = 10_000, 10_000
_LONGEST_REF, _LONGEST_LENGTH, _LONGEST_NOTE = 300, 20, 4_000
_MOST_DOLLARS, _MOST_HOURS, _MOST_MINUTES = 1e9, 8_760.0, 10_000.0


def visible(text: str) -> str:
    """A text with something to be seen in it, and nothing that can't be."""
    if not text.strip() or not text.isprintable():
        raise ValueError("must be printable characters, and not only spaces")
    return text


def _readable(text: str) -> str:
    if not text.strip() or not all(line.isprintable() for line in text.split("\n")):
        raise ValueError("must say something, in lines of printable characters")
    return text


def _once(texts: list[str]) -> list[str]:
    if len(set(texts)) < len(texts):
        raise ValueError("must not have the same twice")
    return texts


Account = Annotated[str, Field(min_length=1, max_length=LONGEST_IDENTIFIER), AfterValidator(visible)]
Accounts = Annotated[list[Account], Field(min_length=1, max_length=MOST_ACCOUNTS), AfterValidator(_once)]
Why = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST_WHY, description="Why, for whoever looks later."),
    AfterValidator(visible),
]
Ref = Annotated[
    str,
    Field(
        min_length=1,
        max_length=_LONGEST_REF,
        description="Your own name for it: the same again under one name is opened once.",
        examples=["abuse-report-17"],
    ),
    AfterValidator(visible),
]
Length = Annotated[str, Field(max_length=_LONGEST_LENGTH, examples=["4h"])]
Dollars = Annotated[float, Field(ge=0, le=_MOST_DOLLARS, allow_inf_nan=False)]
ActionWord = Literal["watch", "throttle", "challenge", "hold", "suspend", "ban"]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Staked(_Asked):
    """What is at stake in a case that somebody opens, as far as they know."""

    probability: Annotated[float, Field(ge=0, le=1, description="That they are bad, as far as you know.")] = 0.5
    burn: Annotated[Dollars, Field(description="Dollars of compute an hour that they use up.")] = 0.0
    hours: Annotated[
        float, Field(gt=0, le=_MOST_HOURS, description="For how long that would go on, until somebody noticed.")
    ] = 24.0
    at_risk: Annotated[Dollars, Field(description="Dollars that are lost beside that, such as unpaid bills.")] = 0.0
    worth: Annotated[Dollars, Field(description="Dollars that they are worth where they are honest.")] = 100.0
    minutes: Annotated[float, Field(gt=0, le=_MOST_MINUTES, description="Minutes that a review takes.")] = 5.0

    def stake(self, now: int) -> Stake:
        """What is at stake, as of now."""
        return Stake(
            probability=self.probability,
            burn=self.burn,
            hours=self.hours,
            at_risk=self.at_risk,
            worth=self.worth,
            stands=Action.ALLOW,
            minutes=self.minutes,
            at=now,
        )


class CaseAsked(_Staked):
    """A case that somebody opens."""

    accounts: Annotated[Accounts, Field(description="Whom it is about, as one actor.", examples=[["acct_1", "acct_2"]])]
    why: Why
    ref: Ref
    events: Annotated[
        list[Annotated[int, Field(ge=0, le=LARGEST)]],
        Field(max_length=MOST_KEPT, description="Numbers of events that speak for it, in the log."),
    ] = []


class GatherAsked(_Staked):
    """Accounts that a query gives, or that are named, are to become a case. What is at stake is that of each case."""

    query: Annotated[
        QueryText | None,
        Field(
            max_length=LONGEST_QUERY,
            description="One SELECT that gives a column `account`; of a column `sequence` it also takes the events.",
            examples=["SELECT account, sequence FROM decisions WHERE action = 'hold'"],
        ),
    ] = None
    accounts: Annotated[
        list[Account] | None, Field(min_length=1, max_length=MOST_GATHERED, description="Accounts, instead of a query.")
    ] = None
    why: Why
    ref: Ref
    apart: Annotated[
        bool, Field(strict=True, description="Whether each account gets a case of its own, instead of one for all.")
    ] = False
    preview: Annotated[bool, Field(strict=True, description="Whether to say what would be opened, and open none.")] = (
        False
    )

    @model_validator(mode="after")
    def one_of_both(self) -> Self:
        """Check what a type can't say."""
        if (self.query is None) == (self.accounts is None):
            raise ValueError("must have either a query or accounts")
        return self


class NoteAsked(_Asked):
    """Something to be written down about a case."""

    text: Annotated[
        str, Field(min_length=1, max_length=_LONGEST_NOTE, description="What is noted."), AfterValidator(_readable)
    ]


class WhyAsked(_Asked):
    """Something is to be done to a case, and why."""

    why: Why


class SnoozeAsked(_Asked):
    """A case is to sleep."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    length: Annotated[Length, Field(alias="for", description="For how long, at most 30d.", examples=["4h"])]
    why: Why


class MergeAsked(_Asked):
    """Another case is about the same actor: it is to be merged into this one."""

    other: Annotated[int, Field(ge=0, le=LARGEST, description="The number of the other case.", examples=[18])]
    other_version: Annotated[int, Field(ge=1, le=LARGEST, description="The version of it that you saw.", examples=[1])]
    why: Why


class SplitAsked(_Asked):
    """Some accounts of a case are another actor's: they are to be a case of their own."""

    accounts: Annotated[Accounts, Field(description="Those that go: some of the case, not all.", examples=[["acct_2"]])]
    why: Why


class StagedAction(_Asked):
    """An action that is taken when the case is decided."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    action: Annotated[ActionWord, Field(description="What is done.", examples=["suspend"])]
    length: Annotated[
        Length | None, Field(alias="for", description="For how long; without it, what the pack says.", examples=["30d"])
    ] = None
    accounts: Annotated[Accounts | None, Field(description="On whom; without it, on all accounts of the case.")] = None


class VerdictAsked(_Asked):
    """How a case is judged, and what is to be done about it."""

    outcome: Annotated[Outcome, Field(description="What you found out about whoever is behind the accounts.")]
    why: Why
    confidence: Annotated[float, Field(gt=0, le=1, description="How sure you are.")] = 0.9
    reasons: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=LONGEST_NAMED), AfterValidator(visible)]],
        Field(max_length=MOST_NAMED, description="Codes of the pack's reasons; without them, those of the case."),
    ] = []
    actions: Annotated[
        list[StagedAction], Field(max_length=MOST_NAMED, description="What is done, where the outcome is bad.")
    ] = []
    undo: Annotated[
        bool,
        Field(strict=True, description="Whether what rules did to the accounts is undone, where they are benign."),
    ] = False
    spare: Annotated[
        Length | None, Field(description="For how long rules then spare them; only with `undo`.", examples=["30d"])
    ] = None

    @model_validator(mode="after")
    def fits(self) -> Self:
        """Check what a type can't say."""
        if self.actions and self.outcome != Outcome.BAD:
            raise ValueError("actions are taken where the outcome is bad")
        if self.undo and self.outcome != Outcome.BENIGN:
            raise ValueError("what rules did is undone where the outcome is benign")
        if self.spare is not None and not self.undo:
            raise ValueError("nobody is spared where nothing is undone")
        named = [account for each in self.actions for account in each.accounts or ()]
        if len(set(named)) < len(named) or (len(self.actions) > 1 and any(not each.accounts for each in self.actions)):
            raise ValueError("one action for each account: name the accounts of each")
        return self


class GoldAsked(_Asked):
    """The truth of a decided case is known."""

    truth: Annotated[Literal["bad", "benign"], Field(description="Who is behind its accounts.", examples=["benign"])]
    why: Why


@dataclass(frozen=True, slots=True)
class VerdictAnswer:
    """How a case was judged. `action` is the gravest that was decided on; `allow`: none."""

    outcome: Outcome
    action: str
    reasons: list[str]
    confidence: float
    at: datetime
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class CaseAnswer:
    """A case. Without `opened_by` a decision opened it.

    `value` is what a minute of review saves now, in dollars, `burn` what the accounts use up in an hour. `events` are
    numbers of records in the log, the newest first. `query` is the SQL that gave the accounts, where one did. Give
    `version` in `If-Match` with what you do to it.

    With `blind` you are to judge it by the evidence alone, to show how good reviews are: what it is worth, what was
    suggested, when and by whom it was opened, and whatever others did or said are not there.
    """

    number: int
    version: int
    state: CaseState
    accounts: list[str]
    opened: datetime | None
    opened_by: str
    why: str
    ref: str
    probability: float | None
    burn: float | None
    value: float | None
    minutes: float
    suggested: str | None
    reasons: list[str]
    evidence: list[str]
    events: list[int]
    claimed_by: str | None
    claimed_until: datetime | None
    snoozed_until: datetime | None
    escalated: bool
    merged_into: int | None
    split_from: int | None
    query: str
    verdict: VerdictAnswer | None
    blind: bool = False


@dataclass(frozen=True, slots=True)
class HappeningAnswer:
    """What somebody did to a case; without `by` a decision did."""

    at: datetime
    by: str
    what: str
    said: str


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case with what happened to it, in order. `looks`, and `gold`: whether it is a gold one, are for who leads."""

    case: CaseAnswer
    history: list[HappeningAnswer]
    looks: list[LookAnswer] | None = None
    gold: GoldAnswer | None = None


@dataclass(frozen=True, slots=True)
class CaseList:
    """Cases, by number. `next`, where there is more, is the `after` of the next page."""

    cases: list[CaseAnswer]
    next: int | None


@dataclass(frozen=True, slots=True)
class QueueAnswer:
    """Cases that wait, in the order in which they are worth looking at; of how many `open` ones, how many `ready`.

    `minutes` is how long the open ones take.
    """

    cases: list[CaseAnswer]
    open: int
    ready: int
    minutes: float


@dataclass(frozen=True, slots=True)
class CaseSplit:
    """A case with the accounts that stay, and the one that was `made` of those that went."""

    case: CaseAnswer
    made: CaseAnswer


@dataclass(frozen=True, slots=True)
class CasesGathered:
    """What became of a query's accounts, or would: so many are in these `cases`, of which `opened` are new.

    `skipped` says by reason how many were left out: `null`, `duplicate`, `unfit`. `there` have an open case already,
    and stay in it: the first hundred of these are `there_cases`.
    """

    preview: bool
    accounts: int
    opened: int
    cases: list[int]
    skipped: dict[str, int]
    there: int
    there_cases: list[int]


@dataclass(frozen=True, slots=True)
class CaseDecided:
    """A case that was decided, and what was done: the numbers of the actions taken, how many were undone and labelled.

    `unlabelled` are accounts of which no event is known that a label could speak of. With `held` a hold that ends by
    itself stands in the place of what is grave, until somebody else has looked.
    """

    case: CaseAnswer
    actions: list[int]
    undone: int
    labels: int
    unlabelled: list[str]
    held: bool = False
