"""The pages that say how to integrate, operate and recover are followed, command by command, on a real service."""

import importlib.util
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import httpx
import pytest

from fairgate.domain.access import Role, Scope
from fairgate.domain.windows import DAY
from fairgate.entrypoints.desk.lifeline import settings_line, settings_of_line
from fairgate.language.pack_file import load_pack
from fairgate.settings import read_settings
from fairgate.wiring import pack_folder
from tests.e2e.desks import until
from tests.e2e.doors import COMMAND, ENVIRONMENT, ROOT, client_of, free_port

HOW_TO = ROOT / "docs" / "how-to"
ALL_SCOPES = ("decide", "ingest", "read", "enforce", "admin")


def block(page: str, containing: str) -> str:
    """The piece of code of a page, indented or fenced, that has this in it."""
    text = (HOW_TO / page).read_text("utf-8")
    fenced: list[str] = re.findall(r"(?ms)^```\w*\n(.*?)^```", text)
    indented = [
        textwrap.dedent(each) for each in re.findall(r"(?m)(?:^ {4,}.*\n)+", re.sub(r"(?ms)^```.*?^```", "", text))
    ]
    [found] = [each for each in (*fenced, *indented) if containing in each]
    return found


@dataclass(frozen=True, slots=True)
class Service:
    """A service in `folder`/service, as `fairgate init` makes it, running, and a key with every scope for it."""

    folder: Path
    port: int
    key: str

    def type(self, script: str, folder: Path | None = None) -> str:
        """Type commands into a shell, here or in another folder; returns what they print. All must end with 0."""
        for shown, here in (
            ("localhost:8080", f"localhost:{self.port}"),
            ("/backups/", f"{self.folder}/backups/"),
            ("/safe/", f"{self.folder}/safe/"),
            ("FAIRGATE_KEY=fg_...", f"FAIRGATE_KEY={self.key}"),
        ):
            script = script.replace(shown, here)
        shell = ["/bin/bash", "-euc", script]
        done = subprocess.run(
            shell,
            cwd=folder or self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return {
            **ENVIRONMENT, "PATH": path, "FAIRGATE_KEY": self.key, "FAIRGATE_URL": f"http://localhost:{self.port}",
            "NO_PROXY": "localhost", "no_proxy": "localhost",
        }  # fmt: skip


def make_service(folder: Path, port: int, desk: int | None = None, scopes: tuple[str, ...] = ALL_SCOPES) -> Service:
    """What the pages have before they begin: the program, a service, the call site that was agreed on, a key.

    Without a port for it there is no desk, and no clerk.
    """
    program = folder / "bin" / "fairgate"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{COMMAND[2]}' \"$@\"\n")
    program.chmod(0o755)
    service = Service(folder, port, "")
    service.type("fairgate init service")
    config = folder / "service" / "fairgate.toml"
    text = config.read_text().replace("#port = 8080 ", f"port = {port} ")
    if desk is None:
        text = text.replace("#enabled = true ", "enabled = false ")
    else:
        text = text.replace("#port = 8081 ", f"port = {desk} ")
        text = text.replace("#second_person_above = 100 ", "second_person_above = 1 ")
    config.write_text(text + block("first-integration.md", "[call_site.signup]\nfail"))
    return Service(folder, port, key_of(service, "tests", *scopes))


def key_of(service: Service, name: str, *scopes: str) -> str:
    """A new key."""
    given = " ".join(f"--scope {scope}" for scope in scopes)
    return service.type(f"fairgate keys create {given} --name {name} --config service/fairgate.toml").strip()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = make_service(tmp_path_factory.mktemp("how-to"), free_port())
    with served(made):
        yield made


@contextmanager
def served(made: Service) -> Iterator[None]:
    """The service runs."""
    command = [*COMMAND, "serve", "--config", str(made.folder / "service" / "fairgate.toml")]
    with (made.folder / "output").open("wb") as output, subprocess.Popen(
        command, cwd=made.folder, env=ENVIRONMENT, stdout=output, stderr=output
    ) as door:  # fmt: skip
        try:
            with client_of(made.port) as client:
                until = time.monotonic() + 60
                while not is_ready(client):
                    assert door.poll() is None, (made.folder / "output").read_text()
                    assert time.monotonic() < until
                    time.sleep(0.05)
            yield
        finally:
            door.terminate()
            assert door.wait(60) == 0


def is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")


# ---------------------------------------------------------------------------------------------------- first integration


@needs_curl
def test_the_first_question_is_answered_as_the_page_shows(service: Service) -> None:
    *script, shown = block("first-integration.md", '"id": "signup-4711"').strip().splitlines()
    answer = json.loads(service.type("\n".join(script)))
    assert answer == {**json.loads(shown), "sequence": answer["sequence"]}
    assert json.loads(service.type("\n".join(script))) == {**answer, "repeated": True}


@needs_curl
def test_events_are_sent_as_the_page_shows(service: Service) -> None:
    answer = json.loads(service.type(block("first-integration.md", "/v1/events")))
    assert (answer["accepted"], answer["refused"]) == (2, 0)


class PageClient(Protocol):
    """The module that the page's client is."""

    SECONDS: float
    FAIL: str
    ASK_MS: int
    CALL_SITE: str
    client: httpx.Client

    def decide(self, event_id: str, event_type: str, data: Mapping[str, object]) -> str:
        """As the page says."""
        ...


@pytest.fixture
def client(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PageClient]:
    """The page's client, with the environment that it wants."""
    for name in ("FAIRGATE_URL", "FAIRGATE_KEY", "NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, service.environment[name])
    path = tmp_path / "client_of_the_page.py"
    path.write_text(block("first-integration.md", "def decide"))
    spec = importlib.util.spec_from_file_location("client_of_the_page", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = cast("PageClient", module)
    with found.client:
        yield found


DATA = {"account": "acc_9", "email": "zoe@example.com"}


def test_the_client_gets_decisions(client: PageClient, caplog: pytest.LogCaptureFixture) -> None:
    client.SECONDS = 30  # a busy machine is no reason to fail
    client.client.headers["Fairgate-Deadline-Ms"] = "20000"
    with caplog.at_level(logging.INFO):
        assert client.decide("c1", "account.signup", DATA) == "allow"
        assert client.decide("c1", "account.signup", DATA) == "allow"
    lines = [record.getMessage() for record in caplog.records if record.name == "fairgate"]
    assert [re.sub(r"sequence=\d+|ms=\d+", "", line) for line in lines] == ["decided: id=c1  action=allow policy= "] * 2
    assert "zoe" not in caplog.text


def test_the_client_answers_by_itself_when_nobody_else_does(
    client: PageClient, caplog: pytest.LogCaptureFixture
) -> None:
    for status, words in ((None, "no answer"), (503, "failed"), (429, "failed")):
        answers: list[int] = []

        def answer(_: httpx.Request, status: int | None = status, answers: list[int] = answers) -> httpx.Response:
            answers.append(1)
            if status is None:
                raise httpx.ConnectTimeout("")
            return httpx.Response(status)

        client.client = httpx.Client(base_url="http://door.test", transport=httpx.MockTransport(answer))
        assert client.decide("c2", "account.signup", DATA) == client.FAIL == "challenge"
        assert len(answers) == 2
        assert words in caplog.text
        assert "decided without Fairgate: id=c2" in caplog.text
        caplog.clear()


def test_the_client_logs_its_own_mistakes_and_does_not_repeat_them(
    client: PageClient, caplog: pytest.LogCaptureFixture
) -> None:
    client.SECONDS = 30
    for event_type, data, code in (
        ("account.sign-up", DATA, "unknown_type"),
        ("account.signup", {"email": "zoe@example.com"}, "missing"),
    ):
        assert client.decide("c3", event_type, data) == client.FAIL
        assert [record.levelname for record in caplog.records if record.name == "fairgate"] == ["ERROR", "WARNING"]
        assert f"'code': '{code}'" in caplog.text
        caplog.clear()
    client.client.headers["Authorization"] = "Bearer fg_wrong"
    assert client.decide("c4", "account.signup", DATA) == client.FAIL
    assert "no_key" in caplog.text


def test_client_and_settings_have_one_policy(client: PageClient, service: Service) -> None:
    site = read_settings(service.folder / "service" / "fairgate.toml").site(client.CALL_SITE)
    assert site is not None
    assert (site.fail, site.deadline_ms) == (client.FAIL, client.ASK_MS)
    assert client.ASK_MS < 1_000 * client.SECONDS


# ----------------------------------------------------------------------------------------------- operating, recovering


@needs_curl
def test_the_kill_switch_works_in_both_ways(service: Service) -> None:
    assert "all enforcement is off" in service.type(block("recovering.md", "fairgate switch all off"))
    with client_of(service.port) as asked:
        asked.headers["Authorization"] = f"Bearer {service.key}"
        assert asked.get("/v1/switches").json()["all"]
        service.type("fairgate switch all on --why mended --config service/fairgate.toml")
        assert not asked.get("/v1/switches").json()["all"]
        service.type(block("recovering.md", "/v1/switches/all"))
        assert asked.get("/v1/switches").json()["all"]
    service.type("fairgate switch all on --why mended --config service/fairgate.toml")


def test_a_backup_is_taken_and_restored_as_the_pages_say(service: Service) -> None:
    with client_of(service.port) as asked:
        event = {"specversion": "1.0", "id": "b1", "source": "test", "type": "account.signup", "data": DATA}
        headers = {"Authorization": f"Bearer {service.key}"}
        asked.post("/v1/decide", json=event, headers=headers).raise_for_status()
    said = service.type(block("operating.md", "fairgate backup /backups/2026-11-22 --config"))
    assert "THE SECRET IS NOT IN THE BACKUP" in said
    (service.folder / "safe").mkdir()
    shutil.copy(service.folder / "service" / "data" / "secret", service.folder / "safe" / "secret")
    elsewhere = service.folder / "another machine"
    elsewhere.mkdir()
    assert "0 bad" in service.type(block("recovering.md", "cp /safe/secret"), elsewhere)
    told = service.type("fairgate log verify service/data --decisions", elsewhere)
    assert "every decision and feature comes out as recorded" in told


def test_the_doctor_finds_the_running_service_well(service: Service) -> None:
    said = service.type("fairgate doctor --config service/fairgate.toml")
    assert "is ready" in said
    assert said.rstrip().splitlines()[-1].startswith("0 bad")


def test_an_account_is_erased_as_the_page_says(service: Service) -> None:
    with client_of(service.port) as asked:
        data = {"account": "acc_4711", "email": "gone@example.com"}
        event = {"specversion": "1.0", "id": "e1", "source": "test", "type": "account.signup", "data": data}
        asked.post("/v1/decide", json=event, headers={"Authorization": f"Bearer {service.key}"}).raise_for_status()
    service.type(block("operating.md", "fairgate erase"))
    assert "1 accounts were erased and can't be read" in service.type("fairgate doctor --config service/fairgate.toml")


# ------------------------------------------------------------------------------------------------------ with a desk


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Service]:
    """A service with desk and clerk, on which two people have signed up; commands find its settings by themselves."""
    desk = free_port()
    scopes = (*ALL_SCOPES, "review", "sql", "personal", "audit")
    made = make_service(tmp_path, free_port(), desk, scopes)
    with served(made), client_of(made.port) as door, client_of(desk) as asked:
        for number in range(2):
            data = {"account": f"acc_{number}", "email": f"zoe{number}@example.com"}
            event = {"specversion": "1.0", "id": f"o{number}", "source": "test", "type": "account.signup", "data": data}
            door.post("/v1/decide", json=event, headers={"Authorization": f"Bearer {made.key}"}).raise_for_status()
        until(lambda: is_ready(asked))
        yield made


def line_of(page: str, beginning: str) -> str:
    """The one command of a page that begins so."""
    [found] = [
        line.strip() for line in (HOW_TO / page).read_text("utf-8").splitlines() if line.startswith(f"    {beginning}")
    ]
    return found


def by(key: str, script: str) -> str:
    """Commands that somebody with this key types."""
    return f"export FAIRGATE_CONFIG=service/fairgate.toml FAIRGATE_KEY={key}\n{script}"


def test_a_bulk_action_goes_its_way_as_the_page_says(office: Service) -> None:
    bob = key_of(office, "bob", "enforce")
    draft = block("act.md", "fairgate bulk draft")
    assert "newcomers_share_prompt" in {each.name for each in load_pack(pack_folder("ai_api")).rules}
    draft = draft.replace("FROM rules WHERE rule = 'newcomers_share_prompt'", "FROM decisions")
    drafted = office.type(by(office.key, draft))
    assert "suspend 2 accounts" in drafted

    def typed(what: str, number: int = 1, key: str = office.key) -> str:
        line = line_of("act.md", f"fairgate bulk {what} 3")
        return office.type(by(key, line.replace(" 3 ", f" {number} ").replace("1,204", "2")))

    assert "waiting" in typed("confirm")
    typed("approve", key=bob)
    until(lambda: "done" in typed("show"))
    typed("undo")
    until(lambda: "undone" in typed("show"))
    office.type(by(office.key, draft.replace("ring-12", "ring-13")))
    typed("cancel", 2)
    assert "cancelled" in typed("show", 2)


@needs_curl
def test_who_did_and_read_what_is_seen_as_the_page_says(office: Service) -> None:
    bob = key_of(office, "bob", "read", "personal", "enforce")
    (office.folder / "bob.key").write_text(bob)
    sequence = office.type(by(office.key, "fairgate sql --form csv 'select min(sequence) from decisions'")).split()[1]
    until(lambda: "personal: shown" in office.type(line_of("audit.md", "curl -si").replace("4711 ", f"{sequence} ")))
    shown = office.type(by(office.key, block("audit.md", "fairgate sql --personal")))
    assert "@example.com" in shown
    until(lambda: " bob " in office.type(by(office.key, line_of("audit.md", "fairgate audit list --by"))))
    assert json.loads(office.type(by(office.key, line_of("audit.md", "fairgate audit list --what")))) == []
    assert "as they were written" in office.type(by(office.key, line_of("audit.md", "fairgate audit verify")))
    acknowledge = line_of("audit.md", "fairgate audit acknowledge")  # there is nothing to acknowledge here
    assert "Nothing is cut off" in office.type(by(office.key, f"! {acknowledge} 2>&1"))


@pytest.mark.parametrize(
    ("page", "containing"),
    [
        ("recovering.md", "min(time) as first"),
        ("recovering.md", "distinct account"),
        ("backtest-to-live.md", "group by day"),
    ],
)
def test_the_queries_of_the_pages_can_be_asked(service: Service, page: str, containing: str) -> None:
    query = block(page, containing).replace("--config fairgate.toml", "--config service/fairgate.toml")
    assert service.type(query) is not None


def test_the_list_the_rule_and_the_policy_of_ban_evasion_are_as_the_page_says(tmp_path: Path) -> None:
    pack = load_pack(pack_folder("ai_api"))
    [spec] = tomllib.loads(block("ban-evasion.md", 'entity = "card"'))["list"]
    shipped = pack.lists[spec["name"]]
    assert shipped.remembers is not None
    assert (shipped.entity, list(shipped.remembers.on)) == (spec["entity"], spec["remembers"]["on"])
    assert (shipped.remembers.length, shipped.remembers.shared_by) == (365 * DAY, spec["remembers"]["shared_by"])
    [rule] = tomllib.loads(block("ban-evasion.md", "since("))["rule"]
    assert [each.when.source for each in pack.rules if each.name == rule["name"]] == [rule["when"]]
    (tmp_path / "fairgate.toml").write_text(block("ban-evasion.md", "keep_ban_memory"))
    assert read_settings(tmp_path / "fairgate.toml").erasure.keeps == 180 * DAY


def test_the_ban_memory_is_asked_for_as_the_page_says(service: Service) -> None:
    asked = (
        block("ban-evasion.md", "/v1/memory")
        .splitlines()[0]
        .replace("curl", 'curl -H "Authorization: Bearer $FAIRGATE_KEY"')
    )
    assert json.loads(service.type(asked)) == {"tokens": 0, "waiting": []}


def test_people_are_let_in_and_changed_as_the_page_says(tmp_path: Path) -> None:
    """What asks for a password twice at a terminal reads it from the input here, as the page says that it can."""
    made = make_service(tmp_path, free_port())
    asks = re.compile(r"(?m)^(fairgate people (?:add|password) .*)$")

    def typed(containing: str) -> str:
        script = block("people.md", containing)
        return made.type(asks.sub(r"echo 'nine tall cranes' | \1 --password-stdin", script), tmp_path / "service")

    assert "Ann may log in as admin." in typed("add Ann --role admin")
    told = typed("people role Bob lead")
    assert re.search(r"Bob +reviewer +active +password ", told)
    assert told.count("Bob ") >= 6
    assert "Bob" not in typed("--what person.role")
    assert "person.role" in typed("--what person.role")


def test_the_settings_of_people_are_as_the_page_says(tmp_path: Path) -> None:
    path = tmp_path / "fairgate.toml"
    path.write_text(block("people.md", "without_totp"))
    assert read_settings(path).people.without_totp == [Role.READER]
    path.write_text(block("people.md", 'url = "https') + block("people.md", "[people.oidc]"))
    settings = read_settings(path)
    oidc = settings.people.oidc
    assert settings_of_line(settings_line(settings)) == settings  # as a door gives them to its desk
    assert oidc is not None
    assert oidc.roles == {"abuse-leads": Role.LEAD, "abuse": Role.REVIEWER}


def test_the_roles_are_as_the_page_says() -> None:
    rows = dict(re.findall(r"(?m)^\| `(\w+)` \| (.*) \|$", (HOW_TO / "people.md").read_text("utf-8")))
    assert list(rows) == list(Role)
    named = {role: set(re.findall(r"`(\w+)`", rows[role])) for role in Role}
    assert named[Role.READER] == Role.READER.scopes
    assert named[Role.REVIEWER] == Role.REVIEWER.scopes
    assert named[Role.LEAD] == Role.LEAD.scopes - Role.REVIEWER.scopes
    assert named[Role.INVESTIGATOR] == Role.INVESTIGATOR.scopes - Role.REVIEWER.scopes
    assert named[Role.ENGINEER] == Role.ENGINEER.scopes
    assert Role.ADMIN.scopes == set(Scope)
