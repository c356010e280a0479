"""Named lists whose entries expire. Entries are kept in the canonical form of what they list.

Where that is a personal text, its token is kept instead: a list tells nobody who is on it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairgate.domain.errors import BadEntry, NoSuchList
from fairgate.domain.pack import ListSpec
from fairgate.domain.secret import Tokens, is_token_text
from fairgate.language.checked import CheckedPack

#: The end of an entry that does not expire by itself: pack entries only.
FOREVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Told:
    """Who put an entry in its list, and why."""

    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A value that stands in a list until a time. Nothing is told of one that came with the pack."""

    value: str
    until: int
    told: Told | None


class _TokenList:
    """A list of tokens, asked about texts. `older` are the tokens under older secrets that are in it."""

    def __init__(self, held: Mapping[str, int], tokens: Tokens, older: Sequence[Tokens]) -> None:
        self._held = held
        self._tokens = tokens
        self._older = older

    def get(self, text: str | None, default: int) -> int:
        """The end of a text's entry, the latest where it stands under several secrets."""
        if text is None:
            return default
        end = self._held.get(self._tokens.text(text), default)
        for tokens in self._older:
            end = max(end, self._held.get(tokens.text(text), default))
        return end


class Lists:
    """The lists of a pack: each a mapping of value to the time (microseconds) until which it stands.

    Without `tokens` personal texts are kept as they are. A token under a version of the secret that is among `older`
    still stands for its text.
    """

    def __init__(self, checked: CheckedPack, tokens: Tokens | None = None, older: Sequence[Tokens] = ()) -> None:
        self._canonical = {spec.name: _canonical(checked, spec.entity) for spec in checked.pack.lists.values()}
        self._tokens = tokens
        self._older = {f"t{each.version}": each for each in older}
        self._personal = frozenset(spec.name for spec in checked.pack.lists.values() if _is_personal(checked, spec))
        self._shipped: Mapping[str, Mapping[str, int]] = {
            spec.name: {self._kept(spec.name, self._canonical[spec.name](entry)): FOREVER for entry in spec.entries}
            for spec in checked.pack.lists.values()
        }
        self._held = {name: dict(entries) for name, entries in self._shipped.items()}
        self._told: dict[str, dict[str, Told]] = {name: {} for name in self._held}
        self._specs = checked.pack.lists
        #: Of lists that remember: what was put there by the pack or by hand, and who said so; what is held is both.
        self._put: dict[str, dict[str, tuple[int, Told | None]]] = {
            spec.name: dict.fromkeys(self._shipped[spec.name], (FOREVER, None))
            for spec in checked.pack.lists.values()
            if spec.remembers is not None
        }
        self._remembered: dict[str, dict[str, tuple[int, Told | None]]] = {name: {} for name in self._put}
        self._under: dict[str, list[Tokens]] = {name: [] for name in self._personal}

    def bindings(self) -> Mapping[str, Any]:
        """The lists by the names that generated functions know them by: the same objects, so changes show at once."""
        tokens = self._tokens
        return {
            f"list_{name}": _TokenList(held, tokens, self._under[name])
            if tokens is not None and name in self._personal
            else held
            for name, held in self._held.items()
        }

    def is_personal(self, name: str) -> bool:
        """Whether a list's entries are personal texts, so that their tokens stand for them."""
        return name in self._personal

    def canonical(self, name: str, value: str) -> str:
        """How a value stands in a list; the token of a personal text is taken as it is.

        Raises `NoSuchList`, or `BadEntry` where the value can't stand in it.
        """
        if name not in self._held:
            raise NoSuchList(name, tuple(self._held))
        if name in self._personal and is_token_text(value):
            return value
        try:
            return self._canonical[name](value)
        except ValueError as error:
            raise BadEntry(name, str(error)) from error

    def put(self, name: str, value: str, until: int, told: Told | None = None) -> None:
        """Enter a value until a time; a time that has passed takes it off. Raises as `canonical`."""
        kept = self._kept(name, self.canonical(name, value))
        if name in self._put:
            self._put[name][kept] = until, told
            self._settle(name, kept)
        else:
            self._stand(name, kept, until, told)

    def hold(self, name: str, token: str, until: int, told: Told | None) -> None:
        """Let the token of what is remembered stand in a list until a time, 0 for no longer.

        What was put there by hand stands beside it. A list that does not remember, or that the pack has not, is left
        as it is.
        """
        if name not in self._remembered:
            return
        self._remembered[name].pop(token, None)
        if until:
            self._remembered[name][token] = until, told
        self._settle(name, token)

    def forget_texts(self) -> None:
        """Hold no text under an older secret any more."""
        for each in self._older.values():
            each.forget()

    def standing(self, name: str, now: int) -> list[Entry]:
        """What stands in a list at a time, by value. Raises `NoSuchList`."""
        if name not in self._held:
            raise NoSuchList(name, tuple(self._held))
        told = self._told[name]
        return [
            Entry(value, until, told.get(value)) for value, until in sorted(self._held[name].items()) if until > now
        ]

    def entry(self, name: str, value: str) -> Entry:
        """The entry of a value, with 0 as its end where there never was one. Raises as `canonical`."""
        kept = self._kept(name, self.canonical(name, value))
        return Entry(kept, self._held[name].get(kept, 0), self._told[name].get(kept))

    def listing(self, kind: str, value: str, now: int) -> dict[str, Entry]:
        """The entries of an entity in the lists of its kind that it stands in at a time.

        `value` is canonical, or the token of what is personal.
        """
        kept = {spec.name: self._kept(spec.name, value) for spec in self._specs.values() if spec.entity == kind}
        return {
            name: Entry(each, until, self._told[name].get(each))
            for name, each in kept.items()
            if (until := self._held[name].get(each, 0)) > now
        }

    def entries(self, now: int) -> dict[str, dict[str, int]]:
        """What stands in each list at a time."""
        return {
            name: {value: until for value, until in held.items() if until > now} for name, held in self._held.items()
        }

    def bare(self, name: str) -> bool:
        """Whether a list is the pack's, and its files have nothing in it: an entry that has ended is like none."""
        return name in self._shipped and not self._shipped[name]

    def reset(self) -> None:
        """Hold just what came with the pack."""
        for name, held in self._held.items():
            held.clear()
            held.update(self._shipped[name])
            self._told[name].clear()
        for name, put in self._put.items():
            put.clear()
            put.update(dict.fromkeys(self._shipped[name], (FOREVER, None)))
            self._remembered[name].clear()
        for under in self._under.values():
            under.clear()

    def _settle(self, name: str, kept: str) -> None:
        """Let an entry stand as long as what was put, or what is remembered, does."""
        put, remembered = self._put[name].get(kept), self._remembered[name].get(kept)
        found = [each for each in (put, remembered) if each is not None]
        if found:
            self._stand(name, kept, *max(found, key=lambda each: each[0]))
        else:
            self._held[name].pop(kept, None)
            self._told[name].pop(kept, None)

    def _stand(self, name: str, kept: str, until: int, told: Told | None) -> None:
        self._held[name][kept] = until
        self._told[name].pop(kept, None)
        if told is not None:
            self._told[name][kept] = told
        older = self._older.get(kept.partition(":")[0]) if name in self._personal else None
        if older is not None and older not in self._under[name]:
            self._under[name].append(older)

    def _kept(self, name: str, value: str) -> str:
        """What stands for a canonical value; a token stands for itself."""
        if self._tokens is None or name not in self._personal or is_token_text(value):
            return value
        return self._tokens.text(value)


def _is_personal(checked: CheckedPack, spec: ListSpec) -> bool:
    """Whether a list is of an entity that is personal, in one event type and so in all."""
    attributes = [each for event_type in checked.pack.event_types.values() for each in event_type.attributes]
    return spec.entity is not None and any(
        each.entity == spec.entity and each.personal and (each.type == "text" or each.type in checked.semantics)
        for each in attributes
    )


def _canonical(checked: CheckedPack, entity: str | None) -> Callable[[str], str]:
    """How an entry is brought into the form that events are compared in."""
    for event_type in checked.pack.event_types.values():
        for attribute in event_type.attributes:
            if entity is not None and attribute.entity == entity and attribute.type in checked.semantics:
                return checked.semantics[attribute.type].canonical
    return str
