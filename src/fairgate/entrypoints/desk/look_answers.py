"""What the desk gives about looks at cases, as its OpenAPI shows it."""

from dataclasses import dataclass
from datetime import datetime

from fairgate.domain.case import Outcome
from fairgate.domain.event import moment
from fairgate.domain.look import Gold, Kind, OneLook


@dataclass(frozen=True, slots=True)
class LookAnswer:
    """What somebody said of a case: who decided it, or (`kind` is `double`) looked as well without knowing of that.

    `round` is how often it had been opened again. Without `by` nobody has looked yet.
    """

    kind: Kind
    round: int
    by: str
    at: datetime | None
    outcome: Outcome | None
    action: str | None
    reasons: list[str]
    confidence: float | None
    why: str


@dataclass(frozen=True, slots=True)
class GoldAnswer:
    """A gold case: what is true of it, and who says so, when and why."""

    case: int
    truth: Outcome
    at: datetime
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class NoGold:
    """A case that is gold no longer, and whether it was until now."""

    case: int
    undone: bool


def look_shown(look: OneLook) -> LookAnswer:
    """A look, for who leads."""
    word = look.word
    return LookAnswer(
        kind=look.kind,
        round=look.round,
        by=look.by,
        at=moment(look.ended) if look.ended else None,
        outcome=None if word is None else word.outcome,
        action=None if word is None else word.action.word,
        reasons=[] if word is None else list(word.reasons),
        confidence=None if word is None else word.confidence,
        why="" if word is None else word.why,
    )


def gold_shown(gold: Gold) -> GoldAnswer:
    """A gold case, for who leads."""
    return GoldAnswer(gold.case, gold.truth, moment(gold.at), gold.by, gold.why)
