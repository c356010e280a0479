"""Both sides for real: `fairgate serve` decides and tells, `fairgate share serve` holds, killed meanwhile or not."""

import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from fairgate.entrypoints.signing import new_secret
from tests.e2e.doors import COMMAND, ENVIRONMENT, ROOT, Process, client_of, fairgate, free_port, process, wait_until
from tests.e2e.test_how_to import block
from tests.e2e.test_webhooks import act, undo
from tests.support import body

SECRET = new_secret()
ASKED = {"model": "m", "input_tokens": 1, "max_output": 1, "deadline_ms": 0}
#: Seconds in which what was done to somebody binds their compute.
SOON = 3.0


class SidecarProcess:
    """`fairgate share serve` on a folder of its own, which can be killed and started again."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        self.port = free_port()
        self._folder = folder
        folder.mkdir()
        (folder / "fairgate.toml").write_text(
            f"data = {str(folder / 'data')!r}\n[share]\nport = {self.port}\n{settings}\n"
            "[[share.pool]]\ncapacity = 1e6\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def client(self) -> httpx.Client:
        return client_of(self.port)

    def start(self) -> None:
        command = [*COMMAND, "share", "serve", "--config", str(self._folder / "fairgate.toml")]
        with (self._folder / "output").open("ab") as output:
            environment = {**ENVIRONMENT, "FAIRGATE_SHARE_WEBHOOK": SECRET}
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        wait_until(self._ready)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def status(self, account: str) -> int:
        with self.client as client:
            answer = client.post("/v1/share/acquire", json={"account": account, **ASKED})
        if answer.status_code != 200:
            assert answer.json()["error"] == {
                "code": "busy", "reason": "there is no capacity for this now: ask again later"
            }  # fmt: skip
        return answer.status_code

    def bound(self, account: str) -> float | None:
        with self.client as client:
            found: float | None = client.get(f"/v1/share/explain/{account}").json()["bound"]
        return found

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "output").read_text()
        try:
            with self.client as client:
                return client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def both(folder: Path, settings: str = "") -> Iterator[tuple[Process, httpx.Client, SidecarProcess]]:
    """A service, a client of it, and the sidecar that it tells."""
    sidecar = SidecarProcess(folder / "share", settings)
    url = f"http://127.0.0.1:{sidecar.port}/v1/share/standing"
    tables = f"[webhook.share]\nurl = {url!r}\n"
    sidecar.start()
    try:
        with process(folder, tables=tables, env={"FAIRGATE_WEBHOOK_SHARE": SECRET}) as door, door.ready() as client:
            yield door, client, sidecar
    finally:
        sidecar.kill()


def soon(sidecar: SidecarProcess, account: str, status: int) -> None:
    """The account is answered so within seconds."""
    began = time.monotonic()
    wait_until(lambda: sidecar.status(account) == status)
    assert time.monotonic() - began < SOON


def test_who_is_suspended_is_denied_within_seconds_and_let_in_again_by_the_undo(tmp_path: Path) -> None:
    with both(tmp_path) as (_, client, sidecar):
        assert sidecar.status("a") == 200
        number = act(client, "a")
        soon(sidecar, "a", 429)
        assert sidecar.status("b") == 200
        undo(client, number)
        soon(sidecar, "a", 200)


def test_what_somebody_is_writing_when_they_are_suspended_is_to_be_cut_off(tmp_path: Path) -> None:
    with both(tmp_path) as (_, client, sidecar), sidecar.client as share:
        grants = {
            each: share.post("/v1/share/acquire", json={**ASKED, "account": each, "max_output": 100}).json()["grant"]
            for each in ("a", "b")
        }

        def charged(output: int) -> list[str]:
            told = [{"grant": grant, "output": output} for grant in grants.values()]
            stop: list[str] = share.post("/v1/share/charge", json=told).json()["stop"]
            return stop

        assert charged(1) == []
        began = time.monotonic()
        number = act(client, "a")
        wait_until(lambda: charged(2) == [grants["a"]])
        assert time.monotonic() - began < SOON
        alone = share.post("/v1/share/charge", json={"grant": grants["a"], "output": 3}).json()
        assert alone == {"charged": True, "stop": True}
        undo(client, number)
        wait_until(lambda: charged(4) == [])


def test_decisions_of_rules_and_switches_follow_too(tmp_path: Path) -> None:
    with both(tmp_path, "throttled_ceil = 0.5") as (_, client, sidecar):
        throttled = act(client, "t", action="throttle")
        suspended = act(client, "s")
        wait_until(lambda: (sidecar.bound("t"), sidecar.bound("s")) == (0.25, 0.0))
        for number in range(3):
            client.post("/v1/decide", content=body({"account": f"r{number}"}, id=f"s{number}"))
        act(client, "short", **{"for": "1s"})
        wait_until(lambda: sidecar.bound("short") == 0.0)
        wait_until(lambda: sidecar.bound("short") is None)
        switch = {"why": "a test"}
        for name, left in (("action:suspend", (0.25, None)), ("all", (None, None))):
            client.put(f"/v1/switches/{name}", json={"off": True, **switch})
            wait_until(lambda left=left: (sidecar.bound("t"), sidecar.bound("s")) == left)  # type: ignore[misc]
            client.put(f"/v1/switches/{name}", json={"off": False, **switch})
            wait_until(lambda: (sidecar.bound("t"), sidecar.bound("s")) == (0.25, 0.0))
        undo(client, throttled)
        undo(client, suspended)
        wait_until(lambda: (sidecar.bound("t"), sidecar.bound("s")) == (None, None))
        with sidecar.client as share:
            wait_until(lambda: share.get("/v1/share/explain/r2").json()["decision"] is not None)
            assert share.get("/v1/share/explain/r2").json()["decision"]["action"] == "challenge"
            assert " 0.0\n" in "".join(
                re.findall(r"(?m)^fairgate_share_messages_refused_total.* [0-9.]+\n", share.get("/metrics").text)
            )


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_lost_when_the_sidecar_is_killed(tmp_path: Path, seed: int) -> None:
    accounts = [f"a{number}" for number in range(30)]
    with both(tmp_path) as (door, client, sidecar):
        first = {account: act(client, account) for account in accounts}
        if seed:  # in the middle of it, or when all of it is there
            wait_until(lambda: all(sidecar.bound(each) == 0.0 for each in accounts))
        sidecar.kill()
        undone, kept = accounts[::3], [each for each in accounts if each not in accounts[::3]]
        for account in undone:
            undo(client, first[account])
        late = act(client, "late")
        sidecar.start()
        if seed:
            assert all(sidecar.bound(each) == 0.0 for each in kept), "what was there stands at once"
        # A clerk may be behind at first, and has nothing that waits then.
        wait_until(lambda: all(sidecar.bound(each) == 0.0 for each in (*kept, "late")))
        wait_until(lambda: "nothing" in fairgate("webhooks", "list", "--config", door.folder / "fairgate.toml").stdout)
        for _ in range(2):
            assert all(sidecar.bound(each) == 0.0 for each in (*kept, "late"))
            assert all(sidecar.bound(each) is None for each in undone)
            sidecar.kill()
            sidecar.start()
        undo(client, late)
        soon(sidecar, "late", 200)


def test_the_page_says_how_both_sides_are_connected(tmp_path: Path) -> None:
    assert block("share.md", "[webhook.share]").splitlines()[0] == "[webhook.share]"
    url = re.findall(r'url = "http://localhost:8082(.*)"', block("share.md", "[webhook.share]"))
    assert url == ["/v1/share/standing"]
    for containing, variable in (("FAIRGATE_SHARE_WEBHOOK", "share serve"), ("FAIRGATE_WEBHOOK_SHARE", "serve")):
        assert f"export {containing}=whsec_...\nfairgate {variable}" in block("share.md", containing)
    acted = shlex.split(block("share.md", "fairgate act account acc_7").splitlines()[0])
    with both(tmp_path) as (door, _, sidecar):
        done = fairgate(*acted[1:], "--url", f"http://127.0.0.1:{door.port}")
        assert done.returncode == 0, done.stderr
        soon(sidecar, "acc_7", 429)
