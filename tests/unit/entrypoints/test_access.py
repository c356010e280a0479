"""Who may ask for what: keys as callers send them, changes made meanwhile, and the door without keys."""

import logging
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.backends.embedded.api_keys import SqliteApiKeys, open_api_keys
from fairgate.domain.access import ApiKey, Granted, Scope
from fairgate.domain.errors import BadSettings, KeysUnavailable
from fairgate.entrypoints import access as module
from fairgate.entrypoints.access import Access, Denied, Verdict, is_loopback, kept_fresh, new_key, require_keys
from fairgate.ports.api_keys import ApiKeys
from tests.support import NOW, SetClock

DECIDE = frozenset({Scope.DECIDE})
SECONDS = 20


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[SqliteApiKeys]:
    with open_api_keys(tmp_path / "keys.db") as opened:
        yield opened


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


def made(keys: ApiKeys, scopes: frozenset[Scope] = DECIDE, expires: int | None = None) -> tuple[bytes, ApiKey]:
    """A new key in the store: the header to send it with, and what is stored."""
    text, key = new_key("signup-service", scopes, NOW, expires)
    keys.add(key)
    return b"Bearer " + text.encode(), key


def status(verdict: Verdict) -> int:
    return verdict.status if isinstance(verdict, Denied) else 200


def test_a_key_opens_what_its_scopes_say(keys: SqliteApiKeys, clock: SetClock) -> None:
    header, key = made(keys, frozenset({Scope.DECIDE, Scope.READ}))
    access = Access(keys, clock, "127.0.0.1")
    granted = Granted(key.id, "signup-service", frozenset({Scope.DECIDE, Scope.READ}))
    assert {scope for scope in Scope if access.check(header, scope) == granted} == granted.scopes
    assert access.check(header.replace(b"Bearer ", b"bEARER   "), Scope.READ) == granted
    denied = access.check(header, Scope.ADMIN)
    assert isinstance(denied, Denied)
    assert (denied.status, denied.code, denied.reason) == (403, "scope_missing", "this needs the scope admin")
    challenge = b'Bearer realm="fairgate", error="insufficient_scope", scope="admin"'
    assert denied.headers == ((b"www-authenticate", challenge),)


def test_a_secret_is_shown_once_and_not_kept(keys: SqliteApiKeys, tmp_path: Path) -> None:
    header, key = made(keys)
    other, _ = made(keys)
    text = header.removeprefix(b"Bearer ")
    prefix, key_id, secret = text[:3], text[3:11], text[12:]
    assert (prefix, key_id, len(secret)) == (b"fg_", key.id.encode(), 43)
    assert key.secret_hash == sha256(secret).digest()
    assert secret not in other
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert key_id in kept
    assert secret not in kept


@pytest.mark.parametrize(
    "header", [None, b"", b"Basic YTpi", b"Bearer", b"Bearer fg_short", b"fg_abcdefgh_" + b"x" * 43]
)
def test_without_a_key_the_answer_says_how_to_send_one(
    keys: SqliteApiKeys, clock: SetClock, header: bytes | None
) -> None:
    made(keys)
    denied = Access(keys, clock, "127.0.0.1").check(header, Scope.DECIDE)
    assert isinstance(denied, Denied)
    assert (denied.status, denied.code) == (401, "no_key")
    assert denied.headers == ((b"www-authenticate", b'Bearer realm="fairgate"'),)
    assert "Authorization: Bearer" in denied.reason


def test_an_unknown_key_and_a_wrong_secret_are_the_same_answer_by_the_same_steps(
    keys: SqliteApiKeys, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    header, key = made(keys)
    wrong = header[:-1] + (b"A" if header[-1:] != b"A" else b"B")
    unknown = header.replace(key.id.encode(), b"00000000")
    compared = []

    def compare(given: bytes, kept: bytes) -> bool:
        compared.append((len(given), len(kept)))
        return given == kept

    monkeypatch.setattr(module, "compare_digest", compare)
    access = Access(keys, clock, "127.0.0.1")
    answers = [access.check(each, Scope.DECIDE) for each in (wrong, unknown)]
    assert answers[0] is answers[1]
    assert status(answers[0]) == 401
    assert compared == [(32, 32)] * 2


@given(header=st.binary(max_size=80) | st.from_regex(rb"Bearer fg_[a-z0-9]{8}_[A-Za-z0-9_-]{43}", fullmatch=True))
def test_whatever_is_sent_without_the_secret_is_refused(header: bytes) -> None:
    store = Store()
    made(store)
    assert status(Access(store, SetClock(), "127.0.0.1").check(header, Scope.DECIDE)) == 401


def test_an_end_is_told_only_to_who_has_the_secret(keys: SqliteApiKeys, clock: SetClock) -> None:
    expiring, _ = made(keys, expires=NOW + 10)
    revoked, key = made(keys)
    access = Access(keys, clock, "127.0.0.1")
    assert [status(access.check(each, Scope.DECIDE)) for each in (expiring, revoked)] == [200, 200]
    clock.time = NOW + 10
    keys.revoke(key.id, NOW)
    access.refresh()
    codes = []
    for header in (expiring, revoked, expiring[:-2] + b"--", revoked[:-2] + b"--"):
        denied = access.check(header, Scope.DECIDE)
        assert isinstance(denied, Denied)
        assert denied.status == 401
        codes.append(denied.code)
    assert codes == ["expired_key", "revoked_key", "unknown_key", "unknown_key"]


def test_both_keys_work_while_one_follows_the_other(keys: SqliteApiKeys, clock: SetClock) -> None:
    old, key = made(keys)
    text, follower = new_key(key.name, key.scopes, NOW, None, rotated_from=key.id)
    keys.rotate(key.id, follower, NOW + 10)
    access = Access(keys, clock, "127.0.0.1")
    headers = (old, b"Bearer " + text.encode())
    assert [status(access.check(header, Scope.DECIDE)) for header in headers] == [200, 200]
    clock.time = NOW + 10
    assert [status(access.check(header, Scope.DECIDE)) for header in headers] == [401, 200]


def test_what_another_process_changes_counts_after_a_refresh(
    keys: SqliteApiKeys, clock: SetClock, tmp_path: Path
) -> None:
    header, key = made(keys)
    access = Access(keys, clock, "127.0.0.1")
    with open_api_keys(tmp_path / "keys.db") as other:
        second, _ = made(other)
        other.revoke(key.id, NOW)
    assert [status(access.check(each, Scope.DECIDE)) for each in (header, second)] == [200, 401]
    access.refresh()
    assert [status(access.check(each, Scope.DECIDE)) for each in (header, second)] == [401, 200]


def test_uses_are_written_down_when_asked_for_and_not_before(keys: SqliteApiKeys, clock: SetClock) -> None:
    header, key = made(keys)
    access = Access(keys, clock, "127.0.0.1")
    access.check(header, Scope.DECIDE)
    access.check(header[:-1] + b"!", Scope.DECIDE)
    clock.time = NOW + 7
    access.check(header, Scope.ADMIN)  # refused, yet the key is in use
    assert keys.all() == [key]
    access.save_used()
    assert keys.all() == [replace(key, last_used=NOW + 7)]
    before = keys.version()
    access.save_used()
    assert keys.version() == before


def test_without_any_key_a_loopback_door_is_open_to_all_but_personal_data(
    keys: SqliteApiKeys, clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        access = Access(keys, clock, "::1")
    assert access.open
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "everyone on this machine" in caplog.text
    assert {scope for scope in Scope if status(access.check(None, scope)) == 200} == set(Scope) - {Scope.PERSONAL}
    header, key = made(keys)
    access.refresh()
    assert not access.open
    assert [status(access.check(each, Scope.DECIDE)) for each in (None, header)] == [401, 200]
    keys.revoke(key.id, NOW)
    access.refresh()
    assert status(access.check(None, Scope.DECIDE)) == 401, "a door that had keys never opens again by itself"


def test_a_door_beyond_loopback_is_never_open(keys: SqliteApiKeys, clock: SetClock) -> None:
    access = Access(keys, clock, "192.0.2.1")
    assert [status(access.check(None, scope)) for scope in Scope] == [401] * len(Scope)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - nothing listens
        ("::", False),
        ("192.0.2.1", False),
        ("localhost.example.com", False),
        ("", False),
    ],
)
def test_what_is_loopback(keys: SqliteApiKeys, host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback
    if loopback:
        require_keys(host, keys, NOW)
    else:
        with pytest.raises(BadSettings, match="open to other machines, and there is no active API key"):
            require_keys(host, keys, NOW)


def test_a_key_that_has_ended_is_not_enough_beyond_loopback(keys: SqliteApiKeys) -> None:
    made(keys, expires=NOW)
    with pytest.raises(BadSettings):
        require_keys("192.0.2.1", keys, NOW)
    made(keys)
    require_keys("192.0.2.1", keys, NOW)


@dataclass
class Store:
    """Keys in memory that can be made to fail; each look at the version is a beat."""

    held: list[ApiKey] = field(default_factory=list)
    failing: bool = False
    uses: dict[str, int] = field(default_factory=dict)
    beat: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def all(self) -> list[ApiKey]:
        return list(self.held)

    def add(self, key: ApiKey) -> None:
        self.held.append(key)

    def rotate(self, old: str, new: ApiKey, until: int) -> None:
        raise NotImplementedError

    def revoke(self, key_id: str, now: int) -> None:
        raise NotImplementedError

    def used(self, times: Mapping[str, int]) -> None:
        self._check()
        self.uses.update(times)

    def version(self) -> tuple[int, int]:
        self.beat.release()
        self._check()
        return 0, len(self.held)

    def beats(self, count: int) -> None:
        """Wait until the thread has come by so often, from now on."""
        while self.beat.acquire(blocking=False):
            pass
        for _ in range(count):
            assert self.beat.acquire(timeout=SECONDS)

    def _check(self) -> None:
        if self.failing:
            raise KeysUnavailable(Path("keys.db"), "the disk is away", "Bring it back.")


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.001)
    monkeypatch.setattr(module, "_REFRESHES_PER_SAVE", 3)


@pytest.mark.usefixtures("hurried")
def test_a_thread_keeps_it_fresh_and_writes_down_uses(clock: SetClock) -> None:
    store = Store()
    header, key = made(store)
    access = Access(store, clock, "127.0.0.1")
    with kept_fresh(access):
        second, _ = made(store)
        store.beats(2)
        assert status(access.check(second, Scope.DECIDE)) == 200
        access.check(header, Scope.DECIDE)
        store.beats(5)
        assert store.uses[key.id] == NOW
        clock.time = NOW + 1
        access.check(header, Scope.DECIDE)
    assert store.uses[key.id] == NOW + 1, "the last use is written down on leaving"


@pytest.mark.usefixtures("hurried")
def test_a_store_that_fails_is_told_once_and_what_was_known_goes_on_to_count(
    clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store()
    header, _ = made(store)
    access = Access(store, clock, "127.0.0.1")
    with caplog.at_level(logging.INFO), kept_fresh(access):
        store.failing = True
        store.beats(4)
        assert status(access.check(header, Scope.DECIDE)) == 200
        second, _ = made(store)
        store.failing = False
        store.beats(3)
        assert status(access.check(second, Scope.DECIDE)) == 200
        store.failing = True
    words = [record.getMessage() for record in caplog.records]
    assert words[:2] == [
        "the API keys can't be read: changes to them don't count until they can",
        "the API keys can be read again",
    ]
    assert words[-1] == "when API keys were last used could not be written down"


def test_the_how_to_says_what_each_scope_allows_and_each_answer_means() -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "api-keys.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", page, re.MULTILINE)
    assert rows == [(scope.value, scope.about) for scope in Scope]
    denied = [module._NO_KEY, module._UNKNOWN, *module._ENDED.values(), *module._LACKS.values()]
    assert {each.code for each in denied} == set(re.findall(r"`(\w+_(?:key|missing))`", page))
