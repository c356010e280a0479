"""The entities of an event as the ledger knows them: canonical, and by their tokens where they are personal."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from fairgate.domain.ledger import Subject
from fairgate.domain.pack import Attribute
from fairgate.domain.secret import Tokens
from fairgate.enforce.ledger import Ledger
from fairgate.language.checked import CheckedPack

#: The kind of entity that entries follow from decisions on.
ACCOUNT: Final = "account"

_Read = Callable[[Any], str | None]


@dataclass(frozen=True, slots=True)
class Subjects:
    """The entities of one event type's events: how each is read, by its kind."""

    reads: tuple[tuple[str, _Read], ...]

    def account(self, data: object) -> Subject | None:
        """The account of an event; None where it has none."""
        for kind, read in self.reads:
            if kind == ACCOUNT:
                value = read(data)
                return None if value is None else Subject(kind, value)
        return None

    def held(self, data: object, ledger: Ledger) -> list[int]:
        """The numbers of what a ledger holds of an event's entities."""
        numbers: list[int] = []
        kinds = ledger.held
        for kind, read in self.reads:
            held = kinds.get(kind)
            if held:  # reading costs more than looking: a value may have to be brought into its form, or hashed
                value = read(data)
                numbers += held.get(value, ()) if value is not None else ()
        return numbers


def subjects_of(checked: CheckedPack, event_type: str, tokens: Tokens) -> Subjects:
    """How the entities of an event type's events are read."""
    attributes = checked.pack.event_types[event_type].attributes
    return Subjects(
        tuple((each.entity, _reader(each, checked, tokens)) for each in attributes if each.entity is not None)
    )


def _reader(attribute: Attribute, checked: CheckedPack, tokens: Tokens) -> _Read:
    name, semantic = attribute.name, checked.semantics.get(attribute.type)
    canonical: Callable[[Any], str] = plain if semantic is None else semantic.canonical

    def read(data: object) -> str | None:
        value = getattr(data, name)
        if value is None:
            return None
        text = canonical(value)
        return tokens.text(text) if attribute.personal else text

    return read


def plain(value: object) -> str:
    """A value without a form of its own, as it is asked for: a number that is whole without its point."""
    if isinstance(value, str):
        return value
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
