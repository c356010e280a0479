"""What is signed here any library of Standard Webhooks verifies, and the other way round; nothing else gets in."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from fairgate.backends.embedded.clock import SystemClock
from fairgate.domain.errors import BadSettings
from fairgate.domain.windows import SECOND
from fairgate.entrypoints.signing import TOLERANCE, Flaw, Signer, Unsigned, Verifier, key_in, new_secret, signer_of
from tests.support import NOW, SetClock

KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
BODY = b'{"type":"standing.changed","of":"\xc3\xbc.1.2"}'
SECONDS = NOW // SECOND
BODIES = [BODY, b"", b"{}", b"no JSON", b"x" * 100_000]


def as_bytes(headers: Mapping[str, str]) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in headers.items()}


def signed(body: bytes = BODY, seconds: int = SECONDS, key: bytes = KEY, **changes: str) -> dict[bytes, bytes]:
    """Headers, some of them changed."""
    headers = dict(Signer(key).headers("action_17_taken", seconds, body))
    for name, value in changes.items():
        headers[f"webhook-{name}"] = value
    return {name.encode(): value.encode("latin-1") for name, value in headers.items()}


def flaw(headers: Mapping[bytes, bytes], body: bytes = BODY, now: int = NOW) -> Flaw | None:
    """What is wrong with a message, if anything is."""
    try:
        assert Verifier(KEY, SetClock(now)).message(headers, body) == "action_17_taken"
    except Unsigned as error:
        return error.flaw
    return None


@pytest.mark.parametrize("body", BODIES, ids=lambda body: str(body[:12]))
def test_what_is_signed_here_the_library_verifies(body: bytes) -> None:
    headers = dict(Signer(KEY).headers("action_17_taken", SystemClock().now() // SECOND, body))
    Webhook(SECRET).verify(body, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers, json_parse=False)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: str(body[:12]))
def test_what_the_library_signs_is_verified_here(body: bytes) -> None:
    at = datetime.fromtimestamp(SECONDS, UTC)
    name = "msg_p5jXN8AQM9LWM0D4loKWxJek"
    signature = Webhook(SECRET).sign(name, at, body.decode())
    headers = as_bytes({"webhook-id": name, "webhook-timestamp": f"{SECONDS}", "webhook-signature": signature})
    assert Verifier(KEY, SetClock()).message(headers, body) == name
    with pytest.raises(Unsigned):
        Verifier(KEY[::-1], SetClock()).message(headers, body)


def test_one_good_signature_among_several_is_enough() -> None:
    good, other = (signed(key=key)[b"webhook-signature"].decode() for key in (KEY, KEY[::-1]))
    for several in (f"{other} {good}", f"v1a,{good[3:]} {good}", f"{good} garbage", f"v2 ,, {good}  v1,"):
        assert flaw(signed(signature=several)) is None
    for none in (f"{other} {other}", f"v1a,{good[3:]}", good[3:], f"v1{good[3:]}", f"{good},", f"{good[:-1]}", " "):
        assert flaw(signed(signature=none)) is Flaw.SIGNATURE


@pytest.mark.parametrize("name", ["id", "timestamp", "signature"])
def test_a_header_that_is_missing_or_empty_is_told(name: str) -> None:
    headers = signed()
    value = headers.pop(f"webhook-{name}".encode())
    assert flaw(headers) is Flaw.HEADERS
    assert flaw(headers | {f"webhook-{name}".encode(): b""}) is Flaw.HEADERS
    assert flaw(headers | {f"webhook-{name}".encode(): value}) is None


@pytest.mark.parametrize(
    "time", ["-1", "1e9", "1767225600.0", " 1767225600", "\xb2", "NaN", "9" * 13, "0x10", "1_0", "+1", "1,1"]
)
def test_a_time_that_is_none_is_told(time: str) -> None:
    assert flaw(signed(timestamp=time)) is Flaw.HEADERS


@pytest.mark.parametrize("name", ["a b", "a.b", "a\xe9", "a\x00", "a" * 257])
def test_an_id_that_is_none_is_told(name: str) -> None:
    assert flaw(signed(id=name)) is Flaw.HEADERS


def test_five_minutes_either_way_are_borne_and_no_second_more() -> None:
    for off in (-TOLERANCE, 0, TOLERANCE):
        assert flaw(signed(seconds=SECONDS + off)) is None
    for off in (-TOLERANCE - 1, TOLERANCE + 1, -SECONDS, 10**11):
        assert flaw(signed(seconds=SECONDS + off)) is Flaw.TIME


def test_nothing_of_what_was_signed_can_be_changed() -> None:
    assert flaw(signed()) is None
    assert flaw(signed(), BODY + b" ") is Flaw.SIGNATURE
    assert flaw(signed(), b"") is Flaw.SIGNATURE
    assert flaw(signed(id="action_18_taken")) is Flaw.SIGNATURE
    assert flaw(signed(timestamp=f"{SECONDS + 1}")) is Flaw.SIGNATURE
    assert flaw(signed(timestamp=f"0{SECONDS}")) is Flaw.SIGNATURE
    assert flaw(signed(key=KEY[:-1])) is Flaw.SIGNATURE


def test_what_was_signed_can_not_be_cut_into_other_parts() -> None:
    """A body that begins with a time and a dot, given as the time of a longer id."""
    body = f"{SECONDS}.{{}}".encode()
    headers = dict(Signer(KEY).headers("a", SECONDS, body))
    shifted = as_bytes(headers | {"webhook-id": f"a.{SECONDS}"})
    with pytest.raises(Unsigned):
        Verifier(KEY, SetClock()).message(shifted, b"{}")


@given(st.dictionaries(st.sampled_from([b"webhook-id", b"webhook-timestamp", b"webhook-signature"]), st.binary()))
def test_garbage_is_refused_and_breaks_nothing(garbage: dict[bytes, bytes]) -> None:
    assert flaw(signed() | garbage) is not None or garbage.items() <= signed().items()


def test_a_secret_is_read_from_the_environment_with_or_without_its_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in (SECRET, SECRET.removeprefix("whsec_")):
        monkeypatch.setenv("FAIRGATE_WEBHOOK_SHARE_2", text)
        assert key_in("FAIRGATE_WEBHOOK_SHARE_2") == KEY
        assert signer_of("share-2").headers("a", 1, b"") == Signer(KEY).headers("a", 1, b"")
    monkeypatch.delenv("FAIRGATE_WEBHOOK_SHARE_2")
    assert key_in("FAIRGATE_WEBHOOK_SHARE_2") is None
    with pytest.raises(BadSettings, match="needs a secret in the environment variable FAIRGATE_WEBHOOK_SHARE_2"):
        signer_of("share-2")


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_AAAA", "whsec_\xe9", "whsec_====", f"{SECRET}!", f"whsec_{'A' * 88}"]
)
def test_a_secret_that_is_none_is_told_and_not_shown(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", text)
    with pytest.raises(BadSettings, match="The environment variable A_SECRET holds no secret of a webhook") as told:
        key_in("A_SECRET")
    assert len(text) < 8 or text not in str(told.value)
