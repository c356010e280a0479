"""Bulk actions: one action on many accounts, drafted, shown, confirmed, run page by page, and undone as one."""

from enum import StrEnum
from typing import Final

import msgspec

from fairgate.domain.action import Action

#: Accounts of one bulk action.
MOST_ACCOUNTS: Final = 100_000


class BulkState(StrEnum):
    """What has become of a bulk action. `expired` is what time makes of a draft or of one that waits."""

    DRAFT = "draft"
    WAITING = "waiting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    STOPPED = "stopped"
    UNDOING = "undoing"
    UNDONE = "undone"
    EXPIRED = "expired"


#: Nothing was done yet, and nothing will be where it is too late.
PENDING: Final = frozenset({BulkState.DRAFT, BulkState.WAITING})
#: Somebody is at work on it.
GOING: Final = frozenset({BulkState.RUNNING, BulkState.CANCELLING, BulkState.UNDOING})
#: It has been at work, so there may be something to undo.
UNDOABLE: Final = frozenset({BulkState.DONE, BulkState.CANCELLED, BulkState.STOPPED})


class Fate(StrEnum):
    """What an undo met at one action: undone by it, undone before it, ended by itself, or gone from the door."""

    UNDONE = "undone"
    BEFORE = "undone_before"
    ENDED = "ended"
    GONE = "gone"


class Order(msgspec.Struct, frozen=True, gc=False):
    """What is to be done to each account: as one action by hand says it. `length` is empty where none was given."""

    action: Action
    length: str
    reasons: tuple[str, ...]
    evidence: tuple[str, ...]
    why: str


class Actor(msgspec.Struct, frozen=True, gc=False):
    """In whose name it runs: the API key, its name, and its scopes when they said so."""

    key: str
    by: str
    scopes: tuple[str, ...]


class Money(msgspec.Struct, frozen=True, gc=False):
    """What the accounts have paid: how many did in 90 days, sums of 30 and 90 days, and the most of one in 90."""

    paying: int
    days_30: float
    days_90: float
    largest: float


class Ages(msgspec.Struct, frozen=True, gc=False):
    """Ages of accounts in microseconds: the newest, the quartiles, the oldest."""

    newest: int
    lower: int
    median: int
    upper: int
    oldest: int


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """How weak the evidence is: of `none` no decision of late was against them, of `one_group` those had one group.

    `weakest` are accounts with the fewest groups and the least log-odds.
    """

    days: int
    none: int
    one_group: int
    weakest: tuple[str, ...]


class Sampled(msgspec.Struct, frozen=True, gc=False):
    """One account of the random sample, with the last decision against it where there is one."""

    account: str
    groups: int
    log_odds: float | None
    source: str
    id: str


class Preview(msgspec.Struct, frozen=True, gc=False):
    """What a bulk action would do. `skipped` says by reason how many were left out.

    `money` and `ages` are missing where the pack does not say how they are known; `loses` is what the action takes.
    """

    accounts: int
    skipped: dict[str, int]
    loses: str
    money: Money | None
    ages: Ages | None
    ages_unknown: int
    evidence: Evidence
    seed: int
    sample: tuple[Sampled, ...]


class Bulk(msgspec.Struct, frozen=True, gc=False):
    """A bulk action. Times are microseconds since 1970 UTC; `number` -1 stands for none yet.

    `confirmed_by` is empty before that. `second` says that somebody else must approve. `actor` is in whose name it runs
    or is undone; `problem` why it stopped, `undo_why` why it is undone.
    """

    number: int
    ref: str
    drafted: int
    drafted_by: str
    expires: int
    order: Order
    query: str
    preview: Preview
    second: bool
    state: BulkState = BulkState.DRAFT
    confirmed_by: str = ""
    actor: Actor | None = None
    problem: str = ""
    undo_why: str = ""

    @property
    def phrase(self) -> str:
        """What is to be typed to confirm it."""
        many = self.preview.accounts
        return f"{self.order.action.word} {many:,} account{'' if many == 1 else 's'}"

    @property
    def batch(self) -> str:
        """The name that its actions have at the door: each has this, a slash and the account as its `ref`."""
        return f"bulk-{self.number}"

    def state_at(self, now: int) -> BulkState:
        """What has become of it by a time."""
        return BulkState.EXPIRED if self.state in PENDING and self.expires <= now else self.state


class Happening(msgspec.Struct, frozen=True, gc=False):
    """One step of its history: to what state it came, when, by whom, and why where they said."""

    at: int
    by: str
    state: BulkState
    why: str = ""


class Progress(msgspec.Struct, frozen=True, gc=False):
    """How far it is: accounts still to be acted on, those acted on, those refused by reason; of an undo, by fate."""

    left: int
    taken: int
    refused: dict[str, int]
    fates: dict[str, int]
