"""One decision per event: signals -> log-odds -> the cheapest action -> floors -> guard rails -> lists."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product

from xxhash import xxh3_64_intdigest

from fairgate.decide.costs import CostTable, cost_table, log_odds_of, probability_of
from fairgate.domain.action import MOST_UNGRAVE, Action, switched_off
from fairgate.domain.event import Decision
from fairgate.domain.pack import Rule, Stage
from fairgate.domain.windows import DAY
from fairgate.language.checked import CheckedPack

#: A decision draws at most this many canaries; more that fired stay silent, so that the propensity can stay exact.
MOST_DRAWS = 8

ALL_RULES = "*"


@dataclass(frozen=True, slots=True)
class Weight:
    """What a rule brings into a decision on one event type."""

    name: str
    score: float
    floor: Action
    group: str
    stage: Stage
    fraction: float
    daily_cap: int | None

    @property
    def acts(self) -> bool:
        """Whether it can change anything at all."""
        return self.score != 0.0 or self.floor > Action.ALLOW


@dataclass
class Brakes:
    """What holds rules back: kill switches, and daily caps on those in `capped`.

    A switch is a rule's name, `action:` with the word of an action, or `*` for all enforcement.

    `asked` is how often each of them has had a part in an action on `day`, a UTC day of the log's clock.
    """

    capped: frozenset[str] = frozenset()
    off: set[str] = field(default_factory=set)
    day: int = 0
    asked: dict[str, int] = field(default_factory=dict)
    #: The actions that are switched off.
    off_actions: frozenset[Action] = frozenset()

    def switch(self, name: str, *, off: bool) -> None:
        """Switch a rule, an action, or all enforcement, off or on again."""
        (self.off.add if off else self.off.discard)(name)
        self.off_actions = switched_off(self.off)

    def reset(self) -> None:
        """Release them all."""
        self.off.clear()
        self.off_actions = frozenset()
        self.day, self.asked = 0, {}

    def spent(self, rule: str, cap: int, now: int) -> bool:
        """Whether a rule's daily cap is reached."""
        asked = self.asked.get(rule, 0) if now // DAY == self.day else 0
        return asked >= cap

    def count(self, decision: Decision, now: int) -> None:
        """Take note of a decision: a capped rule that counted in an action has used up some of its cap."""
        if decision.action == Action.ALLOW:
            return
        for rule in decision.rules:
            if rule in self.capped and rule not in decision.silent:
                if now // DAY != self.day:
                    self.day, self.asked = now // DAY, {}
                self.asked[rule] = self.asked.get(rule, 0) + 1


@dataclass(frozen=True, slots=True)
class Finding:
    """What the detector found on one event. `entity_of` gives, for a canary rule, the value that it is drawn on."""

    fired: Sequence[Weight]
    segment: int
    listed: Sequence[str]
    degraded: tuple[str, ...]
    entity_of: Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class _Draw:
    """A canary rule with its chance of counting, and whether it came out so."""

    weight: Weight
    chance: float
    included: bool


class Policy:
    """Decides by a pack's scores, costs, modes and lists. Its only state is in `brakes`: what holds rules back."""

    def __init__(self, checked: CheckedPack, secret: int, brakes: Brakes) -> None:
        self._secret = secret
        self._brakes = brakes
        self._pack = checked.pack.label
        self._prior = log_odds_of(checked.pack.prior)
        self._segments = tuple(each.segment.name for each in checked.segments)
        self._tables: tuple[CostTable, ...] = tuple(cost_table(each.segment.costs) for each in checked.segments)
        self._effects = {spec.name: spec.effect for spec in checked.acting_lists() if spec.effect is not None}
        #: By segment, the decision on an event about which nothing was found: most of them, so it is made once.
        self.quiet = tuple(self._plain(segment) for segment in range(len(self._segments)))

    def decide(self, finding: Finding, now: int) -> Decision:
        """The decision on one event at a time of the log's clock."""
        sure, drawn, silent, notes = self._sort(finding.fired, now)
        draws = [self._draw(weight, finding.entity_of(weight.name)) for weight in drawn]
        chosen = [*sure, *(draw.weight for draw in draws if draw.included)]
        action, held = self._outcome(chosen, finding.segment, finding.listed)
        log_odds = self._prior + sum(weight.score for weight in chosen)
        decision = Decision(
            action=action,
            log_odds=log_odds,
            probability=probability_of(log_odds),
            segment=self._segments[finding.segment],
            rules=tuple(weight.name for weight in finding.fired),
            silent=(*silent, *(draw.weight.name for draw in draws if not draw.included)),
            drawn=tuple(draw.weight.name for draw in draws),
            lists=tuple(finding.listed),
            notes=(*notes, *held),
            degraded=finding.degraded,
            propensity=self._propensity(action, sure, draws, finding) if draws else 1.0,
            pack=self._pack,
        )
        self._brakes.count(decision, now)
        return decision

    def lets_pass(self, decision: Decision) -> bool:
        """Whether nothing may be done whatever stands: a list allows it, or all enforcement is switched off."""
        allowed = any(self._effects.get(name) == Action.ALLOW for name in decision.lists)
        return allowed or ALL_RULES in self._brakes.off

    def by_list(self, decision: Decision) -> bool:
        """Whether a list asks for the action that was decided: it does so again and again while the entry stands."""
        return any(self._effects.get(name) == decision.action for name in decision.lists)

    def _plain(self, segment: int) -> Decision:
        """The decision on an event about which nothing was found."""
        action, held = self._outcome((), segment, ())
        return Decision(
            action=action,
            log_odds=self._prior,
            probability=probability_of(self._prior),
            segment=self._segments[segment],
            notes=tuple(held),
            pack=self._pack,
        )

    def _sort(self, fired: Iterable[Weight], now: int) -> tuple[list[Weight], list[Weight], list[str], list[str]]:
        """The fired rules that count for sure, those to be drawn, the names of the silent ones, and why some are."""
        sure: list[Weight] = []
        drawn: list[Weight] = []
        silent: list[str] = []
        notes: list[str] = []
        for weight in fired:
            if weight.stage == Stage.SHADOW or weight.name in self._brakes.off:
                silent.append(weight.name)
            elif weight.daily_cap is not None and self._brakes.spent(weight.name, weight.daily_cap, now):
                silent.append(weight.name)
                notes.append(f"daily cap of {weight.name} reached")
            elif weight.stage == Stage.LIVE:
                sure.append(weight)
            elif weight.acts and len(drawn) < MOST_DRAWS:
                drawn.append(weight)
            else:
                silent.append(weight.name)
        return sure, drawn, silent, notes

    def _outcome(self, chosen: Sequence[Weight], segment: int, listed: Sequence[str]) -> tuple[Action, list[str]]:
        """The action if these rules count, and which guard rails held it back."""
        notes = []
        log_odds = self._prior + sum(weight.score for weight in chosen)
        action = max([self._tables[segment].cheapest(log_odds), *(weight.floor for weight in chosen)])
        groups = {weight.group for weight in chosen if weight.score > 0 or weight.floor > Action.ALLOW}
        if action.grave and len(groups) < 2:  # noqa: PLR2004 - two independent kinds of evidence
            notes.append(f"{action.word} needs two kinds of evidence")
            action = MOST_UNGRAVE
        effects = [self._effects[name] for name in listed]
        action = max([action, *effects])  # an entry was made by a human: no guard rail
        if Action.ALLOW in effects:
            action = Action.ALLOW
        if action in self._brakes.off_actions:
            notes.append(f"{action.word} is switched off")
            action = max(each for each in Action if each < action and each not in self._brakes.off_actions)
        if ALL_RULES in self._brakes.off and action > Action.ALLOW:
            notes.append(f"enforcement is switched off; it would have been {action.word}")
            action = Action.ALLOW
        return action, notes

    def _draw(self, weight: Weight, entity: str | None) -> _Draw:
        """Whether the rule's entity is in its canary: a keyed hash, so the same entity always gets the same answer."""
        if entity is None:
            return _Draw(weight, 0.0, included=False)
        drawn = xxh3_64_intdigest(f"{weight.name}\0{entity}".encode(), self._secret)
        return _Draw(weight, weight.fraction, included=drawn < weight.fraction * 2.0**64)

    def _propensity(self, action: Action, sure: Sequence[Weight], draws: Sequence[_Draw], finding: Finding) -> float:
        """The probability of this action over all outcomes of the draws."""
        chances = []
        for included in product((False, True), repeat=len(draws)):
            chosen = [*sure, *(draw.weight for draw, counts in zip(draws, included, strict=True) if counts)]
            if self._outcome(chosen, finding.segment, finding.listed)[0] == action:
                pairs = zip(draws, included, strict=True)
                chances.append(math.prod(draw.chance if counts else 1.0 - draw.chance for draw, counts in pairs))
        return min(1.0, math.fsum(chances))


def weight_of(rule: Rule, event_type: str) -> Weight:
    """A rule's part in decisions on one event type."""
    return Weight(
        name=rule.name,
        score=rule.score,
        floor=rule.actions.get(event_type, Action.ALLOW),
        group=rule.group,
        stage=rule.mode.stage,
        fraction=rule.mode.fraction,
        daily_cap=rule.daily_cap,
    )
