"""Records of the log that are there for the audit log alone: who read personal values or labelled, and anchors."""

from typing import TypeAlias

import msgspec

from fairgate.domain.audit import Anchor
from fairgate.domain.ledger import Subject


class ReadRecord(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag="read", gc=False):
    """Somebody read personal values of what is named, an event by its number or an entity by its token, and said why.

    `key` is the id of their API key, `case` the case that they named.
    """

    received: int
    by: str
    key: str
    about: Subject
    why: str
    case: int | None = None


class LabelledRecord(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag="labelled", gc=False):
    """Somebody gave a label, the event of the type and id that stands next, about the event of a number.

    `bad` is None where they could not tell. `key` is the id of their API key.
    """

    received: int
    by: str
    key: str
    about: int
    type: str
    id: str
    bad: bool | None


class AnchorRecord(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag="anchor", gc=False):
    """Where the audit log ended, signed. See `domain.audit.Anchor`, whose members these are."""

    received: int
    count: int
    head: str
    version: int
    mac: bytes
    kept: int = -1
    by: str = ""
    why: str = ""

    @property
    def anchor(self) -> Anchor:
        """What it vouches for."""
        return Anchor(self.count, self.head, self.version, self.mac, self.kept, self.by, self.why)


#: What stands in the log for the audit log alone: nothing is decided by it.
Noted: TypeAlias = ReadRecord | LabelledRecord | AnchorRecord
