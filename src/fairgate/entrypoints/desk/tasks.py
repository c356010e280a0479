"""What the desk asks of its worker processes, and what they answer: lines of JSON over the pipes between them."""

from typing import Final, Literal, TypeAlias

import msgspec

from fairgate.casework.plan import Plan, Reviewer, Work

#: What a backtest leaves in its folder.
REPORT_JSON: Final = "report.json"
REPORT_PAGE: Final = "report.html"

Format: TypeAlias = Literal["json", "csv", "parquet"]


class Query(msgspec.Struct, frozen=True, tag="query"):
    """Answer a query with at most so many rows; `personal` shows personal values."""

    text: str
    rows: int
    format: Format
    personal: bool


class Export(msgspec.Struct, frozen=True, tag="export"):
    """Write all that a query gives to a file."""

    text: str
    format: Format
    personal: bool
    file: str


class PackTexts(msgspec.Struct, frozen=True, tag="texts"):
    """A pack as the texts of its files, by name."""

    files: dict[str, str]


class PackFolder(msgspec.Struct, frozen=True, tag="folder"):
    """A pack in a folder of this machine."""

    path: str


PackGiven: TypeAlias = PackTexts | PackFolder


class Backtest(msgspec.Struct, frozen=True, tag="backtest"):
    """Compare two packs on history, of the last so many days where that is said; report into a folder."""

    old: PackGiven
    new: PackGiven
    rule: str | None
    days: float | None
    folder: str


class Compact(msgspec.Struct, frozen=True, tag="compact"):
    """Bring the lake up to the log's end; with `tidy`, merge small files and remove what is to be kept no longer."""

    tidy: bool


class Identify(msgspec.Struct, frozen=True, tag="identify"):
    """Look up what accounts used, for lists of the live pack that remember that. The result is `Used`."""

    lists: list[str]
    accounts: list[str]


class Used(msgspec.Struct, frozen=True):
    """Tokens of what each account used, by account and list."""

    found: dict[str, dict[str, list[str]]]


class Measure(msgspec.Struct, frozen=True, tag="measure"):
    """Say how good the reviews of some time were: a `Quality`, or a `Mine` of one reviewer."""

    since: int
    until: int
    by: str | None


class Arrange(msgspec.Struct, frozen=True, tag="arrange"):
    """Make a plan of a shift that begins at `now`. The result is `Arranged`."""

    works: list[Work]
    reviewers: list[Reviewer]
    now: int


class Arranged(msgspec.Struct, frozen=True):
    """A plan, by which planner it was made, and why by that where it is not the better one."""

    by: str
    plan: Plan
    why: str = ""


Task: TypeAlias = Query | Export | Backtest | Compact | Identify | Measure | Arrange


class Told(msgspec.Struct, frozen=True, tag="told"):
    """How far a task is, in words. Others follow, and then the answer."""

    words: str


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The task is done. So many bytes of its result follow; `rows`, `truncated` and `left_out` are a query's.

    `left_out` is that of a look-up, too.
    """

    bytes: int = 0
    rows: int = 0
    truncated: bool = False
    left_out: int = 0
    #: A compaction's: the log's end, and up to where the lake has it.
    end: int = 0
    covered: int = 0


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The task can't be done: an HTTP status, a stable code, and the reason in words."""

    status: int
    code: str
    reason: str


Reply: TypeAlias = Told | Done | Refused
