"""Entities as records have them: canonical, and by their tokens where they are personal, as the ledger knows them."""

from collections.abc import Callable
from typing import Any, TypeAlias

from fairgate.domain.pack import Attribute
from fairgate.domain.secret import token_text
from fairgate.enforce.subjects import plain
from fairgate.ingest.identifiers import TYPES
from fairgate.pipeline.records import EventRecord, PackRecord

ReadValue: TypeAlias = Callable[[EventRecord], str | None]


def read_by(live: PackRecord, event_type: str, attribute: Attribute) -> ReadValue:
    """How an attribute that is an entity is read from a type's records that were written under this pack."""
    public, tokens = live.public[event_type], live.tokens.get(event_type, ())
    if attribute.name in tokens:
        at, version = tokens.index(attribute.name), live.secret

        def token(record: EventRecord) -> str | None:
            found = record.tokens[at]
            return None if found is None else token_text(version, found)

        return token
    place, semantic = public.index(attribute.name), TYPES.get(attribute.type)
    canonical: Callable[[Any], str] = plain if semantic is None else semantic.canonical

    def value(record: EventRecord) -> str | None:
        found = record.public[place]
        return None if found is None else canonical(found)

    return value
