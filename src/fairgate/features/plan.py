"""Lay out a pack's aggregates in rows: which families there are, what each event type counts and reads in them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import blake2b

from fairgate.domain.windows import EVER, Window
from fairgate.kernel.layout import NO_SLOT, REQUEST_HEADER
from fairgate.kernel.program import FamilySpec, Fold, Op, Program, RingSpec, Step, Touch, TypeSpec
from fairgate.language.checked import CheckedPack, attr_of
from fairgate.language.tree import Aggregate, Attr, Kind, Node, Now


class SlotKind(StrEnum):
    """What a word of a request holds."""

    HASH = "hash"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Slot:
    """A word of a request: a hash (a key's part or a set's value) or a number. `value` None stands for one."""

    kind: SlotKind
    value: Node | None
    where: Node | None


@dataclass(frozen=True, slots=True)
class TypePlan:
    """What one event type asks of the rows. `names` are the recorded features, in the order they are read out."""

    index: int
    slots: tuple[Slot, ...]
    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    out_of: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class EntityPlan:
    """What can be read of one kind of entity when there is no event: each aggregate by it alone.

    `index` is its type in `FeaturePlan.reading`; a request has the entity's key after the header. `semantic` and `kind`
    are the type of its value. `aggregates` are in the order they are read out; `is_new` is none of them, for it asks
    about an event's value.
    """

    index: int
    semantic: str | None
    kind: Kind
    personal: bool
    aggregates: tuple[Aggregate, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """What a cell or a value set takes in: all aggregates that count the same things in the same way share it."""

    fold: Fold
    on: tuple[str, ...]
    value: Node | None
    where: Node | None


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a profile stands: its family by number, and in that family's rows a value set (`is_new`) or a cell."""

    family: int
    is_set: bool
    target: int
    counted: Counted


@dataclass(frozen=True)
class FeaturePlan:
    """The rows' layout and each event type's part in it. `longest` is the longest window in microseconds.

    `salt` is the secret that keys and values are hashed with. `reading` is a program over the same rows that changes
    none: it has a type for each kind of entity in `entities`. `profiles` are the aggregates that outlive the windows,
    by text.
    """

    program: Program
    types: Mapping[str, TypePlan]
    longest: int
    salt: int = field(repr=False)
    reading: Program
    entities: Mapping[str, EntityPlan]
    profiles: Mapping[str, Kept]


@dataclass
class _Family:
    """A family while it is laid out."""

    by: tuple[Attr, ...]
    rings: dict[Window, list[Counted]] = field(default_factory=dict)
    sets: dict[tuple[Window, bool, Counted], int] = field(default_factory=dict)

    def cell(self, window: Window, cell: Counted) -> int:
        cells = self.rings.setdefault(window, [])
        if cell not in cells:
            cells.append(cell)
        return cells.index(cell)

    def set(self, window: Window, cell: Counted, *, seen: bool) -> int:
        self.rings.setdefault(window, [])
        return self.sets.setdefault((window, seen, cell), len(self.sets))

    def ring(self, window: Window) -> int:
        return list(self.rings).index(window)


_FOLDS = {"total": Fold.ADD, "smallest": Fold.SMALLEST, "largest": Fold.LARGEST, "first": Fold.FIRST, "last": Fold.LAST}
_READS = {
    "total": Op.READ_SUM,
    "count": Op.READ_SUM,
    "smallest": Op.READ_SMALLEST,
    "largest": Op.READ_LARGEST,
    "first": Op.READ_FIRST,
    "last": Op.READ_LAST,
    "since": Op.READ_SINCE,
}


def plan_features(checked: CheckedPack, salt: int) -> FeaturePlan:
    """The plan of a checked pack. `salt` (64 bits, secret) keeps others from choosing keys that share a row."""
    return _Planner(checked, salt).plan()


class _Planner:
    def __init__(self, checked: CheckedPack, salt: int) -> None:
        self.checked = checked
        self.salt = salt
        self.aggregates: dict[str, Aggregate] = {}
        for read in checked.read.values():
            self.aggregates |= {aggregate.text: aggregate for aggregate in read.values()}
        self.families: dict[tuple[tuple[Attr, ...], bool], _Family] = {}
        self.reads = {text: self.lay_out(aggregate) for text, aggregate in self.aggregates.items()}

    def family(self, aggregate: Aggregate) -> _Family:
        """Profiles outlive the windows, so they have rows of their own."""
        return self.families.setdefault((aggregate.by, aggregate.over is EVER), _Family(aggregate.by))

    def lay_out(self, aggregate: Aggregate) -> Step:
        """Give an aggregate its cells and return the step that reads it (slot and out are filled in for each type)."""
        family, window = self.family(aggregate), aggregate.over
        value = Now() if aggregate.name == "since" else aggregate.value

        def cell(fold: Fold) -> int:
            return family.cell(window, Counted(fold, aggregate.on, value, aggregate.where))

        match aggregate.name:
            case "count":
                target, other = cell(Fold.COUNT), 0
            case "mean" | "rate":
                target, other = cell(Fold.ADD), cell(Fold.COUNT)
                return Step(Op.READ_RATIO, family.ring(window), target, other)
            case "distinct" | "is_new":
                seen = aggregate.name == "is_new"
                index = family.set(window, Counted(Fold.ADD, aggregate.on, value, aggregate.where), seen=seen)
                return Step(Op.READ_IS_NEW if seen else Op.READ_DISTINCT, family.ring(window), index)
            case "since":
                target, other = cell(Fold.LAST), 0
            case _:
                target, other = cell(_FOLDS[aggregate.name]), 0
        return Step(_READS[aggregate.name], family.ring(window), target, other)

    def plan(self) -> FeaturePlan:
        families = tuple(self.spec(family) for family in self.families.values())
        types, plans = [], {}
        for index, name in enumerate(self.checked.pack.event_types):
            spec, plan = self.event_type(index, name)
            types.append(spec)
            plans[name] = plan
        longest = max((aggregate.over.length for aggregate in self.aggregates.values()), default=0)
        specs, entities = self.entities()
        reading = Program(families, tuple(specs))
        program, profiles = Program(families, tuple(types)), dict(self.profiles())
        return FeaturePlan(program, plans, longest, self.salt, reading, entities, profiles)

    def spec(self, family: _Family) -> FamilySpec:
        rings = tuple(
            RingSpec(window.tick, window.buckets, tuple(cell.fold for cell in cells))
            for window, cells in family.rings.items()
        )
        sets = tuple(family.ring(window) for window, _, _ in family.sets)
        return FamilySpec(self.family_salt(family), rings, sets)

    def family_salt(self, family: _Family) -> int:
        """A word from the secret salt and what the family is: the same in every pack, another for every other family.

        What it is: its key's attributes and their types, whether each is personal, and whether it outlives the windows.
        """
        by = [(each.name, each.part, str(each.kind), each.semantic, self.is_personal(each)) for each in family.by]
        named = repr((by, EVER in family.rings)).encode()
        secret = self.salt.to_bytes(8, "little")
        return int.from_bytes(blake2b(named, digest_size=8, key=secret, person=b"family").digest(), "little")

    def is_personal(self, attr: Attr) -> bool:
        """Whether an attribute is personal: in one event type, and so in all that have it."""
        declared = (each.attribute(attr.name) for each in self.checked.pack.event_types.values())
        return any(each.personal for each in declared if each is not None)

    def event_type(self, index: int, name: str) -> tuple[TypeSpec, TypePlan]:
        slots: list[Slot] = []
        read = self.checked.read[name]
        touches = []
        for number, family in enumerate(self.families.values()):
            reads = {out: each for out, each in enumerate(read.values()) if self.family(each) is family}
            steps = (*self.feeds(name, family, slots), *self.read_steps(reads, slots))
            if steps:
                keys = tuple(_slot(slots, Slot(SlotKind.HASH, attr, None)) for attr in family.by)
                touches.append(Touch(number, keys, steps))
        spec = TypeSpec(REQUEST_HEADER + len(slots), len(read), tuple(touches))
        out_of = {aggregate.text: out for out, aggregate in enumerate(read.values())}
        kinds = tuple(aggregate.kind for aggregate in read.values())
        return spec, TypePlan(index, tuple(slots), tuple(read), kinds, out_of)

    def entities(self) -> tuple[list[TypeSpec], dict[str, EntityPlan]]:
        """One entity may be named by several attributes; they are of one type, and all of them personal or none."""
        named: dict[str, dict[Attr, bool]] = {}
        for event_type in self.checked.pack.event_types.values():
            for each in event_type.attributes:
                if each.entity is not None:
                    named.setdefault(each.entity, {})[attr_of(each.name, each.type)] = each.personal
        specs, plans = [], {}
        for index, (kind, attrs) in enumerate(named.items()):
            touches, asked = self.entity(tuple(attrs))
            attr, personal = next(iter(attrs.items()))
            specs.append(TypeSpec(REQUEST_HEADER + 1, len(asked), touches))
            plans[kind] = EntityPlan(index, attr.semantic, attr.kind, personal, asked)
        return specs, plans

    def entity(self, attrs: tuple[Attr, ...]) -> tuple[tuple[Touch, ...], tuple[Aggregate, ...]]:
        """What is read of an entity that these attributes name, and the aggregates in that order."""
        touches: list[Touch] = []
        asked: list[Aggregate] = []
        for number, family in enumerate(self.families.values()):
            mine = [each for each in self.aggregates.values() if self.family(each) is family and each.name != "is_new"]
            if mine and len(family.by) == 1 and family.by[0] in attrs:
                steps = (replace(self.reads[each.text], out=out) for out, each in enumerate(mine, len(asked)))
                touches.append(Touch(number, (REQUEST_HEADER,), tuple(steps)))
                asked += mine
        return tuple(touches), tuple(asked)

    def profiles(self) -> Iterable[tuple[str, Kept]]:
        """Each profile's text, and where it is kept."""
        for number, family in enumerate(self.families.values()):
            for text, aggregate in self.aggregates.items():
                if aggregate.over is EVER and self.family(aggregate) is family:
                    is_set, target = aggregate.name == "is_new", self.reads[text].target
                    counted = list(family.sets)[target][-1] if is_set else family.rings[EVER][target]
                    yield text, Kept(number, is_set, target, counted)

    def feeds(self, name: str, family: _Family, slots: list[Slot]) -> Iterable[Step]:
        for window, cells in family.rings.items():
            for target, cell in enumerate(cells):
                if name in cell.on:
                    one = cell.value is None and cell.where is None
                    slot = NO_SLOT if one else _slot(slots, Slot(SlotKind.NUMBER, cell.value, cell.where))
                    yield Step(Op.FEED, family.ring(window), target, int(cell.fold), slot)
        for (window, seen, cell), target in family.sets.items():
            if name in cell.on:
                slot = _slot(slots, Slot(SlotKind.HASH, cell.value, cell.where))
                yield Step(Op.FEED_SEEN if seen else Op.FEED_DISTINCT, family.ring(window), target, slot=slot)

    def read_steps(self, reads: Mapping[int, Aggregate], slots: list[Slot]) -> Iterable[Step]:
        for out, aggregate in reads.items():
            step, slot = self.reads[aggregate.text], NO_SLOT
            if step.op == Op.READ_IS_NEW:
                slot = _slot(slots, Slot(SlotKind.HASH, aggregate.value, None))
            yield replace(step, slot=slot, out=out)


def _slot(slots: list[Slot], slot: Slot) -> int:
    """The request word of a slot, shared by all that ask for the same."""
    if slot not in slots:
        slots.append(slot)
    return REQUEST_HEADER + slots.index(slot)
