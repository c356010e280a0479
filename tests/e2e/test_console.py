"""The console in a real browser, served by a real `fairgate serve` over what a simulated world has left."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import browser, page_of
from tests.e2e.doors import COMMAND, ENVIRONMENT, ROOT, client_of, fairgate, free_port, wait_until

pytestmark = pytest.mark.server
PASSWORD = "seven grey herons"
HOSTILE = "<img src=x onerror=alert(1)> \N{HEBREW LETTER ALEF}\N{HEBREW LETTER BET} " + "long " * 100


class Service:
    """`fairgate serve` on a data folder, door and desk."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.folder, self.door, self.desk = folder, free_port(), free_port()
        (folder / "fairgate.toml").write_text(
            f"data = {str(folder / 'data')!r}\n[door]\nport = {self.door}\n"
            f"[desk]\nport = {self.desk}\nsecond_looks = false\n{more}"
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.desk}"

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401 - httpx's
        with client_of(self.desk) as client:
            return client.request(method, path, **more)

    @contextmanager
    def running(self) -> Iterator["Service"]:
        command = [*COMMAND, "serve", "--config", str(self.folder / "fairgate.toml")]
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=output, stderr=output)
        try:
            for port in (self.door, self.desk):
                wait_until(lambda port=port: _answers(port))  # type: ignore[misc]
            yield self
        finally:
            self._process.terminate()
            self._process.wait(60)

    def cli(self, *words: str, given: str = "") -> None:
        done = subprocess.run(
            [*COMMAND, *words, "--config", str(self.folder / "fairgate.toml")],
            cwd=ROOT, env=ENVIRONMENT, input=given, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def _answers(port: int) -> bool:
    with client_of(port) as client:
        try:
            return client.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder after two days of a simulated world, with cases that wait."""
    folder = tmp_path_factory.mktemp("world")
    done = fairgate("demo", "--days", "2", "--port", "0", "--stop", "--data", str(folder / "data"))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def service(world: Path) -> Iterator[Service]:
    with Service(world).running() as running:
        yield running


def violations(page: Page) -> list[str]:
    """What axe finds wrong with a page as it is now."""
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {[node['html'][:200] for node in each['nodes'][:3]]}" for each in found]


def row(page: Page, number: int) -> Any:  # noqa: ANN401 - Playwright's locator
    return page.get_by_role("row").filter(has=page.get_by_role("gridcell", name=str(number), exact=True))


def chosen(page: Page) -> int:
    return int(page.locator("[role=row][aria-selected=true] [role=gridcell]").first.inner_text())


# --------------------------------------------------------------------------------------------------------- the review


def test_the_queue_is_there_and_keys_move_in_it(opened: Browser, service: Service) -> None:
    cases = service.ask("GET", "/v1/cases/queue").json()["cases"]
    assert len(cases) > 5
    with page_of(opened, service.url) as page:
        page.goto("/")
        expect(page).to_have_url(f"{service.url}/review")
        expect(row(page, cases[0]["number"])).to_have_attribute("aria-selected", "true")
        page.keyboard.press("j")
        expect(page).to_have_url(f"{service.url}/review/{cases[1]['number']}")
        expect(page.get_by_role("complementary").get_by_role("heading", level=1)).to_have_text(
            f"Case {cases[1]['number']}"
        )
        page.keyboard.press("k")
        expect(row(page, cases[0]["number"])).to_have_attribute("aria-selected", "true")
        detail = page.get_by_role("complementary")
        decision = service.ask("GET", f"/v1/door/v1/decisions/{cases[0]['events'][0]}").json()
        expect(detail).to_contain_text(decision["reasons"][0]["reviewer"])
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_contain_text("Next case")
        page.keyboard.press("j")
        expect(row(page, cases[0]["number"])).to_have_attribute("aria-selected", "true")  # keys are the dialog's


def test_a_reviewer_decides_by_keys_and_the_next_case_is_there(opened: Browser, service: Service) -> None:
    cases = service.ask("GET", "/v1/cases/queue").json()["cases"]
    first = cases[0]
    with page_of(opened, service.url) as page:
        page.goto(f"/review/{first['number']}")
        expect(page.get_by_role("complementary").get_by_role("heading", level=1)).to_have_text(
            f"Case {first['number']}"
        )
        page.keyboard.press("b")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.get_by_label("Why, for whoever looks later").fill("sells what others pay for")
        page.keyboard.press("Control+Enter")
        expect(row(page, first["number"])).to_have_count(0)
        expect(page.get_by_role("complementary").get_by_role("heading", level=1)).to_have_text(
            f"Case {cases[1]['number']}"
        )
        wait_until(lambda: service.ask("GET", f"/v1/cases/{first['number']}").json()["case"]["state"] == "decided")
        verdict = service.ask("GET", f"/v1/cases/{first['number']}").json()["case"]["verdict"]
        assert (verdict["outcome"], verdict["why"]) == ("bad", "sells what others pay for")
        account = first["accounts"][0]
        with client_of(service.door) as door:
            assert door.get(f"/v1/accounts/{account}/standing").json()["action"] == first["suggested"]


def test_what_the_server_refuses_comes_back_with_its_words(opened: Browser, service: Service) -> None:
    case = service.ask("GET", "/v1/cases/queue").json()["cases"][-1]
    with page_of(opened, service.url) as page:
        page.goto(f"/review/{case['number']}")
        expect(page.get_by_role("complementary").get_by_role("heading", level=1)).to_have_text(f"Case {case['number']}")
        page.keyboard.press("n")
        note = service.ask(
            "POST",
            f"/v1/cases/{case['number']}/notes",
            json={"text": "meanwhile"},
            headers={"if-match": f'"{case["version"]}"'},
        )
        assert note.status_code == 200
        page.get_by_role("textbox", name="Note").fill("too late")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("alert").filter(has_text="as it was")).to_contain_text("has changed since you looked")
        expect(row(page, case["number"])).to_have_attribute("aria-selected", "true")


def test_hostile_words_are_text(opened: Browser, service: Service) -> None:
    account = "evil\"'><script>alert(1)</script>"
    asked = {"accounts": [account], "why": HOSTILE, "ref": "hostile", "burn": 1e6, "probability": 0.9}
    made = service.ask("POST", "/v1/cases", json=asked).json()
    with page_of(opened, service.url) as page:
        page.goto(f"/review/{made['number']}")
        detail = page.get_by_role("complementary")
        expect(detail).to_contain_text("<img src=x onerror=alert(1)>")
        expect(detail).to_contain_text(account)
        assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_and_nothing_jumps(opened: Browser, service: Service, dark: bool) -> None:
    with page_of(opened, service.url, dark=dark) as page:
        page.add_init_script(
            "window.shifted = 0; new PerformanceObserver(list => { for (const each of list.getEntries()) "
            "if (!each.hadRecentInput) window.shifted += each.value; }).observe({type: 'layout-shift', buffered: true})"
        )
        page.goto("/review")
        expect(page.get_by_role("complementary").get_by_role("heading", name="History")).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert violations(page) == []
        assert page.evaluate("window.shifted") == 0
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        assert violations(page) == []
        page.keyboard.press("Escape")
        page.keyboard.press("b")
        expect(page.get_by_role("dialog")).to_be_visible()
        assert violations(page) == []


def test_there_is_no_such_page_and_no_such_route(opened: Browser, service: Service) -> None:
    with page_of(opened, service.url) as page:
        page.goto("/nothing/here")
        expect(page.get_by_text("There is no such page.")).to_be_visible()
    answer = service.ask("GET", "/v1/nothing")
    assert (answer.status_code, json.loads(answer.content)["error"]["code"]) == (404, "not_found")
    for path in ("/assets/../index.html", "/assets/%2e%2e/built-from", "/assets/none.js"):
        assert service.ask("GET", path).status_code in {200, 404}
        assert b"import" not in service.ask("GET", path).content[:20]


# ---------------------------------------------------------------------------------------------------------- logging in


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with two people, a reviewer without one-time codes and a lead who has yet to take some."""
    folder = tmp_path_factory.mktemp("closed")
    service = Service(folder, '[people]\nwithout_totp = ["reviewer"]\n')
    with ExitStack() as stack:
        stack.enter_context(service.running())
        for name, role in (("rita", "reviewer"), ("lea", "lead")):
            service.cli("people", "add", name, "--role", role, "--password-stdin", given=f"{PASSWORD}\n")
        wait_until(lambda: service.ask("GET", "/v1/session").status_code == 401)
        yield service


def log_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_role("textbox", name="Password").fill(password)
    page.get_by_role("button", name="Log in").click()


@pytest.mark.parametrize("dark", [False, True])
def test_who_logs_in_is_where_they_wanted_to_be(opened: Browser, closed: Service, dark: bool) -> None:
    with page_of(opened, closed.url, dark=dark) as page:
        page.goto("/review/12")
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()
        assert violations(page) == []
        log_in(page, "rita", "something else entirely")
        expect(page.get_by_role("alert")).to_contain_text("name, password or code")
        log_in(page, "rita")
        expect(page.get_by_text("No case waits.")).to_be_visible()
        expect(page).to_have_url(f"{closed.url}/review/12")
        assert violations(page) == []
        page.context.clear_cookies()  # the session is over
        page.keyboard.press("g")
        page.reload()
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_a_session_that_ends_under_a_page_asks_again_and_goes_on_there(opened: Browser, closed: Service) -> None:
    with page_of(opened, closed.url) as page:
        page.goto("/review/3")
        log_in(page, "rita")
        expect(page.get_by_text("No case waits.")).to_be_visible()
        page.context.clear_cookies()
        expect(page.get_by_role("heading", name="Log in")).to_be_visible(
            timeout=30_000
        )  # the queue is asked for again by itself
        log_in(page, "rita")
        expect(page.get_by_text("No case waits.")).to_be_visible()
        expect(page).to_have_url(f"{closed.url}/review/3")
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_the_door_is_asked_in_the_name_of_who_is_logged_in(closed: Service) -> None:
    with client_of(closed.desk) as client:
        assert client.get("/v1/door/v1/switches").status_code == 401
        session = client.post("/v1/session", json={"name": "rita", "password": PASSWORD}).json()
        switches = client.get("/v1/door/v1/switches")
        assert (switches.status_code, switches.json()) == (200, {"all": False, "rules": [], "actions": []})
        off = {"off": True, "why": "a test"}
        assert client.put("/v1/door/v1/switches/all", json=off).status_code == 403, "forged"
        refused = client.put("/v1/door/v1/switches/all", json=off, headers={"fairgate-csrf": session["csrf"]})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "scope_missing")
        assert client.get("/v1/door/v1/decisions/nobody%2Fnothing?x=%2F").status_code in {400, 404}
        assert client.get("/v1/door/../cases/queue").status_code in {200, 404}


def test_whose_role_needs_codes_takes_some(opened: Browser, closed: Service) -> None:
    import pyotp  # noqa: PLC0415 - this test alone needs it

    with page_of(opened, closed.url) as page:
        page.goto("/")
        log_in(page, "lea")
        expect(page.get_by_role("heading", name="Take one-time codes")).to_be_visible()
        page.get_by_role("textbox", name="Your password").fill(PASSWORD)
        page.get_by_role("button", name="Go on").click()
        secret = page.locator("code").inner_text()
        page.get_by_label("The code that the app shows now").fill(pyotp.TOTP(secret).now())
        page.get_by_role("button", name="Confirm").click()
        expect(page.get_by_text("No case waits.")).to_be_visible()
