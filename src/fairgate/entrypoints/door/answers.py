"""What callers are told of decisions: the action and words for their users; no scores, no rules, no oracle."""

import msgspec

from fairgate.decide.reasons import MOST_REASONS, Reader, reasons_of, render
from fairgate.domain.event import Refusal
from fairgate.domain.pack import Pack
from fairgate.entrypoints.door.http import Problem
from fairgate.pipeline.online import Answer, Outcome

#: Where nothing was taken: the status of each code, else 422.
_STATUS = {"malformed": 400, "too_large": 413}
_UNACCEPTABLE = 422
_MOST_WORDS = 4_096


class Decided(msgspec.Struct, omit_defaults=True):
    """The answer to a request for a decision. Without a sequence, `policy` names the call site whose policy it is.

    `stands` where it is what stands about the account, or another of the event's entities, and not of this event.
    """

    id: str
    sequence: int | None = None
    action: str = ""
    reasons: list[str] = []
    degraded: bool = False
    repeated: bool = False
    policy: str = ""
    stands: bool = False


class Result(msgspec.Struct, omit_defaults=True):
    """What became of one event of several."""

    id: str
    sequence: int | None = None
    action: str | None = None
    repeated: bool = False
    error: Problem | None = None


class Results(msgspec.Struct):
    """What became of each event, in the order they came in."""

    accepted: int
    refused: int
    results: list[Result]


class Words:
    """The user's texts for decisions; the same rules and lists give the same words, so they are kept."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], list[str]] = {}

    def of(self, pack: Pack, answer: Answer) -> list[str]:
        """The words for a decision that this pack explains."""
        decision = answer.decision
        if answer.codes:
            return [pack.reasons[code].user for code in answer.codes[:MOST_REASONS] if code in pack.reasons]
        if not (decision.rules or decision.lists) or answer.action < decision.action:
            return []
        key = (pack.digest, answer.type, decision.action, decision.rules, decision.silent, decision.lists)
        if key not in self._kept:
            if len(self._kept) >= _MOST_WORDS:
                self._kept.clear()
            self._kept[key] = [render(each, Reader.USER, {}) for each in reasons_of(pack, answer.type, decision)]
        return self._kept[key]


def decided(answer: Answer, words: list[str]) -> Decided:
    """The answer for a decision that is durable."""
    decision, action = answer.decision, answer.action
    return Decided(
        id=answer.id,
        sequence=answer.sequence,
        action=action.word,
        reasons=words,
        degraded=bool(decision.degraded),
        repeated=answer.repeated,
        stands=action != decision.action,
    )


def results(outcomes: list[Outcome]) -> tuple[int, Results]:
    """The answer for events, and its status: 200 where any was taken, else that of the refusals."""
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    accepted = len(outcomes) - len(refused)
    found = {status_of(refusal) for refusal in refused}
    status = 200 if accepted or not refused else found.pop() if len(found) == 1 else _UNACCEPTABLE
    return status, Results(accepted, len(refused), [_result(outcome) for outcome in outcomes])


def status_of(refusal: Refusal) -> int:
    """The status of an answer that is this refusal."""
    return _STATUS.get(refusal.code, _UNACCEPTABLE)


def _result(outcome: Outcome) -> Result:
    if isinstance(outcome, Refusal):
        return Result(outcome.id, error=Problem(outcome.code, outcome.reason, outcome.field))
    return Result(outcome.id, outcome.sequence, outcome.action.word, outcome.repeated)
