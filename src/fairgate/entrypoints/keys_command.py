"""`fairgate keys`: make, show, rotate and revoke API keys, whether or not a door is running."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from fairgate.domain.access import ApiKey, Scope
from fairgate.domain.audit import Doing, Kind, more_of
from fairgate.domain.errors import BadRequest, NoSuchKey, RecordsUnavailable
from fairgate.domain.event import moment
from fairgate.domain.ledger import Subject
from fairgate.domain.windows import DAY
from fairgate.entrypoints.access import REFRESH_SECONDS, new_key
from fairgate.language.durations import HINT, parse_duration
from fairgate.language.problems import one_of
from fairgate.ports.api_keys import ApiKeys
from fairgate.wiring import existing_records

#: A key that is rotated should end some day.
LONGEST_GRACE = 30 * DAY
LONGEST_NAME = 64

_SOON = f"A running door knows within {2 * REFRESH_SECONDS:.0f} seconds."
_COLUMNS = ("id", "name", "scopes", "state", "created", "expires", "last used", "follows")


@dataclass(frozen=True, slots=True)
class Keyring:
    """The API keys of a data folder, at a time, and who is at them."""

    keys: ApiKeys
    data: Path
    now: int
    by: str


@dataclass(frozen=True, slots=True)
class Made:
    """A key's text, which is never shown again, what to say of it, and what is kept of it."""

    text: str
    words: str
    key: ApiKey


class _Shown(msgspec.Struct):
    """A key as `keys list --json` shows it."""

    id: str
    name: str
    scopes: list[str]
    state: str
    created: datetime
    expires: datetime | None
    last_used: datetime | None
    revoked: datetime | None
    rotated_from: str | None


def create(keys: ApiKeys, now: int, name: str, scopes: Sequence[str], length: str = "") -> Made:
    """Make a key that works for a length of time such as `90d`, empty for good.

    Raises `BadRequest` where the name, a scope or the length is none.
    """
    expires = now + _length(length, "--for") if length else None
    text, key = new_key(_name(name), _scopes(scopes), now, expires)
    keys.add(key)
    return Made(text, f"{_made(key)} {_SOON}", key)


def rotate(keys: ApiKeys, now: int, key_id: str, grace: str) -> Made:
    """Make a key of the same name, scopes and length of life; the old one goes on working for the grace time.

    Raises `NoSuchKey`, `KeyEnded`, and `BadRequest` where the grace time is none.
    """
    wait = _length(grace, "--grace", least=0, most=LONGEST_GRACE)
    old = next((key for key in keys.all() if key.id == key_id), None)
    if old is None:
        raise NoSuchKey(key_id)
    expires = None if old.expires is None else now + (old.expires - old.created)
    text, key = new_key(old.name, old.scopes, now, expires, rotated_from=old.id)
    keys.rotate(key_id, key, now + wait)
    ends = now + wait if old.expires is None else min(old.expires, now + wait)
    return Made(text, f"{_made(key)} {key_id} works until {_minute(ends)} UTC. {_SOON}", key)


def revoke(keys: ApiKeys, now: int, key_id: str) -> str:
    """End a key at once; returns what to say of it. Raises `NoSuchKey` or `KeyEnded`."""
    keys.revoke(key_id, now)
    return f"Revoked {key_id}. {_SOON}"


def note(ring: Keyring, what: Kind, key_id: str, **facts: str) -> str:
    """Note in the audit log what was done about a key; returns what to warn of where that can't be.

    Where there are no records yet nothing is noted. What was done stays done: a key that others may have seen must end
    also while the records can't be used.
    """
    doing = Doing(ring.now, ring.by, "", what, Subject("api_key", key_id), more=more_of(**facts) if facts else "")
    try:
        with existing_records(ring.data) as records:
            if records is not None:
                records.audit.append([doing])
    except RecordsUnavailable as error:
        return f"This does not stand in the audit log. {error}"
    return ""


def as_table(keys: ApiKeys, now: int) -> str:
    """All keys as a table, newest last. Times are UTC."""
    rows = [_COLUMNS, *(_row(key, now) for key in keys.all())]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def as_json(keys: ApiKeys, now: int) -> str:
    """All keys as a JSON array, newest last."""
    shown = [
        _Shown(
            id=key.id,
            name=key.name,
            scopes=_in_order(key),
            state=key.state(now),
            created=moment(key.created),
            expires=_moment(key.expires),
            last_used=_moment(key.last_used),
            revoked=_moment(key.revoked),
            rotated_from=key.rotated_from,
        )
        for key in keys.all()
    ]
    return msgspec.json.format(msgspec.json.encode(shown), indent=2).decode()


def _row(key: ApiKey, now: int) -> tuple[str, ...]:
    times = (_minute(key.created), _minute(key.expires), _minute(key.last_used))
    return (key.id, key.name, scopes_of(key), key.state(now), *times, key.rotated_from or "-")


def scopes_of(key: ApiKey) -> str:
    """A key's scopes as one text."""
    return ",".join(_in_order(key))


def _in_order(key: ApiKey) -> list[str]:
    return [scope.value for scope in Scope if scope in key.scopes]


def _moment(time: int | None) -> datetime | None:
    return None if time is None else moment(time)


def _minute(time: int | None) -> str:
    return "-" if time is None else f"{moment(time):%Y-%m-%d %H:%M}"


def _made(key: ApiKey) -> str:
    until = "" if key.expires is None else f", which works until {_minute(key.expires)} UTC"
    return f"Made the key {key.id}{until}. Its text is shown this once."


def _name(text: str) -> str:
    name = text.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadRequest(
            f"Say who uses the key, such as --name signup-service: 1 to {LONGEST_NAME} characters that can be printed."
        )
    return name


def _scopes(words: Sequence[str]) -> frozenset[Scope]:
    known = {scope.value: scope for scope in Scope}
    if not words:
        raise BadRequest(f"Say what the key is for, such as --scope decide ({one_of('', known)}).")
    for word in words:
        if word not in known:
            raise BadRequest(f"There is no scope `{word}` ({one_of(word, known)}).")
    return frozenset(known[word] for word in words)


def _length(text: str, option: str, *, least: int = 1, most: int | None = None) -> int:
    length = parse_duration(text)
    if length is None or length < least or (most is not None and length > most):
        limit = "" if most is None else f", at most {most // DAY}d"
        raise BadRequest(f'`{option}` takes a length of time{limit}: {HINT}; "{text}" is none.')
    return length
