"""What somebody may do now, given what stands in the ledger about them."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from fairgate.domain.action import Action
from fairgate.domain.ledger import FOREVER, Entry
from fairgate.domain.pack import ActionSpec


@dataclass(frozen=True, slots=True)
class Entitlements:
    """What somebody may do: `use` the service, `spend` what they have, at `rate` of their usual rate, which `models`.

    All models where that is None. `challenges` are the kinds that they are asked for. `action` is the gravest that
    stands, `until` when what stands now changes by itself at the earliest (`FOREVER`: not at all), and `entries` are
    those that count, the oldest first.
    """

    action: Action
    until: int
    use: bool
    spend: bool
    rate: float
    models: tuple[str, ...] | None
    challenges: tuple[str, ...]
    entries: tuple[Entry, ...]


#: Of somebody of whom nothing stands.
FREE = Entitlements(Action.ALLOW, FOREVER, use=True, spend=True, rate=1.0, models=None, challenges=(), entries=())


def counting(standing: Iterable[Entry], off: AbstractSet[Action]) -> tuple[Entry, ...]:
    """What counts of what stands: not what is switched off, nor, for those whom a person spares, what rules did."""
    entries = tuple(standing)
    spared = any(each.action == Action.ALLOW for each in entries)
    return tuple(each for each in entries if (each.by_person or not spared) and each.action not in off)


def outcome(standing: Sequence[Entry], off: AbstractSet[Action], decided: Action, *, by_list: bool = False) -> Action:
    """What is done at an event on which that was decided, to somebody of whom this stands.

    What was decided `by_list` is a person's doing, as an entry by hand is: it counts also for those who are spared.

    What followed from the decision on another event counts where it is grave: the milder is for the gateway, which asks
    what somebody may do.
    """
    counts = [each.action for each in counting(standing, off) if each.by_person or each.action.grave]
    spared = any(each.action == Action.ALLOW for each in standing)
    return max(counts, default=Action.ALLOW) if spared and not by_list else max([decided, *counts])


def entitlements(
    standing: Sequence[Entry], specs: Mapping[Action, ActionSpec], off: AbstractSet[Action]
) -> Entitlements:
    """What somebody may do of whom this stands, under what a pack says of actions, less those that are switched `off`.

    An action of which the pack says nothing takes nothing away, but suspending and banning, which take everything.
    """
    entries = counting(standing, off)
    if not entries:
        return FREE
    against = [each for each in entries if each.action > Action.ALLOW]
    found = [specs[each.action] for each in against if each.action in specs]
    models = [frozenset(each.models) for each in found if each.models is not None]
    unsaid = any(each.action.grave and each.action not in specs for each in against)
    return Entitlements(
        action=max((each.action for each in against), default=Action.ALLOW),
        until=min(each.ends for each in standing),
        use=not unsaid and all(each.use for each in found),
        spend=not unsaid and all(each.spend for each in found),
        rate=min((each.rate for each in found), default=1.0),
        models=tuple(sorted(frozenset.intersection(*models))) if models else None,
        challenges=tuple(sorted({each.challenge for each in found if each.challenge is not None})),
        entries=entries,
    )
