"""Appeals: that whoever an action is on wants it to be looked at again, and what came of it."""

from enum import StrEnum

import msgspec

from fairgate.domain.ledger import Subject


class AppealState(StrEnum):
    """What has become of an appeal."""

    OPEN = "open"
    GRANTED = "granted"
    REFUSED = "refused"


class Ruling(msgspec.Struct, frozen=True, gc=False):
    """How an appeal was decided, when, by whom and why. One that was granted has undone its action."""

    granted: bool
    at: int
    by: str
    why: str


class Appeal(msgspec.Struct, frozen=True, gc=False):
    """An appeal against an action of the ledger, which is on `subject`. Times are microseconds since 1970 UTC.

    `number` counts appeals; -1 stands for none yet. `taken_by` is who took the action, empty where it followed from a
    decision. `words` are the appellant's own. `filed_by` filed it for them, under their own name for it, `ref`. It is
    to be decided by `due`.
    """

    number: int
    action: int
    subject: Subject
    taken_by: str
    filed: int
    filed_by: str
    due: int
    words: str
    ref: str
    ruling: Ruling | None = None

    @property
    def state(self) -> AppealState:
        """What has become of it."""
        if self.ruling is None:
            return AppealState.OPEN
        return AppealState.GRANTED if self.ruling.granted else AppealState.REFUSED

    def overdue(self, now: int) -> bool:
        """Whether it should have been decided by now."""
        return self.ruling is None and self.due <= now
