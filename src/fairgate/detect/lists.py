"""Named lists whose entries expire. Entries are kept in the canonical form of what they list."""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from fairgate.domain.errors import BadEntry, NoSuchList
from fairgate.language.checked import CheckedPack

#: The end of an entry that does not expire by itself: pack entries only.
FOREVER = 1 << 62
_value = attrgetter("value")


class Lists:
    """The lists of a pack: each a mapping of value to the time (microseconds) until which it stands."""

    def __init__(self, checked: CheckedPack) -> None:
        self._canonical = {spec.name: _canonical(checked, spec.entity) for spec in checked.pack.lists.values()}
        self._held: dict[str, dict[str, int]] = {
            spec.name: {self._canonical[spec.name](entry): FOREVER for entry in spec.entries}
            for spec in checked.pack.lists.values()
        }

    def bindings(self) -> Mapping[str, Any]:
        """The lists by the names that generated functions know them by: the same objects, so changes show at once."""
        return {f"list_{name}": held for name, held in self._held.items()}

    def canonical(self, name: str, value: str) -> str:
        """How a value stands in a list. Raises `NoSuchList`, or `BadEntry` where it can't."""
        if name not in self._held:
            raise NoSuchList(name, tuple(self._held))
        try:
            return self._canonical[name](value)
        except ValueError as error:
            raise BadEntry(name, str(error)) from error

    def put(self, name: str, value: str, until: int) -> None:
        """Enter a value until a time; a time that has passed takes it off. Raises as `canonical`."""
        canonical = self.canonical(name, value)
        self._held[name][canonical] = until

    def entries(self, now: int) -> dict[str, dict[str, int]]:
        """What stands in each list at a time."""
        return {
            name: {value: until for value, until in held.items() if until > now} for name, held in self._held.items()
        }

    def restore(self, entries: Mapping[str, Mapping[str, int]]) -> None:
        """Hold just the entries of a snapshot: one that the pack's files have may have been taken off since."""
        for name, held in self._held.items():
            held.clear()
            held.update(entries[name])


def _canonical(checked: CheckedPack, entity: str | None) -> Callable[[str], str]:
    """How an entry is brought into the form that events are compared in."""
    for event_type in checked.pack.event_types.values():
        for attribute in event_type.attributes:
            if entity is not None and attribute.entity == entity and attribute.type in checked.semantics:
                parse = checked.semantics[attribute.type].parse
                return lambda text: str(_value(parse(text)))
    return str
