"""Who checks challenges: a proof of work, codes, what is reported, and vendors in the shape that they document."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from urllib.parse import parse_qs

import pytest
from msgspec.structs import replace

from fairgate.domain.challenge import Challenge
from fairgate.domain.secret import Secrets
from fairgate.ports.challenger import REPORTED_PASSED, Challenger, Found, Given
from fairgate.vendors import code as code_module
from fairgate.vendors.code import Code
from fairgate.vendors.proof_of_work import LONGEST, ProofOfWork
from fairgate.vendors.reported import Reported
from fairgate.vendors.siteverify import Site, Siteverify
from tests.contracts.planting import Edit, planted

CHALLENGE = Challenge("c_1", "captcha", "anna", None, "shop", "1", 1, 2, 5, "", "{}")


def begun(challenger: Challenger, challenge_id: str = "c_1") -> tuple[Challenge, str | None]:
    kept, code = challenger.begin(challenge_id)
    return replace(CHALLENGE, id=challenge_id, kept=kept), code


def solved(begins: str, bits: int) -> str:
    """What a browser does."""
    for number in count():
        if sha256(f"{begins}{number}".encode()).digest()[:4] < (1 << (32 - bits)).to_bytes(4, "big"):
            return str(number)
    raise AssertionError


# -------------------------------------------------------------------------------------------------------- proof of work


def test_work_is_done_once_for_one_challenge() -> None:
    challenger = ProofOfWork(10)
    challenge, code = begun(challenger)
    shown = challenger.shows(challenge)
    assert (shown, code) == ({"work": "sha256", "begins": "c_1.", "zero_bits": 10}, None)
    answer = solved(str(shown["begins"]), 10)
    assert challenger.check(challenge, Given(answer)) == Found.RIGHT
    other, _ = begun(challenger, "c_2")
    assert challenger.check(other, Given(answer)) == Found.WRONG
    assert challenger.check(challenge, Given(f"{answer}x")) == Found.WRONG
    long = "0" * LONGEST + solved(f"c_1.{'0' * LONGEST}", 10)
    assert challenger.check(challenge, Given(long)) == Found.WRONG


def test_other_settings_change_no_open_challenge() -> None:
    challenge, _ = begun(ProofOfWork(8))
    answer = next(
        text for text in map(str, count()) if sha256(f"c_1.{text}".encode()).digest()[0] == 0
        and sha256(f"c_1.{text}".encode()).digest()[1] >= 128
    )  # fmt: skip
    assert ProofOfWork(20).check(challenge, Given(answer)) == Found.RIGHT
    assert ProofOfWork(20).check(replace(challenge, kept="9"), Given(answer)) == Found.WRONG


# ---------------------------------------------------------------------------------------------------------------- codes


def test_a_code_is_right_for_its_challenge_alone_and_however_it_is_typed() -> None:
    challenger = Code(lambda: Secrets({1: 7}))
    challenge, code = begun(challenger)
    assert code is not None
    assert len(code) == 6
    assert code.isdigit()
    for typed in (code, f"{code[:3]} {code[3:]}", f"{code[:3]}-{code[3:]}"):
        assert challenger.check(challenge, Given(typed)) == Found.RIGHT
    for wrong in ("", code[:5], code[::-1] + "1", f"{(int(code) + 1) % 1_000_000:06}"):
        assert challenger.check(challenge, Given(wrong)) == Found.WRONG
    assert challenger.check(replace(challenge, id="c_2"), Given(code)) == Found.WRONG
    assert challenger.shows(challenge) == {"digits": 6}


def test_what_is_kept_of_a_code_is_of_no_use_without_the_secret() -> None:
    challenge, code = begun(Code(lambda: Secrets({1: 7})))
    assert code is not None
    assert code not in challenge.kept
    tried = (f"{number:06}" for number in range(0, 1_000_000, 997))
    assert not any(sha256(f"c_1.{each}".encode()).hexdigest() in challenge.kept for each in tried)
    assert Code(lambda: Secrets({1: 8})).check(challenge, Given(code)) == Found.WRONG


def test_codes_differ() -> None:
    challenger = Code(lambda: Secrets({1: 7}))
    assert len({begun(challenger)[1] for _ in range(50)}) > 45


def test_a_code_outlives_the_rotation_of_the_secret_and_not_its_loss() -> None:
    challenge, code = begun(Code(lambda: Secrets({1: 7})))
    assert code is not None
    assert Code(lambda: Secrets({1: 7, 2: 9})).check(challenge, Given(code)) == Found.RIGHT
    assert Code(lambda: Secrets({2: 9})).check(challenge, Given(code)) == Found.UNAVAILABLE


def test_what_is_reported_is_taken_as_it_is() -> None:
    challenger = Reported()
    challenge, code = begun(challenger)
    assert (code, challenger.reported, challenger.shows(challenge)) == (None, True, {})
    assert challenger.check(challenge, Given(REPORTED_PASSED)) == Found.RIGHT
    assert challenger.check(challenge, Given("failed")) == Found.WRONG


# -------------------------------------------------------------------------------------------------------------- vendors


class FakeVendor:
    """A vendor that speaks `siteverify`: it answers what the test says, and notes what it was asked."""

    def __init__(self) -> None:
        self.status, self.body, self.pause, self.drip = 200, b"", 0.0, 0.0
        self.headers: dict[str, str] = {}
        self.asked: list[dict[str, str]] = []
        self.port = 0

    @contextmanager
    def open(self) -> Iterator[None]:
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"])).decode()
                vendor.asked.append({name: values[0] for name, values in parse_qs(raw).items()})
                time.sleep(vendor.pause)
                self.send_response(vendor.status)
                for name, value in vendor.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(vendor.body)))
                self.end_headers()
                try:
                    for at in range(0, len(vendor.body), 1 if vendor.drip else 1 << 20):
                        self.wfile.write(vendor.body[at : at + (1 if vendor.drip else 1 << 20)])
                        self.wfile.flush()
                        time.sleep(vendor.drip)
                except OSError:
                    pass  # nobody listens any more

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def says(self, **members: object) -> None:
        self.body = json.dumps({name.replace("_", "-") if name == "error_codes" else name: value
                                for name, value in members.items()}).encode()  # fmt: skip


@pytest.fixture
def vendor() -> Iterator[FakeVendor]:
    fake = FakeVendor()
    with fake.open():
        yield fake


def site(vendor: FakeVendor, *, action: str | None = None, bound: bool = False, seconds: float = 5.0) -> Siteverify:
    url = f"http://127.0.0.1:{vendor.port}/turnstile/v0/siteverify"
    return Siteverify(Site(url, "site", ("example.com", "www.example.com"), action, bound, seconds), "hush")


def found(challenger: Challenger, text: str = "token") -> Found:
    return challenger.check(CHALLENGE, Given(text, "203.0.113.9"))


def test_a_vendor_is_asked_as_it_documents(vendor: FakeVendor) -> None:
    vendor.says(success=True, hostname="example.com", challenge_ts="2026-01-05T10:31:12Z", metadata={"more": 1})
    challenger = site(vendor)
    assert found(challenger) == found(challenger) == Found.RIGHT
    assert challenger.check(CHALLENGE, Given("other")) == Found.RIGHT
    first, again, other = vendor.asked
    assert first == again  # so that the vendor says again what it said
    assert other["idempotency_key"] != first["idempotency_key"]
    assert {**first, "idempotency_key": ""} == {
        "secret": "hush",
        "response": "token",
        "remoteip": "203.0.113.9",
        "idempotency_key": "",
    }
    assert "remoteip" not in other
    assert challenger.shows(CHALLENGE) == {"site_key": "site"}


@pytest.mark.parametrize(
    "said",
    [
        {"success": True, "hostname": "evil.example.net"},
        {"success": True, "hostname": None},
        {"success": True},
        {"success": False, "error_codes": ["invalid-input-response"]},
        {"success": False, "error_codes": ["timeout-or-duplicate"]},
        {"success": False, "error_codes": ["bad-request"]},
        {"success": False, "error_codes": ["sitekey-secret-mismatch"]},
        {"success": False, "error_codes": ["something-new"]},
        {"success": False, "error_codes": []},
        {"success": False, "hostname": "example.com"},
    ],
)
def test_what_was_not_solved_on_our_pages_is_wrong(vendor: FakeVendor, said: dict[str, object]) -> None:
    vendor.says(**said)
    assert found(site(vendor)) == Found.WRONG


def test_action_and_challenge_are_the_vendors_word(vendor: FakeVendor) -> None:
    challenger = site(vendor, action="signup", bound=True)
    assert challenger.shows(CHALLENGE) == {"site_key": "site", "action": "signup", "cdata": "c_1"}
    right = {"success": True, "hostname": "example.com", "action": "signup", "cdata": "c_1"}
    for changes, says in (
        ({}, Found.RIGHT),
        ({"action": "login"}, Found.WRONG),
        ({"action": None}, Found.WRONG),
        ({"cdata": "c_2"}, Found.WRONG),
        ({"cdata": None}, Found.WRONG),
        ({"cdata": "ä"}, Found.WRONG),
    ):
        vendor.says(**{**right, **changes})
        assert found(challenger) == says, changes


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b'{"success": true, "hostname": "example.com"}'),
        (201, b'{"success": true, "hostname": "example.com"}'),
        (429, b""),
        (200, b""),
        (200, b"<html>"),
        (200, b"\xff\xfe"),
        (200, b"[]"),
        (200, b"null"),
        (200, b'{"success": "true", "hostname": "example.com"}'),
        (200, b'{"success": 1, "hostname": "example.com"}'),
        (200, b'{"hostname": "example.com"}'),
        (200, b'{"success": true, "hostname": ["example.com"]}'),
        (200, b" " * 100_000 + b'{"success": true, "hostname": "example.com"}'),
        (200, b'{"success": false, "error-codes": ["internal-error"]}'),
        (200, b'{"success": false, "error-codes": ["invalid-input-secret", "bad-request"]}'),
        (200, b'{"success": false, "error-codes": ["missing-input-secret"]}'),
    ],
)
def test_a_vendor_that_says_nothing_is_unavailable(
    vendor: FakeVendor, status: int, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    vendor.status, vendor.body = status, body
    assert found(site(vendor)) == Found.UNAVAILABLE
    assert "captcha" in caplog.text
    assert "hush" not in caplog.text
    assert "token" not in caplog.text


def test_a_vendor_that_is_slow_or_gone_is_unavailable(vendor: FakeVendor) -> None:
    vendor.says(success=True, hostname="example.com")
    vendor.pause = 0.5
    assert found(site(vendor, seconds=0.1)) == Found.UNAVAILABLE
    vendor.pause, vendor.drip = 0.0, 0.02
    assert found(site(vendor, seconds=0.1)) == Found.UNAVAILABLE  # though each byte comes in time
    gone = Siteverify(Site("http://127.0.0.1:9/", "site", ("example.com",), None, bound=False, seconds=1.0), "hush")
    assert found(gone) == Found.UNAVAILABLE


def test_a_vendor_leads_nowhere_else(vendor: FakeVendor) -> None:
    other = FakeVendor()
    with other.open():
        other.says(success=True, hostname="example.com")
        vendor.status, vendor.headers = 307, {"location": f"http://127.0.0.1:{other.port}/"}
        assert found(site(vendor)) == Found.UNAVAILABLE
        assert other.asked == []


def test_no_proxy_of_the_environment_sees_the_secret(vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch) -> None:
    other = FakeVendor()
    with other.open():
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{other.port}")
        vendor.says(success=True, hostname="example.com")
        assert found(site(vendor)) == Found.RIGHT
        assert other.asked == []


@pytest.mark.parametrize("text", ["", "x" * 8_193])
def test_what_no_widget_gives_is_not_asked_about(vendor: FakeVendor, text: str) -> None:
    assert found(site(vendor), text) == Found.WRONG
    assert vendor.asked == []


# -------------------------------------------------------------------------------------------------------------- mutants


def _refused(vendor: FakeVendor) -> None:
    for said in (
        {"success": True, "hostname": "evil.example.net"},
        {"success": False, "hostname": "example.com", "error_codes": ["bad-request"]},
        {"success": False, "hostname": "example.com"},
    ):
        vendor.says(**said)
        assert found(site(vendor)) == Found.WRONG


def _unclear(vendor: FakeVendor) -> None:
    vendor.body = b" " * 100_000 + b'{"success": true, "hostname": "example.com"}'
    assert found(site(vendor)) == Found.UNAVAILABLE
    vendor.says(success=True, hostname="example.com")
    vendor.status = 500
    assert found(site(vendor)) == Found.UNAVAILABLE
    vendor.status = 200
    vendor.says(success=False, error_codes=["invalid-input-secret", "bad-request"])
    assert found(site(vendor)) == Found.UNAVAILABLE


def _work(_: FakeVendor) -> None:
    test_work_is_done_once_for_one_challenge()
    test_other_settings_change_no_open_challenge()


def _codes(_: FakeVendor) -> None:
    test_a_code_is_right_for_its_challenge_alone_and_however_it_is_typed()
    test_what_is_kept_of_a_code_is_of_no_use_without_the_secret()
    test_codes_differ()
    test_a_code_outlives_the_rotation_of_the_secret_and_not_its_loss()


MUTANTS: dict[str, tuple[Edit, Callable[[FakeVendor], None]]] = {
    "lets work count for all": (Edit(ProofOfWork, "check", "{challenge.id}.", ""), _work),
    "wants a bit less": (Edit(ProofOfWork, "check", "zeros >= int", "zeros + 1 >= int"), _work),
    "goes by the settings of now": (Edit(ProofOfWork, "check", "int(challenge.kept)", "self._difficulty"), _work),
    "reads endless answers": (Edit(ProofOfWork, "check", "len(given.text) > LONGEST", "False"), _work),
    "lets codes count for all": (Edit(code_module, "_mac", "{challenge_id}.", ""), _codes),
    "keeps a hash that anybody can make": (Edit(code_module, "_mac", "derived(secret, _PURPOSE)", "b'k'"), _codes),
    "keeps the code": (Edit(Code, "begin", "_mac(secret.current, challenge_id, code)", "code"), _codes),
    "makes one code": (Edit(Code, "begin", "secrets.randbelow(10**DIGITS)", "7"), _codes),
    "forgets the leading noughts": (Edit(Code, "begin", ":0{DIGITS}", ""), lambda _: _short_codes()),
    "minds spaces": (Edit(Code, "check", ".translate(_GAPS)", ""), _codes),
    "goes by the newest secret": (Edit(Code, "check", "versions.get(int(version))", "current"), _codes),
    "passes all": (Edit(Siteverify, "check", "if said.success:", "if True:"), _refused),
    "minds no host": (Edit(Siteverify, "_was_ours", "said.hostname not in self._site.hostnames", "False"), _refused),
    "takes all codes for its own": (
        Edit(Siteverify, "check", "_NOT_THEIRS.intersection(said.error_codes or ())", "said.error_codes"),
        _refused,
    ),
    "takes its own faults for theirs": (
        Edit(Siteverify, "check", "Found.UNAVAILABLE if codes", "Found.WRONG if codes"),
        _unclear,
    ),
    "minds no action": (
        Edit(Siteverify, "_was_ours", "self._site.action is not None", "False"),
        test_action_and_challenge_are_the_vendors_word,
    ),
    "minds no challenge": (
        Edit(Siteverify, "_was_ours", "not self._site.bound or", "True or"),
        test_action_and_challenge_are_the_vendors_word,
    ),
    "minds no status": (
        Edit(Siteverify, "_asked", "answer.status_code != httpx.codes.OK", "False"),
        _unclear,
    ),
    "reads all that it is sent": (Edit(Siteverify, "_asked", "len(body) > _LARGEST or ", ""), _unclear),
    "goes where it is sent": (
        Edit(Siteverify, "_asked", "follow_redirects=False", "follow_redirects=True"),
        test_a_vendor_leads_nowhere_else,
    ),
    "names each try anew": (
        Edit(Siteverify, "_asked", "_name(challenge, given)", "str(uuid.uuid4())"),
        test_a_vendor_is_asked_as_it_documents,
    ),
    "waits for ever": (
        Edit(Siteverify, "_asked", " or time.monotonic() > until", ""),
        test_a_vendor_that_is_slow_or_gone_is_unavailable,
    ),
}


def _short_codes() -> None:
    challenger = Code(lambda: Secrets({1: 7}))
    assert all(len(str(begun(challenger)[1])) == 6 for _ in range(200))


@pytest.mark.parametrize("name", MUTANTS)
def test_kills_the_mutant_that(name: str, vendor: FakeVendor) -> None:
    edit, notices = MUTANTS[name]
    notices(vendor)
    vendor.asked.clear()
    vendor.status, vendor.headers, vendor.pause, vendor.drip = 200, {}, 0.0, 0.0
    with planted(edit), pytest.raises(AssertionError):
        notices(vendor)
