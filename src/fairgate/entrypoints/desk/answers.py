"""What the desk takes and gives, as its OpenAPI shows it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from fairgate.entrypoints.dead_message import DeadMessage
from fairgate.entrypoints.desk.jobs import Job
from fairgate.entrypoints.desk.tasks import Format
from fairgate.pipeline.backtest import Report

_MOST_QUERY = 100_000

QueryText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=_MOST_QUERY,
        description="One SELECT over the lake's views.",
        examples=["select action, count(*) as events from decisions group by action order by events desc"],
    ),
]
#: A pack: the name of a folder, or its files' texts.
PackAsked = Annotated[
    str | dict[str, str],
    Field(
        description="The name of a pack, of the folder `desk.packs` or one that ships; or its files, name to text.",
        examples=["ai_api"],
    ),
]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SqlAsked(_Asked):
    """A query."""

    query: QueryText
    limit: Annotated[
        int | None,
        Field(ge=1, description="Rows at most; never more than the setting `desk.sql_rows`.", examples=[100]),
    ] = None
    format: Annotated[Format, Field(description="What the rows come as.")] = "json"


class BacktestAsked(_Asked):
    """Two packs to be compared on what the log holds."""

    new: PackAsked
    old: Annotated[PackAsked | None, Field(description="The pack to compare with; the live one without.")] = None
    rule: Annotated[str | None, Field(description="Report this rule alone.", examples=["throwaway_burst"])] = None
    days: Annotated[float | None, Field(gt=0, description="Only the last so many days.", examples=[30])] = None


class ExportAsked(_Asked):
    """A query whose rows are to be written to a file."""

    query: QueryText
    format: Annotated[Format, Field(description="What the file is.")] = "parquet"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an answer: its name, and its type in SQL."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class SqlAnswer:
    """A query's rows. `truncated` says that there are more; `seconds` is how long the query ran.

    `left_out` of the latest records are not known to it, because the lake is far behind.
    """

    columns: list[Column]
    rows: list[list[Any]]
    truncated: bool
    left_out: int
    seconds: float


@dataclass(frozen=True, slots=True)
class JobAnswer:
    """A job, and the report of a backtest that is done."""

    job: Job
    result: Report | None


@dataclass(frozen=True, slots=True)
class JobList:
    """All jobs of late, the newest first."""

    jobs: list[Job]


@dataclass(frozen=True, slots=True)
class WebhookBacklog:
    """How it stands with a service that is told of actions: messages that wait, and those that were put aside.

    `oldest` is when the oldest that waits was made. Without `configured` the settings don't have the service any more,
    and nothing is sent to it.
    """

    receiver: str
    configured: bool
    waiting: int
    oldest: datetime | None
    dead: int


@dataclass(frozen=True, slots=True)
class WebhookList:
    """Every service that is told of actions, or that messages are left for, by name."""

    webhooks: list[WebhookBacklog]


@dataclass(frozen=True, slots=True)
class DeadList:
    """Messages that were put aside, by number. `next`, where there is more, is the `after` of the next page."""

    dead: list[DeadMessage]
    next: int | None


@dataclass(frozen=True, slots=True)
class SentAgain:
    """The message that had this number will be sent again, behind all that waits, under a new number and its old id."""

    number: int


@dataclass(frozen=True, slots=True)
class UndoneAction:
    """When, by whom and why an action was undone."""

    at: datetime
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class PastAction:
    """An action, as the door shows it. Without `until` it has no end; without `by` it followed from a decision."""

    number: int
    kind: str
    value: str
    action: str
    stands: bool
    since: datetime
    until: datetime | None
    reasons: list[str]
    evidence: list[str]
    pack: str
    by: str = ""
    why: str = ""
    ref: str = ""
    undone: UndoneAction | None = None


@dataclass(frozen=True, slots=True)
class ActionHistory:
    """What was done to an account, the newest first. `next`, where there is more, is the next page's `before`."""

    actions: list[PastAction]
    next: int | None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something was not done: a stable code, the reason in words, and the field concerned."""

    code: str
    reason: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class ProblemAnswer:
    """The body of an answer that is an error."""

    error: Problem


@dataclass(frozen=True, slots=True)
class Health:
    """`ok`, or what is wrong in words."""

    status: str
