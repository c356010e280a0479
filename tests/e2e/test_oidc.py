"""Logging in by a real provider of identities, and what is not believed of one."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey

from fairgate.domain.access import Role, Scope
from fairgate.domain.audit import Kind, more_of
from fairgate.domain.ledger import Subject
from fairgate.domain.windows import MINUTE, SECOND
from fairgate.entrypoints import staff
from fairgate.entrypoints.desk.oidc import SECRET_VARIABLE
from fairgate.entrypoints.desk.watch import UNKNOWN
from fairgate.settings import OidcSettings, PeopleSettings
from fairgate.wiring import open_records
from tests.e2e.desks import audited
from tests.e2e.identity_provider import CLIENT, SECRET, Provider
from tests.support import NOW
from tests.unit.entrypoints.test_desk_app import Desk, refusal
from tests.unit.entrypoints.test_desk_people import DOER, Browser, let_in

MAPPED = {"abuse leads": Role.LEAD, "abuse": Role.REVIEWER}
TEMPORARY = "fairgate-oidc"


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider(NOW // SECOND)
    with made.open():
        yield made


@pytest.fixture
def desk(tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv(SECRET_VARIABLE, SECRET)
    oidc = OidcSettings(issuer=provider.issuer, client_id=CLIENT, roles=MAPPED)
    with ExitStack() as stack:
        people = PeopleSettings(url="http://127.0.0.1:8081", oidc=oidc)
        desk = Desk(tmp_path, stack, {"key": frozenset({Scope.READ})}, people=people)
        let_in(desk, ("admin", Role.ADMIN))
        yield desk


def expect(desk: Desk, name: str = "ann@example.com", role: Role = Role.READER, **more: Any) -> str:  # noqa: ANN401 - of a person
    """An admin lets somebody in who is to log in by the provider."""
    with open_records(desk.office.settings.data) as records:
        person = staff.new_person(name, role, desk.clock.now(), "admin", more.get("password"))
        return staff.add(records.people, desk.office.keys, person, DOER).id


def begun(desk: Desk) -> tuple[str, str]:
    """Where the browser is sent, and its cookie meanwhile."""
    answer = desk.ask("GET", "/v1/session/oidc")
    assert answer.status_code == 303, answer.text
    said = answer.headers["set-cookie"].lower()
    assert "samesite=lax" in said
    assert "httponly" in said
    return answer.headers["location"], answer.cookies[TEMPORARY]


def back(url: str) -> str:
    """Where the provider sends the browser back to."""
    with httpx.Client(trust_env=False) as client:
        return str(client.get(url).headers["location"]).removeprefix("http://127.0.0.1:8081")


def arrived(desk: Desk, place: str, cookie: str) -> httpx.Response:
    return desk.ask("GET", place, headers={"cookie": f"{TEMPORARY}={cookie}"})


def logged_in(desk: Desk) -> httpx.Response:
    url, cookie = begun(desk)
    return arrived(desk, back(url), cookie)


def who(desk: Desk, answer: httpx.Response) -> tuple[str, str, bool]:
    assert answer.status_code == 200, answer.text
    browser = Browser(desk)
    browser.cookie = answer.cookies["fairgate"]
    told = browser.ask("GET", "/v1/session").json()
    return told["name"], told["role"], told["must_enrol"]


def test_somebody_who_is_expected_logs_in_and_is_known_from_then_on(desk: Desk, provider: Provider) -> None:
    expect(desk)
    answer = logged_in(desk)
    cookies = answer.headers.get_list("set-cookie")
    assert any(each.startswith("fairgate=") and "samesite=strict" in each.lower() for each in cookies)
    assert any(each.startswith(f"{TEMPORARY}=") and "max-age=0" in each.lower() for each in cookies)
    assert who(desk, answer) == ("ann@example.com", "reader", False)
    provider.claims["email"] = "married@example.com"  # the provider's own name for her is the same
    assert who(desk, logged_in(desk))[0] == "ann@example.com"
    provider.claims |= {"sub": "2", "email": "ann@example.com"}  # somebody else, with the address that was hers
    assert refusal(logged_in(desk)) == (403, "not_let_in")


def test_who_has_a_role_there_is_let_in_and_follows_it(desk: Desk, provider: Provider) -> None:
    provider.claims["groups"] = ["staff", "abuse", "abuse leads"]
    answer = logged_in(desk)
    assert who(desk, answer) == ("ann@example.com", "lead", False)
    provider.claims["groups"] = "abuse"
    assert who(desk, logged_in(desk))[1] == "reviewer"
    before = Browser(desk)
    before.cookie = answer.cookies["fairgate"]
    assert refusal(before.ask("GET", "/v1/session")) == (401, "session_over")
    provider.claims["groups"] = ["staff"]
    assert refusal(logged_in(desk)) == (403, "not_let_in")


@pytest.mark.parametrize("name", ["admin", "key", "anyone on this machine", " ann", "x" * 65, "a\u202eb", 7])
def test_nobody_is_taken_for_somebody_else(desk: Desk, provider: Provider, name: object) -> None:
    """Who has a password, an API key, and what is no name."""
    provider.claims |= {"email": name, "groups": ["abuse leads"]}
    assert refusal(logged_in(desk)) == (403, "not_let_in")


@pytest.mark.parametrize("claims", [{}, {"groups": "x"}, {"email_verified": False}, {"email_verified": "true"}])
def test_strangers_are_not_let_in(desk: Desk, provider: Provider, claims: dict[str, object]) -> None:
    if "email_verified" in claims:
        expect(desk)
    provider.claims |= claims
    assert refusal(logged_in(desk)) == (403, "not_let_in")


def test_who_is_switched_off_is_not_let_in(desk: Desk) -> None:
    person = expect(desk)
    assert logged_in(desk).status_code == 200
    with open_records(desk.office.settings.data) as records:
        records.people.change(person, lambda there: type(there)(**{**_fields(there), "off": 1}), DOER)
    assert refusal(logged_in(desk)) == (403, "not_let_in")


def test_the_audit_log_has_who_came_by_the_provider_and_who_was_not_let_in(desk: Desk, provider: Provider) -> None:
    ann = Subject("person", expect(desk))
    assert logged_in(desk).status_code == 200
    provider.claims |= {"sub": "2", "email": "zoe@example.com", "groups": ["abuse"]}
    assert logged_in(desk).status_code == 200
    provider.claims["groups"] = ["abuse leads"]
    assert logged_in(desk).status_code == 200
    provider.claims["groups"] = []
    assert refusal(logged_in(desk)) == (403, "not_let_in")
    asyncio.run(desk.office.watch.write())
    came = more_of(by_oidc=True)
    rows = [(each.what, each.by, each.about, each.more) for each in audited(desk.office.settings)][-7:]
    zoe = rows[2][2]
    assert rows == [
        (Kind.BOUND, "oidc", ann, ""),
        (Kind.LOGGED_IN, "ann@example.com", ann, came),
        (Kind.PERSON_ADDED, "oidc", zoe, more_of(role="reviewer")),
        (Kind.LOGGED_IN, "zoe@example.com", zoe, came),
        (Kind.ROLE, "oidc", zoe, more_of(before="reviewer", role="lead")),
        (Kind.LOGGED_IN, "zoe@example.com", zoe, came),
        (Kind.NOT_LET_IN, "", Subject("person", UNKNOWN), more_of(times=1)),
    ]


def _fields(person: Any) -> dict[str, Any]:  # noqa: ANN401 - a person
    return {name: getattr(person, name) for name in person.__struct_fields__}


# ------------------------------------------------------------------------------------------------ what is not believed


def another_key(provider: Provider) -> None:
    provider.key = RSAKey.generate_key(2048, {"kid": "1"})


def symmetric(provider: Provider) -> None:
    """Signed with what everybody knows: the public key."""
    provider.header = {"alg": "HS256", "kid": "1"}


def unsigned(provider: Provider) -> None:
    provider.header = {"alg": "none"}


def tampering(provider: Provider) -> None:
    provider.tampers = True


def claiming(name: str, value: object) -> Callable[[Provider], None]:
    def cheat(provider: Provider) -> None:
        provider.cheats[name] = value

    return cheat


CHEATS: dict[str, Callable[[Provider], None]] = {
    "another's key": another_key,
    "a symmetric key": symmetric,
    "no signature": unsigned,
    "changed": tampering,
    "another issuer": claiming("iss", "https://evil.example"),
    "no issuer": claiming("iss", None),
    "for another": claiming("aud", "another"),
    "for another, too": claiming("aud", [CLIENT, "another"]),
    "asked by another": claiming("azp", "another"),
    "for nobody": claiming("aud", None),
    "over": claiming("exp", NOW // SECOND - 61),
    "for ever": claiming("exp", None),
    "not yet": claiming("nbf", NOW // SECOND + 120),
    "another nonce": claiming("nonce", "another"),
    "no nonce": claiming("nonce", None),
    "no subject": claiming("sub", None),
    "a subject that is none": claiming("sub", ["1"]),
    "another access token": claiming("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
}


@pytest.mark.parametrize("cheat", CHEATS.values(), ids=CHEATS)
def test_a_token_that_is_not_wholly_right_lets_nobody_in(
    desk: Desk, provider: Provider, cheat: Callable[[Provider], None]
) -> None:
    expect(desk)
    cheat(provider)
    answer = logged_in(desk)
    assert refusal(answer) == (403, "not_trusted")
    assert "fairgate" not in answer.cookies


def test_a_return_counts_in_the_browser_that_began_and_once_and_in_time(desk: Desk) -> None:
    expect(desk)
    url, cookie = begun(desk)
    _, anothers = begun(desk)
    place = back(url)
    for wrong in ("", "x" * 60, anothers, cookie[:-6] + "AAAAAA", cookie[:40]):
        assert refusal(arrived(desk, place, wrong)) == (403, "not_trusted")
    code = parse_qs(urlsplit(place).query)["code"][0]
    callback = "/v1/session/oidc/callback"
    for query in ("", f"?code={code}", f"?code={code}&state=another", f"{place[len(callback) :]}x"):
        assert refusal(arrived(desk, callback + query, cookie)) == (403, "not_trusted")
    assert arrived(desk, place, cookie).status_code == 200
    assert refusal(arrived(desk, place, cookie)) == (403, "not_trusted")  # the provider takes a code once
    url, cookie = begun(desk)
    desk.clock.time += 10 * MINUTE
    assert refusal(arrived(desk, back(url), cookie)) == (403, "not_trusted")


def test_a_code_of_another_flow_is_not_taken(desk: Desk) -> None:
    """PKCE: a code that was got for another browser is of no use here."""
    expect(desk)
    stolen = parse_qs(urlsplit(back(begun(desk)[0])).query)["code"][0]
    url, cookie = begun(desk)
    state = parse_qs(urlsplit(url).query)["state"][0]
    answer = arrived(desk, f"/v1/session/oidc/callback?code={stolen}&state={state}", cookie)
    assert refusal(answer) == (403, "not_trusted")


def test_a_provider_that_calls_itself_something_else_or_is_gone_is_told(desk: Desk, provider: Provider) -> None:
    provider.calls_itself = "https://evil.example"
    assert refusal(desk.ask("GET", "/v1/session/oidc")) == (503, "provider_unavailable")


def test_without_the_clients_secret_nobody_is_let_in(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    expect(desk)
    monkeypatch.setenv(SECRET_VARIABLE, "another")
    assert refusal(logged_in(desk)) == (403, "not_trusted")
