"""API keys in a SQLite file: what is kept, what two processes see of each other, and what is refused."""

import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from fairgate.backends.embedded.api_keys import SqliteApiKeys, open_api_keys
from fairgate.domain.access import ApiKey, Scope
from fairgate.domain.errors import KeyEnded, KeysUnavailable, NoSuchKey

KEY = ApiKey("first000", "signup-service", frozenset({Scope.DECIDE, Scope.INGEST}), b"\x00hash" * 6, 100)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys.db"


@pytest.fixture
def keys(path: Path) -> Iterator[SqliteApiKeys]:
    with open_api_keys(path) as opened:
        yield opened


def follower(key_id: str = "second00", created: int = 200) -> ApiKey:
    return replace(KEY, id=key_id, created=created, rotated_from=KEY.id)


def test_keys_are_there_again_as_they_were_given_in_their_order(path: Path) -> None:
    full = ApiKey("zzz", "Größe ✓", frozenset(Scope), bytes(32), 1, 2, "first000", 3, 4)
    with open_api_keys(path) as keys:
        keys.add(KEY)
        keys.add(full)
    with open_api_keys(path) as keys:
        keys.add(replace(KEY, id="aaa"))
        assert keys.all() == [KEY, full, replace(KEY, id="aaa")]


def test_the_file_is_its_owners_alone(keys: SqliteApiKeys, path: Path) -> None:
    keys.add(KEY)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_an_id_is_given_once(keys: SqliteApiKeys) -> None:
    keys.add(KEY)
    with pytest.raises(KeysUnavailable, match=r"keys\.db: UNIQUE constraint failed: key\.id"):
        keys.add(KEY)
    assert keys.all() == [KEY]


def test_revoking(keys: SqliteApiKeys) -> None:
    keys.add(KEY)
    keys.revoke(KEY.id, 150)
    assert keys.all() == [replace(KEY, revoked=150)]
    with pytest.raises(KeyEnded, match="`first000` has been revoked before"):
        keys.revoke(KEY.id, 160)
    with pytest.raises(NoSuchKey, match="Asked for `nobody`"):
        keys.revoke("nobody", 160)
    assert keys.all() == [replace(KEY, revoked=150)]


@pytest.mark.parametrize(("expires", "ends"), [(None, 300), (1_000, 300), (250, 250)])
def test_a_rotated_key_ends_after_the_grace_time_but_never_later_than_it_would_have(
    keys: SqliteApiKeys, expires: int | None, ends: int
) -> None:
    keys.add(replace(KEY, expires=expires))
    keys.rotate(KEY.id, follower(), until=300)
    assert keys.all() == [replace(KEY, expires=ends), follower()]


def test_a_key_that_has_ended_or_has_a_follower_is_not_rotated(keys: SqliteApiKeys) -> None:
    keys.add(replace(KEY, expires=200))
    keys.add(replace(KEY, id="revoked0", revoked=150))
    keys.add(replace(KEY, id="rotated0"))
    keys.rotate("rotated0", replace(KEY, id="follower", rotated_from="rotated0"), until=300)
    before = keys.all()
    with pytest.raises(KeyEnded, match="`first000` is expired"):
        keys.rotate(KEY.id, follower(created=200), until=300)
    with pytest.raises(KeyEnded, match="`revoked0` is revoked"):
        keys.rotate("revoked0", follower(), until=300)
    with pytest.raises(KeyEnded, match="`rotated0` has been rotated: rotate `follower`"):
        keys.rotate("rotated0", follower(), until=300)
    with pytest.raises(NoSuchKey):
        keys.rotate("nobody", follower(), until=300)
    assert keys.all() == before


def test_a_rotation_that_fails_halfway_has_not_happened(keys: SqliteApiKeys) -> None:
    keys.add(KEY)
    with pytest.raises(KeysUnavailable, match="UNIQUE"):
        keys.rotate(KEY.id, replace(follower(), id=KEY.id), until=300)
    assert keys.all() == [KEY]


def test_the_latest_use_is_kept(keys: SqliteApiKeys) -> None:
    keys.add(KEY)
    keys.add(replace(KEY, id="unused00"))
    for time in (500, 400):
        keys.used({KEY.id: time, "nobody": time})
    assert keys.all() == [replace(KEY, last_used=500), replace(KEY, id="unused00")]


def test_the_version_is_another_after_a_change_by_this_or_another_process_only(keys: SqliteApiKeys, path: Path) -> None:
    with open_api_keys(path) as other:
        versions = [keys.version()]
        assert keys.version() == versions[0]
        other.add(KEY)
        versions.append(keys.version())
        keys.revoke(KEY.id, 5)
        versions.append(keys.version())
        other.used({KEY.id: 6})
        versions.append(keys.version())
        assert keys.version() == versions[-1]
        assert len(set(versions)) == len(versions)
        assert keys.all() == other.all() == [replace(KEY, revoked=5, last_used=6)]


def test_many_may_be_the_first_to_open_it_and_write_at_once(path: Path) -> None:
    start, failed = threading.Barrier(4), []

    def write(writer: int) -> None:
        start.wait()
        try:
            with open_api_keys(path) as keys:
                for number in range(5):
                    keys.add(replace(KEY, id=f"{writer}-{number}"))
        except KeysUnavailable as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    with open_api_keys(path) as keys:
        assert {key.id for key in keys.all()} == {f"{writer}-{number}" for writer in range(4) for number in range(5)}


def test_a_file_of_a_newer_format_is_left_alone(path: Path) -> None:
    with open_api_keys(path) as keys:
        keys.add(KEY)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma user_version = 2")
    with pytest.raises(KeysUnavailable, match="it has format 2, this Fairgate knows 1"), open_api_keys(path):
        pass


def test_a_scope_that_is_none_opens_nothing(keys: SqliteApiKeys, path: Path) -> None:
    keys.add(KEY)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("update key set scopes = 'decide everything'")
    with pytest.raises(KeysUnavailable, match="'everything' is not a valid Scope"):
        keys.all()


def test_what_is_no_database_is_told(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"these are not keys" * 100)
    with pytest.raises(KeysUnavailable, match="file is not a database"), open_api_keys(path):
        pass
    with pytest.raises(KeysUnavailable, match="File exists"), open_api_keys(path / "below"):
        pass


def test_closed_keys_can_t_be_used(path: Path) -> None:
    with open_api_keys(path) as keys:
        pass
    with pytest.raises(KeysUnavailable, match="closed"):
        keys.all()
