"""The audit log: who did or read what, when and why, in rows chained by hash; and anchors that vouch for them."""

import hmac
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec

from fairgate.domain.ledger import Subject
from fairgate.domain.secret import Secrets, derived

#: What the first row has in place of the hash of the row before.
ROOT: Final = "0" * 64
#: Goes up when rows are hashed otherwise.
_ENCODING: Final = 1
_PURPOSE: Final = "audit anchors"
_encode = msgspec.msgpack.Encoder().encode


class Kind(StrEnum):
    """What was done. What is about lists, switches, actions, erasures and packs is read from the log."""

    ASKED = "query.asked"
    ASKED_PERSONAL = "query.asked_personal"
    ENDED = "query.ended"
    REFUSED = "refused"
    OLD_FILE = "audit.old_file"
    GOLD = "gold.made"
    NO_GOLD = "gold.undone"
    READ = "personal.read"
    ROSTERED = "reviewer.put"
    LABELLED = "label.given"
    LISTED = "list.put"
    ALLOWED = "allow.put"
    DELISTED = "list.taken_off"
    SWITCHED_OFF = "switch.off"
    SWITCHED_ON = "switch.on"
    ACTED = "action.taken"
    UNDONE = "action.undone"
    ERASED = "erased"
    PACK_LIVE = "pack.live"
    ACKNOWLEDGED = "audit.acknowledged"
    LOGGED_IN = "session.begun"
    LOGGED_OUT = "session.ended"
    NOT_LET_IN = "session.refused"
    PERSON_ADDED = "person.added"
    ROLE = "person.role"
    PERSON_OFF = "person.off"
    PERSON_ON = "person.on"
    REKEYED = "person.password"
    CODES_TAKEN = "person.codes_taken"
    CODES_GONE = "person.codes_gone"
    BOUND = "person.bound_to_oidc"
    KEY_MADE = "key.made"
    KEY_ROTATED = "key.rotated"
    KEY_REVOKED = "key.revoked"


#: What counts as reading of personal values.
READINGS: Final = (Kind.READ, Kind.ASKED_PERSONAL)


class Doing(msgspec.Struct, frozen=True, gc=False):
    """Something that was done or read. Times are microseconds since 1970 UTC. `what` is a `Kind`.

    `by` is who did it, and `key` the id of their API key where it is known. `about` never has a personal value: a token
    or a number stands for it. `why` is what they stated, `case` the case they stated. What comes from the log has the
    number of its record, `sequence`. `more` is empty or the text of a JSON object.
    """

    time: int
    by: str
    key: str
    what: str
    about: Subject
    why: str = ""
    case: int | None = None
    sequence: int | None = None
    more: str = ""


class Doer(NamedTuple):
    """Who does something at a time, by the id of an API key or a session where there is one."""

    at: int
    by: str
    key: str = ""


class Row(msgspec.Struct, frozen=True, gc=False):
    """A doing in its place: rows count from 1 without a gap. `previous` is the hash of the one before, in hex."""

    number: int
    doing: Doing
    previous: str
    hash: str


class Head(NamedTuple):
    """Where the log ends: how many rows there are, and the hash of the last."""

    rows: int = 0
    hash: str = ROOT


class Anchor(msgspec.Struct, frozen=True, gc=False):
    """Vouches that the first `count` rows were those whose last has the hash `head`, by the secret of a version.

    Where `kept` is not -1, somebody acknowledged that of what older anchors speak of only so many rows are still there,
    and said `why`.
    """

    count: int
    head: str
    version: int
    mac: bytes
    kept: int = -1
    by: str = ""
    why: str = ""

    def holds(self, secrets: Secrets) -> bool | None:
        """Whether the secret has signed it; None where its version is not known any more."""
        secret = secrets.versions.get(self.version)
        return None if secret is None else hmac.compare_digest(self.mac, _mac(secret, self))


def signed(head: Head, secrets: Secrets, *, kept: int = -1, by: str = "", why: str = "") -> Anchor:
    """An anchor under the newest secret."""
    bare = Anchor(head.rows, head.hash, secrets.newest, b"", kept, by, why)
    return msgspec.structs.replace(bare, mac=_mac(secrets.current, bare))


def _mac(secret: int, anchor: Anchor) -> bytes:
    said = (anchor.count, anchor.head, anchor.version, anchor.kept, anchor.by, anchor.why)
    return hmac.digest(derived(secret, _PURPOSE), _encode(said), "sha256")


def chained(head: Head, doing: Doing) -> Row:
    """The row that follows on the last."""
    number = head.rows + 1
    return Row(number, doing, head.hash, hash_of(number, doing, head.hash))


def hash_of(number: int, doing: Doing, previous: str) -> str:
    """What a row's hash must be: SHA-256 of msgpack, an array of all of it in this order."""
    about = doing.about
    said = (doing.time, doing.by, doing.key, str(doing.what), about.kind, about.value, doing.why, doing.case)
    return sha256(_encode((_ENCODING, number, *said, doing.sequence, doing.more, previous))).hexdigest()


def fingerprint(query: str) -> str:
    """The hash that stands for a query's text. A lone surrogate is as good a text as any here."""
    return sha256(query.encode("utf-8", "surrogatepass")).hexdigest()


def more_of(**facts: str | int | bool) -> str:
    """Further facts as a row has them."""
    return msgspec.json.encode(facts, order="sorted").decode()
