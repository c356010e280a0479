"""Load a pack's folder of TOML files. Every fault names its file, line and column; unknown keys are faults."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import TypeVar

import msgspec

from fairgate.domain.action import ACTIONS, Action
from fairgate.domain.memory import LONGEST_MEMORY
from fairgate.domain.pack import (
    ActionSpec,
    Appeal,
    Attribute,
    Bulk,
    CaseTerms,
    EventType,
    Feature,
    ListSpec,
    Mode,
    Pack,
    Place,
    Reason,
    Remembers,
    Rule,
    RuleTest,
    Segment,
    Source,
    SourceEvent,
    Stage,
    Text,
)
from fairgate.domain.shifts import SKILL_HINT, is_skill
from fairgate.domain.windows import DAY
from fairgate.language.bulk_table import bulk_faults
from fairgate.language.documents import Documents
from fairgate.language.durations import HINT, parse_duration
from fairgate.language.pack_tables import (
    ActionTable,
    AppealTable,
    AttributeTable,
    BulkTable,
    CasesTable,
    EventTable,
    FeatureTable,
    ListTable,
    PackTable,
    ReasonTable,
    RemembersTable,
    RuleTable,
    SegmentTable,
    SourceTable,
    Table,
)
from fairgate.language.places import Path
from fairgate.language.problems import Problems, one_of

T = TypeVar("T")
_Table = TypeVar("_Table", bound=Table)

#: How much later than its row an event may be.
LONGEST_DELAY = 3_650 * DAY
#: How long an action that ends by itself may stand.
LONGEST_ACTION = 3_650 * DAY
#: For how many days an action may be appealed against.
LONGEST_APPEAL = 3_650
#: Hours or minutes of one case.
MOST_AT_STAKE = 1_000_000

_NUMBERS = ("number", "integer")

_MODE = re.compile(r"(?P<word>shadow|live)|canary (?P<percent>\d{1,2}(?:\.\d{1,6})?)%")


def load_pack(folder: FilePath) -> Pack:
    """The pack in a folder: every `*.toml` below it, and the list files (`*.txt`) those name.

    Raises `PackError` with all faults of form that were found; `check_pack` finds those of meaning.
    """
    problems = Problems()
    if not folder.is_dir():
        problems.add(Place(str(folder), 1, 1), "there is no such folder", hint="give the folder that holds pack.toml")
    files = {}
    for path in sorted([*folder.rglob("*.toml"), *folder.rglob("*.txt")]):
        name = str(path.relative_to(folder))
        try:
            files[name] = path.read_text("utf-8")
        except UnicodeDecodeError as error:
            problems.add(Place(name, 1, 1), f"this file is not UTF-8: {error.reason} at byte {error.start}")
        except OSError as error:
            problems.add(Place(name, 1, 1), f"this file can't be read: {error.strerror}")
    problems.raise_if_any(files)
    return pack_from_texts(files)


def pack_from_texts(files: Mapping[str, str]) -> Pack:
    """The same from texts by file name, as the log keeps them."""
    problems = Problems()
    pack = _Loader(files, problems).pack()
    problems.raise_if_any(files)
    if pack is None:  # every way to get here has noted a problem
        raise AssertionError("a pack without a head was not refused")
    return pack


class _Loader:
    def __init__(self, files: Mapping[str, str], problems: Problems) -> None:
        self.files = files
        self.problems = problems
        self.documents = Documents(files, problems)
        self.place = self.documents.place

    def pack(self) -> Pack | None:
        head = self.head()
        event_types = self.unique("event type", self.event_types(), lambda each: each.place)
        features = self.unique("feature", self.features(), lambda each: each.place)
        rules = self.unique("rule", self.rules(), lambda each: each.place)
        reasons = self.unique("reason", self.reasons(), lambda each: each.place)
        segments = self.unique("segment", self.segments(), lambda each: each.place)
        lists = self.unique("list", self.lists(), lambda each: each.place)
        actions = self.unique("action", self.actions(), lambda each: each.place)
        sources = [self.source(*row) for row in self.documents.tables("source", SourceTable)]
        if len(sources) > 1:
            self.problems.add(sources[1].place, "a pack has at most one [source]")
        if head is None:
            return None
        digest = hashlib.sha256(repr(sorted(self.files.items())).encode()).hexdigest()[:16]
        return Pack(
            name=head.name,
            version=head.version,
            about=head.about,
            prior=head.prior,
            event_types=MappingProxyType(event_types),
            features=tuple(features.values()),
            rules=tuple(rules.values()),
            reasons=MappingProxyType(reasons),
            segments=tuple(segments.values()),
            lists=MappingProxyType(lists),
            actions=MappingProxyType({each.action: each for each in actions.values()}),
            appeal=self.appeal(),
            bulk=self.bulk(event_types),
            cases=self.case_terms(event_types, reasons),
            source=sources[0] if sources else None,
            digest=digest,
            files=MappingProxyType(dict(self.files)),
        )

    def head(self) -> PackTable | None:
        before = len(self.problems.found)
        heads = list(self.documents.tables("pack", PackTable))
        if not heads and len(self.problems.found) == before == 0:
            hint = 'write [pack] with name = "..." and version = "..."'
            self.problems.add(Place("pack.toml", 1, 1), "a pack has a [pack] table, and this has none", hint=hint)
        for file, path, head in heads:
            if not 0 < head.prior < 1:
                self.problems.add(self.place(file, (*path, "prior")), "the prior is a probability between 0 and 1")
        for file, path, _ in heads[1:]:
            first = self.place(heads[0][0], heads[0][1])
            self.problems.add(
                self.place(file, path), "a pack has one [pack] table", hint=f"another is in {_spot(first)}"
            )
        return heads[0][2] if len(heads) == 1 else None

    def unique(self, what: str, items: Iterable[tuple[str, T]], place: Callable[[T], Place]) -> dict[str, T]:
        """Items by name; a name given twice is a fault."""
        found: dict[str, T] = {}
        for name, item in items:
            if name in found:
                hint = f"the first is in {_spot(place(found[name]))}"
                width = 1 if what == "event type" else len(name)  # the place of an event type is its table's
                self.problems.add(place(item), f"the {what} `{name}` is given twice", width=width, hint=hint)
            found[name] = item
        return found

    def event_types(self) -> Iterable[tuple[str, EventType]]:
        for file, path, table in self.documents.tables("event", EventTable):
            attributes = []
            for name, given in table.attributes.items():
                each = AttributeTable(type=given) if isinstance(given, str) else given
                place = self.place(file, (*path, "attributes", name))
                attributes.append(
                    Attribute(name, each.type, each.entity, each.personal, each.required, each.about, place)
                )
            name, place = str(path[-1]), self.place(file, path)
            yield name, EventType(name, table.about, tuple(attributes), _several(table.label_of), place)

    def features(self) -> Iterable[tuple[str, Feature]]:
        for file, path, table in self.documents.tables("feature", FeatureTable):
            value = self.documents.text(file, (*path, "value"), table.value)
            place = self.place(file, (*path, "name"))
            yield table.name, Feature(table.name, value, _several(table.on), table.about, place)

    def rules(self) -> Iterable[tuple[str, Rule]]:
        for file, path, table in self.documents.tables("rule", RuleTable):
            on = _several(table.on)
            yield (
                table.name,
                Rule(
                    name=table.name,
                    on=on,
                    when=self.documents.text(file, (*path, "when"), table.when),
                    score=table.score,
                    actions=MappingProxyType(_actions(table.action, on)),
                    reason=table.reason,
                    why=self.optional(file, (*path, "why"), table.why),
                    group=table.group,
                    mode=self.mode(table.mode, self.place(file, (*path, "mode"))),
                    by=table.by,
                    daily_cap=table.daily_cap,
                    owner=table.owner,
                    tests=self.tests(file, path, table),
                    place=self.place(file, (*path, "name")),
                ),
            )

    def optional(self, file: str, path: Path, source: str | None) -> Text | None:
        return self.documents.text(file, path, source) if source is not None else None

    def tests(self, file: str, path: Path, table: RuleTable) -> tuple[RuleTest, ...]:
        return tuple(
            RuleTest(
                fires=each.fires,
                events=tuple(each.events),
                about=each.about,
                place=self.place(file, (*path, "tests", index)),
                places=tuple(
                    self.place(file, (*path, "tests", index, "events", one)) for one in range(len(each.events))
                ),
                listed=MappingProxyType({name: tuple(values) for name, values in each.listed.items()}),
            )
            for index, each in enumerate(table.tests)
        )

    def mode(self, text: str, place: Place) -> Mode:
        match = _MODE.fullmatch(text)
        if match is None or (match["percent"] and not float(match["percent"])):
            what = f"there is no mode `{text}`"
            self.problems.add(place, what, width=len(text), hint='modes: "shadow", "canary 5%" (0 to 100), "live"')
            return Mode(Stage.SHADOW, 0.0)
        if match["word"]:
            return Mode(Stage(match["word"]), float(match["word"] == "live"))
        return Mode(Stage.CANARY, float(match["percent"]) / 100)

    def reasons(self) -> Iterable[tuple[str, Reason]]:
        for file, path, table in self.documents.tables("reason", ReasonTable):
            place = self.place(file, (*path, "code"))
            words = (table.user, table.reviewer, table.executive, table.clause)
            yield table.code, Reason(table.code, *words, place)

    def segments(self) -> Iterable[tuple[str, Segment]]:
        for file, path, table in self.documents.tables("segment", SegmentTable):
            when = self.optional(file, (*path, "when"), table.when)
            costs = {ACTIONS[word]: (cost.bad, cost.good) for word, cost in table.costs.items()}
            place = self.place(file, (*path, "name"))
            yield table.name, Segment(table.name, _several(table.on), when, MappingProxyType(costs), place)

    def lists(self) -> Iterable[tuple[str, ListSpec]]:
        for file, path, table in self.documents.tables("list", ListTable):
            entries = (*table.entries, *self.listed(table.file, self.place(file, (*path, "file"))))
            effect = ACTIONS[table.effect] if table.effect else None
            place = self.place(file, (*path, "name"))
            remembers = self.remembers(file, (*path, "remembers"), table.remembers)
            words = (table.name, table.about, table.entity, effect, table.reason)
            yield table.name, ListSpec(*words, entries, place, remembers)

    def remembers(self, file: str, path: Path, table: RemembersTable | None) -> Remembers | None:
        """How a list is filled by itself, where it is."""
        if table is None:
            return None
        length = parse_duration(table.length)
        if not length or length > LONGEST_MEMORY:
            what, hint = f"`{table.length}` is no time to remember somebody for", f"at most {LONGEST_MEMORY // DAY}d"
            self.problems.add(self.place(file, (*path, "for")), what, width=len(table.length), hint=f"{hint}: {HINT}")
        actions = frozenset(ACTIONS[word] for word in table.of)
        return Remembers(actions, _several(table.on), length or 0, table.shared_by)

    def listed(self, name: str | None, place: Place) -> Iterable[str]:
        """The entries in a list's file: one a line, `#` starts a comment."""
        if name is None:
            return ()
        if name not in self.files:
            texts = [each for each in self.files if each.endswith(".txt")]
            self.problems.add(place, f"there is no file `{name}`", width=len(name), hint=one_of(name, texts))
            return ()
        lines = (line.split("#")[0].strip() for line in self.files[name].split("\n"))
        return [line for line in lines if line]

    def actions(self) -> Iterable[tuple[str, ActionSpec]]:
        for file, path, table in self.documents.tables("action", ActionTable):
            name, place = str(path[-1]), self.place(file, path)
            action = ACTIONS.get(name)
            if action is None or action == Action.ALLOW:
                known = [each for each in ACTIONS if each != "allow"]
                self.problems.add(place, f"nothing can be said of `{name}` here", hint=one_of(name, known))
                continue
            length = None if table.length is None else parse_duration(table.length)
            if table.length is not None and not length:
                where = self.place(file, (*path, "for"))
                self.problems.add(where, f"`{table.length}` is no length of time", width=len(table.length), hint=HINT)
            elif length is not None and length > LONGEST_ACTION:
                where, hint = self.place(file, (*path, "for")), "leave it out, and it stands until somebody undoes it"
                self.problems.add(where, "an action of more than ten years", width=len(table.length or ""), hint=hint)
            if not 0 < table.rate <= 1:
                where, hint = self.place(file, (*path, "rate")), "a part of the usual rate: 0.25; use = false stops all"
                self.problems.add(where, "a rate is above 0 and at most 1", hint=hint)
            models = None if table.models is None else tuple(table.models)
            yield (
                name,
                ActionSpec(
                    action=action,
                    length=length,
                    use=table.use,
                    spend=table.spend,
                    rate=table.rate,
                    models=models,
                    challenge=table.challenge,
                    ends_on=table.ends_on,
                    place=place,
                ),
            )

    def appeal(self) -> Appeal | None:
        """How actions are appealed against, where the pack says so."""
        for file, path, table in self.single("appeal", AppealTable):
            if not 0 < table.days <= LONGEST_APPEAL:
                what = f"an appeal can be made for 1 to {LONGEST_APPEAL:,} days"
                self.problems.add(self.place(file, (*path, "days")), what)
            return Appeal(table.text, table.days)
        return None

    def case_terms(self, event_types: Mapping[str, EventType], reasons: Mapping[str, Reason]) -> CaseTerms | None:
        """When a decision opens a case, where the pack says so."""
        for file, path, table in self.single("cases", CasesTable):
            for name in ("hours", "minutes"):
                if not 0 < getattr(table, name) <= MOST_AT_STAKE:
                    what = f"`{name}` is a number above 0 and at most {MOST_AT_STAKE:,}"
                    self.problems.add(self.place(file, (*path, name)), what)
            opens_from = ACTIONS[table.opens_from]
            if opens_from == Action.ALLOW:
                self.problems.add(self.place(file, (*path, "from")), "every event would open a case")
            counted = {each.name for kind in event_types.values() for each in kind.attributes if each.type in _NUMBERS}
            if table.cost is not None and table.cost not in counted:
                what = f"no event type has a number `{table.cost}`"
                self.problems.add(self.place(file, (*path, "cost")), what, hint=one_of(table.cost, counted))
            self.check_skills(self.place(file, (*path, "skills")), table.skills, reasons)
            return CaseTerms(opens_from, table.cost, table.hours, table.minutes, MappingProxyType(table.skills))
        return None

    def check_skills(self, place: Place, skills: Mapping[str, str], reasons: Mapping[str, Reason]) -> None:
        """Every reason is one of the pack's, and every skill has a name that a reviewer's can have."""
        for code, skill in skills.items():
            if code not in reasons:
                self.problems.add(place, f"there is no reason `{code}`", hint=one_of(code, reasons))
            if not is_skill(skill):
                self.problems.add(place, f"`{skill}` is no name of a skill: {SKILL_HINT}")

    def single(self, section: str, shape: type[_Table]) -> Iterator[tuple[str, Path, _Table]]:
        """The one table of a section; none where there is none."""
        tables = list(self.documents.tables(section, shape))
        if len(tables) > 1:
            self.problems.add(self.place(*tables[1][:2]), f"a pack has at most one [{section}]")
        yield from tables[:1]

    def bulk(self, event_types: Mapping[str, EventType]) -> Bulk | None:
        """How it is known what accounts pay and when they began, where the pack says so."""
        tables = list(self.documents.tables("bulk", BulkTable))
        for file, path, table in tables:
            for member, what in bulk_faults(table, event_types):
                self.problems.add(self.place(file, (*path, member)), what)
        if len(tables) > 1:
            self.problems.add(self.place(*tables[1][:2]), "a pack has at most one [bulk]")
        return Bulk(*msgspec.structs.astuple(tables[0][2])) if tables else None

    def source(self, file: str, path: Path, table: SourceTable) -> Source:
        events = []
        if not table.event:
            hint = "write a [[source.event]] for each event that a row becomes"
            self.problems.add(self.place(file, path), "the source says of no event how it is made", hint=hint)
        for index, each in enumerate(table.event):
            inner = (*path, "event", index)
            delay = parse_duration(each.delay)
            if delay is None:
                where = self.place(file, (*inner, "delay"))
                self.problems.add(where, f"`{each.delay}` is no duration", width=len(each.delay), hint=HINT)
            elif delay > LONGEST_DELAY:
                where = self.place(file, (*inner, "delay"))
                self.problems.add(where, "a delay of more than ten years", width=len(each.delay))
            events.append(
                SourceEvent(
                    type=each.type,
                    when=MappingProxyType(dict(each.when)),
                    id=each.id,
                    id_prefix=each.id_prefix,
                    time=each.time,
                    delay=delay or 0,
                    attributes=MappingProxyType(dict(each.attributes)),
                    place=self.place(file, inner),
                )
            )
        return Source(table.format, table.name, table.time_format, tuple(events), self.place(file, path))


def _several(given: str | list[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(dict.fromkeys(given))


def _actions(given: str | Mapping[str, str] | None, on: tuple[str, ...]) -> dict[str, Action]:
    if given is None:
        return {}
    if isinstance(given, str):
        return dict.fromkeys(on, ACTIONS[given])
    return {event_type: ACTIONS[word] for event_type, word in given.items()}


def _spot(place: Place) -> str:
    return f"{place.file}:{place.line}"
