"""From the decision on an event to what goes on beyond it, and what stands about an event's entities."""

from collections.abc import Callable

from fairgate.decide.policy import Brakes, Policy
from fairgate.decide.reasons import reasons_of
from fairgate.domain.action import Action
from fairgate.domain.event import Decision, Event
from fairgate.domain.ledger import Entry
from fairgate.domain.secret import Tokens
from fairgate.enforce.entitlements import outcome
from fairgate.enforce.ledger import Ledger, endings
from fairgate.enforce.subjects import subjects_of
from fairgate.language.checked import CheckedPack


class Enforcing:
    """The ledger of an engine, and what its events do to it. Times are the log's clock.

    `told` is told of every entry that is taken in.
    """

    def __init__(
        self, checked: CheckedPack, tokens: Tokens, policy: Policy, brakes: Brakes, told: Callable[[Entry], None]
    ) -> None:
        self.ledger = Ledger(checked.pack.actions, told=told)
        self._pack = checked.pack
        self._policy = policy
        self._brakes = brakes
        self._subjects = {name: subjects_of(checked, name, tokens) for name in checked.pack.event_types}
        self._ending = endings(checked.pack.actions)
        #: Event types and actions that something may follow from, or end by: all others are passed over.
        self.ends_by = frozenset(self._ending)
        self.follow = frozenset(checked.pack.actions)

    def at(self, event: Event, decision: Decision, clock: int) -> tuple[Entry, ...]:
        """What ends by an event of an account, and what follows from its decision. It stands from now on."""
        subject, ledger = self._subjects[event.type].account(event.data), self.ledger
        if subject is None:
            return ()
        ended = ledger.ended(subject, self._ending.get(event.type, frozenset()), event.type, clock)
        ledger.restore(ended)
        if self._policy.by_list(decision):
            return ended
        follows = ledger.follows(subject, decision, lambda: self._codes(event.type, decision), clock)
        if follows is None:
            return ended
        ledger.forget(clock)
        ledger.take(follows)
        return (*ended, follows)

    def outcome(self, event: Event, decision: Decision, clock: int) -> tuple[Action, tuple[str, ...]]:
        """What is to be done about an event now, and the codes of what stands where that is graver than its decision.

        Nothing is where a list allows it, or all enforcement is switched off.
        """
        ledger = self.ledger
        if not len(ledger):
            return decision.action, ()
        held = self._subjects[event.type].held(event.data, ledger)
        if not held:
            return decision.action, ()
        standing = [entry for entry in map(ledger.get, held) if entry.stands(clock)]
        if not standing or self._policy.lets_pass(decision):
            return decision.action, ()
        by_list = self._policy.by_list(decision)
        action = outcome(standing, self._brakes.off_actions, decision.action, by_list=by_list)
        if action <= decision.action:
            return action, ()
        return action, tuple(dict.fromkeys(code for each in standing if each.action == action for code in each.reasons))

    def _codes(self, event_type: str, decision: Decision) -> tuple[str, ...]:
        return tuple(each.reason.code for each in reasons_of(self._pack, event_type, decision))
