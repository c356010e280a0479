"""API keys in one SQLite file, for any number of processes on one machine. `open_api_keys` opens it."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from fairgate.domain.access import ApiKey, Scope
from fairgate.domain.errors import KeyEnded, KeysUnavailable, NoSuchKey

FORMAT: Final = 1
"""The version of the file's format, in its `user_version`."""

_BUSY_SECONDS = 5.0
#: SQLite does not wait by itself for another that makes the file a WAL one at the same time.
_WAL_ATTEMPTS, _WAL_PAUSE = 100, 0.05
_CREATE = """
create table key (
    number       integer primary key,
    id           text not null unique,
    name         text not null,
    scopes       text not null,
    secret_hash  blob not null,
    created      integer not null,
    expires      integer,
    rotated_from text,
    revoked      integer,
    last_used    integer
) strict
"""
_COLUMNS = "id, name, scopes, secret_hash, created, expires, rotated_from, revoked, last_used"
_ALL = f"select {_COLUMNS} from key order by number"  # noqa: S608 - constants
_ONE = f"select {_COLUMNS} from key where id = ?"  # noqa: S608 - constants
_ADD = f"insert into key ({_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants


@contextmanager
def open_api_keys(path: Path) -> Iterator["SqliteApiKeys"]:
    """The API keys of a file, made where it is missing, readable by its owner alone. Closed on leaving.

    Raises `KeysUnavailable`, also where a newer Fairgate wrote the file.
    """
    keys = SqliteApiKeys(path)
    try:
        yield keys
    finally:
        keys.close()


class SqliteApiKeys:
    """API keys in a SQLite file. Readers and the writer don't wait for each other (WAL)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()  # one statement or transaction of this connection at a time
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        try:
            with self._told():
                self._use_wal()
                self._connection.execute("pragma synchronous = full")
                self._check_format()
        except BaseException:
            self._connection.close()
            raise

    def _use_wal(self) -> None:
        for _ in range(_WAL_ATTEMPTS):
            with suppress(sqlite3.OperationalError):
                self._connection.execute("pragma journal_mode = wal")
                return
            time.sleep(_WAL_PAUSE)
        self._connection.execute("pragma journal_mode = wal")

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        with self._lock:
            self._connection.close()

    def all(self) -> list[ApiKey]:
        """Every key that was ever made, in the order in which they were made."""
        with self._lock, self._told():
            return [_key(row) for row in self._connection.execute(_ALL)]

    def add(self, key: ApiKey) -> None:
        """Keep a new key."""
        with self._lock, self._changing():
            self._connection.execute(_ADD, _row(key))

    def rotate(self, old: str, new: ApiKey, until: int) -> None:
        """Keep `new`, the follower of the key with the id `old`, and let the old one end at `until` at the latest."""
        with self._lock, self._changing():
            before = self._one(old)
            state = before.state(new.created)
            if state != "active":
                raise KeyEnded(old, f"is {state}: make a new key with `fairgate keys create`")
            follower = self._connection.execute("select id from key where rotated_from = ?", (old,)).fetchone()
            if follower is not None:
                raise KeyEnded(old, f"has been rotated: rotate `{follower[0]}`, which follows it")
            ends = until if before.expires is None else min(before.expires, until)
            self._connection.execute("update key set expires = ? where id = ?", (ends, old))
            self._connection.execute(_ADD, _row(new))

    def revoke(self, key_id: str, now: int) -> None:
        """End a key at once."""
        with self._lock, self._changing():
            if self._one(key_id).revoked is not None:
                raise KeyEnded(key_id, "has been revoked before")
            self._connection.execute("update key set revoked = ? where id = ?", (now, key_id))

    def used(self, times: Mapping[str, int]) -> None:
        """Note when keys were last used, by id; an earlier time than the noted one changes nothing."""
        with self._lock, self._changing():
            self._connection.executemany(
                "update key set last_used = ?1 where id = ?2 and (last_used is null or last_used < ?1)",
                [(time, key_id) for key_id, time in times.items()],
            )

    def version(self) -> tuple[int, int]:
        """Something that is another after any change: by others, and by this connection."""
        with self._lock, self._told():
            [others] = self._connection.execute("pragma data_version").fetchone()
            return others, self._connection.total_changes

    def _check_format(self) -> None:
        self._connection.execute("begin immediate")  # two processes may be the first at the same time
        with self._connection:
            [found] = self._connection.execute("pragma user_version").fetchone()
            if found == 0:
                self._connection.execute(_CREATE)
                self._connection.execute(f"pragma user_version = {FORMAT}")
            elif found != FORMAT:
                what = f"it has format {found}, this Fairgate knows {FORMAT}"
                raise KeysUnavailable(self._path, what, "Use the Fairgate that wrote it, or a newer one.")

    def _one(self, key_id: str) -> ApiKey:
        row = self._connection.execute(_ONE, (key_id,)).fetchone()
        if row is None:
            raise NoSuchKey(key_id)
        return _key(row)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One transaction: all of it is durable afterwards, or after an error nothing of it has happened."""
        with self._told():
            self._connection.execute("begin immediate")
            with self._connection:
                yield

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell of the file's and the driver's errors as one of Fairgate's own."""
        try:
            yield
        except (OSError, sqlite3.Error, ValueError) as error:  # ValueError: a scope that is none
            remedy = "Check the path, this user's permissions, and that the disk has room and is well."
            raise KeysUnavailable(self._path, str(error), remedy) from error


def _row(key: ApiKey) -> tuple[object, ...]:
    scopes = " ".join(sorted(key.scopes))
    return (
        *(key.id, key.name, scopes, key.secret_hash),
        *(key.created, key.expires, key.rotated_from, key.revoked, key.last_used),
    )


def _key(row: tuple[Any, ...]) -> ApiKey:
    key_id, name, scopes, *rest = row
    return ApiKey(key_id, name, frozenset(Scope(word) for word in scopes.split()), *rest)
