"""What of the rows of one pack is still right under another: profiles, where they count the very same things.

A log loses its oldest records, and a pack that goes live counts what is left of it anew. What profiles (aggregates
without `over=`) know from before is carried from rows that the pack before counted up to some place S, into rows that
are empty; then the events from any place F up to S, and those after, are counted on top. That is as good as counting
the whole log, because what a profile holds is the same after it has counted events of F..S a second time, in order:

- FIRST (`first`) takes a value only where it has none: what is counted again comes too late.
- LAST (`last`, `since`) takes every value. The last one of F..S is the one it held already; where there is none in
  F..S, nothing is taken.
- FEED_SEEN (`is_new`) enters a value, or finds it and keeps the later of two days. A set that never slides loses no
  value but by displacing it, above some 300 values. One that was displaced is met again here, and may displace another
  that is as long unseen: which of those are forgotten may differ then, the newest never are.

A text that was refused because a million others are kept is refused again. ADD and COUNT would count twice, but no
profile has them. Nothing may be decided on what is read between F and S, for it knows what came later. And the counting
must begin with the clock and the list entries that there were at F: an event whose time is ahead of the clock counts at
the clock, and a `where=` asks the lists as they are.
"""

from dataclasses import dataclass
from typing import TypeAlias

from fairgate.features.plan import Counted, FeaturePlan, Kept, plan_features
from fairgate.kernel.program import Move
from fairgate.language.checked import CheckedPack
from fairgate.language.tree import Attr, Listed, walk

_Pair: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Carried:
    """What moves from rows of an old pack into those of a new one.

    `anew` are the texts of the new pack's profiles that the old one has no counterpart for: they begin empty.
    """

    moves: tuple[Move, ...]
    anew: tuple[str, ...]


def carried(old: CheckedPack, new: CheckedPack, salt: int) -> Carried:
    """What moves from an old pack's rows to a new one's, both with the same secret salt.

    A profile has a counterpart where its key, its events, what it takes of them and its condition are the same, every
    attribute that these speak of is declared the same in all its event types, and the lists they ask hold the same.
    """
    was, now = plan_features(old, salt), plan_features(new, salt)
    known = {_identity(was, kept): kept for kept in was.profiles.values()}
    pairs: dict[tuple[int, int], tuple[set[_Pair], set[_Pair]]] = {}
    anew = []
    for text, kept in now.profiles.items():
        before = known.get(_identity(now, kept))
        if before is None or not _means_the_same(kept.counted, old, new):
            anew.append(text)
        else:
            cells_and_sets = pairs.setdefault((before.family, kept.family), (set(), set()))
            cells_and_sets[kept.is_set].add((before.target, kept.target))
    moves = (
        Move(one, was.program.families[one], other, tuple(sorted(cells)), tuple(sorted(sets)))
        for (one, other), (cells, sets) in pairs.items()
    )
    return Carried(tuple(moves), tuple(anew))


def _identity(plan: FeaturePlan, kept: Kept) -> tuple[int, bool, Counted]:
    """What a profile keeps, of which key: the salt of a family says which that is in every pack."""
    return plan.program.families[kept.family].salt, kept.is_set, kept.counted


def _means_the_same(counted: Counted, old: CheckedPack, new: CheckedPack) -> bool:
    """Whether the same words gather the same in both packs."""
    asked = [each for node in (counted.value, counted.where) if node is not None for each in walk(node)]
    attributes = {each.name for each in asked if isinstance(each, Attr)}
    lists = {each.name for each in asked if isinstance(each, Listed)}
    declared = all(
        _declared(old, event_type, name) == _declared(new, event_type, name)
        for event_type in counted.on
        for name in attributes
    )
    return declared and all(_held(old, name) == _held(new, name) for name in lists)


def _declared(checked: CheckedPack, event_type: str, name: str) -> tuple[str, bool] | None:
    """An attribute's type, and whether it is personal: then what is hashed of it is hashed otherwise."""
    found = checked.pack.event_types[event_type].attribute(name)
    return (found.type, found.personal) if found is not None else None


def _held(checked: CheckedPack, name: str) -> tuple[frozenset[str], frozenset[tuple[str, bool]]]:
    """What a pack's files enter in a list, and the types that its entries are of."""
    spec = checked.pack.lists[name]
    attributes = [each for event_type in checked.pack.event_types.values() for each in event_type.attributes]
    types = ((each.type, each.personal) for each in attributes if each.entity == spec.entity and spec.entity)
    return frozenset(spec.entries), frozenset(types)
