"""Check what expressions speak of: event types, their attributes, lists, and all names."""

import keyword
import re
from collections.abc import Iterable, Mapping

from fairgate.domain.action import Action
from fairgate.domain.pack import ActionSpec, Attribute, EventType, ListSpec, Pack, Place, Remembers
from fairgate.language.aggregates import AGGREGATES
from fairgate.language.functions import FUNCTIONS
from fairgate.language.places import KEY, Path
from fairgate.language.pointer import Pointer
from fairgate.language.problems import one_of, with_article
from fairgate.language.semantic import SemanticType
from fairgate.language.tree import PLAIN_TYPES, Kind

#: What attributes, features and rules may not be called: the language and the rules' tests use these names.
RESERVED = frozenset({"time", "list", "known", "id", "type", "after", "repeat", *FUNCTIONS, *AGGREGATES})

_EVENT_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
_LONGEST_NAME = 100
#: Accounts that may share an identifier which is still remembered as somebody's.
_MOST_SHARED = 100
#: Bad entries of one list that are told, so that a file of the wrong kind doesn't drown the rest.
_MOST_ENTRIES_TOLD = 3


class Declarations:
    """The event types, attributes and lists of a pack, while they are checked."""

    def __init__(self, pack: Pack, semantics: Mapping[str, SemanticType], pointer: Pointer) -> None:
        self.pack = pack
        self.semantics = semantics
        self.pointer = pointer
        self.entity_types: dict[str, tuple[str, str]] = {}
        self.personal: dict[tuple[str, str], tuple[bool, str]] = {}

    def check(self) -> None:
        """Note every fault of theirs."""
        if not self.pack.event_types:
            hint = 'write [event."account.signup"]'
            self.pointer.note(Place("pack.toml", 1, 1), (), "the pack has no event type", hint)
        for event_type in self.pack.event_types.values():
            self.event_type(event_type)
        for spec in self.pack.lists.values():
            self.list(spec)
        for action in self.pack.actions.values():
            self.action(action)

    def plain_name(self, what: str, name: str, place: Place, keys: Path = ()) -> bool:
        """Whether a name is one that generated code can use; noted if not."""
        plain = name.isascii() and name.isidentifier() and not keyword.iskeyword(name)
        if plain and name[0] != "_" and len(name) <= _LONGEST_NAME:
            return True
        hint = f"letters, digits and underscores, starting with a letter, at most {_LONGEST_NAME}"
        self.pointer.note(place, keys, f"`{name}` can't be the name of {with_article(what)}", hint)
        return False

    def free_name(self, what: str, name: str, place: Place) -> None:
        """Note a name that is none, or that the language itself uses."""
        keys = (KEY,) if what == "attribute" else ()
        if self.plain_name(what, name, place, keys) and name in RESERVED:
            self.pointer.note(place, keys, f"`{name}` is a word of the rule language", "choose another name")

    def all_exist(self, names: Iterable[str], place: Place, key: str) -> bool:
        """Whether the pack has all the event types that stand under a key, alone or as an array; noted if not."""
        missing = [(index, name) for index, name in enumerate(names) if name not in self.pack.event_types]
        for index, name in missing:
            hint = one_of(name, self.pack.event_types)
            self.pointer.note(place, (key, index), f"there is no event type `{name}`", hint)
        return not missing

    def event_type(self, event_type: EventType) -> None:
        """Note the faults of an event type."""
        name, place = event_type.name, event_type.place
        if not _EVENT_TYPE.fullmatch(name) or len(name) > _LONGEST_NAME:
            hint = "letters, digits, dots and underscores, such as account.signup"
            self.pointer.note(place, (), f"`{name}` can't be the name of an event type", hint)
        for attribute in event_type.attributes:
            self.attribute(event_type, attribute)
        if event_type.label_of and self.all_exist(event_type.label_of, place, "label_of"):
            of, bad = event_type.attribute("of"), event_type.attribute("bad")
            if of is None or of.type != "text" or not of.required or bad is None or bad.type != "bool":
                what = "a label needs the id of the event it speaks of, and what it says"
                hint = 'attributes of = { type = "text", required = true } and bad = "bool"'
                self.pointer.note(place, (), what, hint)

    def attribute(self, event_type: EventType, attribute: Attribute) -> None:
        """Note the faults of an attribute."""
        kind, place = attribute.type, attribute.place
        self.free_name("attribute", attribute.name, place)
        known = [*PLAIN_TYPES, *self.semantics]
        if kind not in known:
            self.pointer.note(place, ("type",), f"there is no type `{kind}`", one_of(kind, known))
        elif attribute.entity is not None:
            self.entity(attribute.entity, kind, event_type.name, place)
        self.privacy(attribute, event_type.name)

    def privacy(self, attribute: Attribute, event_type: str) -> None:
        """Note an attribute that is personal in one event type only: it would be sealed here and clear there."""
        for what, name in (("attribute", attribute.name), ("entity", attribute.entity)):
            if name is None:
                continue
            first, where = self.personal.setdefault((what, name), (attribute.personal, event_type))
            if attribute.personal != first:
                here, there = ("personal", "not") if attribute.personal else ("not personal", "so")
                told = f"the {what} `{name}` is {here} here and {there} in {where}"
                self.pointer.note(attribute.place, ("personal",), told, "personal = true belongs to all or to none")
                return

    def entity(self, entity: str, kind: str, event_type: str, place: Place) -> None:
        """Note what is wrong with an attribute of a known type that identifies an entity."""
        self.plain_name("entity", entity, place, ("entity",))
        if PLAIN_TYPES.get(kind) in (Kind.BOOL, Kind.TIME):
            self.pointer.note(place, ("type",), f"{with_article(kind)} can't identify an entity")
            return
        first, where = self.entity_types.setdefault(entity, (kind, event_type))
        if kind != first:
            what = f"the entity `{entity}` is {with_article(kind)} here and {with_article(first)} in {where}"
            self.pointer.note(place, ("entity",), what, "give both the same type, or one another entity")

    def list(self, spec: ListSpec) -> None:
        """Note the faults of a list."""
        self.plain_name("list", spec.name, spec.place)
        if spec.effect is not None and spec.entity is None:
            what = "a list with an effect needs the entity it acts on"
            self.pointer.note(spec.place, ("effect",), what, 'add entity = "account"')
        self.reason(spec)
        if spec.entity is None:
            return
        if spec.entity not in self.entity_types:
            hint = one_of(spec.entity, self.entity_types)
            self.pointer.note(spec.place, ("entity",), f"no event type has an entity `{spec.entity}`", hint)
            return
        kind, _ = self.entity_types[spec.entity]
        if kind in self.semantics:
            self.entries(spec, self.semantics[kind])
        if spec.remembers is not None:
            self.remembers(spec, spec.remembers)

    def remembers(self, spec: ListSpec, how: Remembers) -> None:
        """Note what is wrong with how a list is filled by itself."""
        if not how.actions:
            hint = 'of = ["ban"], or ["ban", "suspend"]'
            self.pointer.note(spec.place, ("remembers", "of"), "no action is named", hint)
        if not 1 <= how.shared_by <= _MOST_SHARED:
            what = f"`shared_by` is a whole number from 1 to {_MOST_SHARED}"
            self.pointer.note(spec.place, ("remembers", "shared_by"), what)
        if spec.effect == Action.ALLOW:
            hint = "take the effect away, or let rules ask for the list"
            self.pointer.note(spec.place, ("effect",), "whoever is remembered would be spared", hint)
        if not how.on:
            self.pointer.note(spec.place, ("remembers", "on"), "no event type is named", 'on = "account.signup"')
        if self.all_exist(how.on, spec.place, "remembers"):
            for name in how.on:
                self.seen_with(spec, self.pack.event_types[name])

    def seen_with(self, spec: ListSpec, event_type: EventType) -> None:
        """Note an event type that tells of no account, or of nothing that a list can remember of it by tokens."""
        keys, attributes = ("remembers", "on"), event_type.attributes
        if event_type.attribute("account") is None:
            self.pointer.note(spec.place, keys, f"{event_type.name} has no attribute `account`")
        if not any(each.entity == spec.entity for each in attributes):
            self.pointer.note(spec.place, keys, f"{event_type.name} has no entity `{spec.entity}`")
        if any(each.entity == spec.entity and not each.personal for each in attributes):
            what = f"the entity `{spec.entity}` is not personal, and only what has tokens is remembered"
            self.pointer.note(spec.place, ("entity",), what, "mark it as personal = true")

    def action(self, spec: ActionSpec) -> None:
        """Note the faults of what is said of an action."""
        name = spec.ends_on
        if name is None or not self.all_exist([name], spec.place, "ends_on"):
            return
        if not any(each.entity == "account" for each in self.pack.event_types[name].attributes):
            what = f"{name} is about no account, whose action could end by it"
            self.pointer.note(spec.place, ("ends_on",), what, 'give it an attribute with entity = "account"')

    def reason(self, spec: ListSpec) -> None:
        """Note what is wrong with the reason that a list gives for its effect."""
        if spec.reason and spec.reason not in self.pack.reasons:
            hint = one_of(spec.reason, self.pack.reasons)
            self.pointer.note(spec.place, ("reason",), f"there is no reason `{spec.reason}`", hint)
        if not spec.reason and spec.effect not in (None, Action.ALLOW):
            hint = 'add reason = "code", with the code of a [[reason]]'
            self.pointer.note(spec.place, ("effect",), "a list that acts against an entity needs a reason", hint)

    def entries(self, spec: ListSpec, semantic: SemanticType) -> None:
        """Note entries that can't be what the list's entity is."""
        told = 0
        for index, entry in enumerate(spec.entries):
            try:
                semantic.parse(entry)
            except ValueError as error:
                what = f"`{entry}` in the list `{spec.name}` is no {semantic.name}: it {error}"
                self.pointer.note(spec.place, ("entries", index), what)
                told += 1
                if told == _MOST_ENTRIES_TOLD:
                    return
