"""Appeals from end to end: a real `fairgate serve` with desk and clerk, keys for people and a service, a receiver."""

import os
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from fairgate.backends.embedded.api_keys import open_api_keys
from fairgate.domain.access import Scope
from fairgate.domain.appeal import AppealState
from fairgate.domain.audit import Kind, more_of
from fairgate.entrypoints.access import new_key
from fairgate.wiring import open_records
from tests.e2e.desks import audited, children_of, settings_in, until
from tests.e2e.doors import COMMAND, ENVIRONMENT, ROOT, client_of, fairgate, free_port
from tests.e2e.receivers import Receiver, receiving
from tests.support import NOW, PACK

TERMS = '\n[appeal]\ntext = "If you think that this is wrong, write to our support."\n'
PERSON = frozenset({Scope.READ, Scope.REVIEW, Scope.ENFORCE})
KEYS = {
    "ann": PERSON,
    "bob": PERSON | {Scope.PERSONAL},
    "junior": frozenset({Scope.REVIEW}),
    "help desk": frozenset({Scope.REVIEW, Scope.READ}),
}
SUSPEND = {"kind": "account", "value": "anna", "action": "suspend", "reasons": ["burst"], "why": "one of thirty"}


class Service:
    """`fairgate serve` with door, desk and clerk, and a receiver that is told.

    `desk` goes into the settings' table of the desk, `more` behind it.
    """

    def __init__(self, folder: Path, stack: ExitStack, desk: str = "", more: str = "") -> None:
        self.settings = settings_in(folder)
        (Path(self.settings.pack) / "pack.toml").write_text(PACK + TERMS)
        self.receiver = Receiver("gateway")
        stack.enter_context(receiving(self.receiver))
        self.door, self.config = free_port(), folder / "fairgate.toml"
        self.config.write_text(
            f"pack = {self.settings.pack!r}\ndata = {str(self.settings.data)!r}\n[door]\nport = {self.door}\n"
            f"[desk]\nport = {self.settings.desk.port}\n{desk}\n{more}\n{self.receiver.table()}"
        )
        self.keys = {}
        with open_api_keys(self.settings.data / "keys.db") as keys:
            for name, scopes in KEYS.items():
                self.keys[name], stored = new_key(name, scopes, NOW, None)
                keys.add(stored)
        self._output = folder / "output"
        command = [*COMMAND, "serve", "--config", str(self.config)]
        environment = {**ENVIRONMENT, **self.receiver.env}
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        stack.callback(self._end)

    @contextmanager
    def as_(self, name: str) -> Iterator[tuple[httpx.Client, httpx.Client]]:
        """Clients of door and desk with somebody's key, once both answer."""
        with client_of(self.door) as door, client_of(self.settings.desk.port) as desk:
            for client in (door, desk):
                client.headers["authorization"] = f"Bearer {self.keys[name]}"
                until(lambda client=client: self._answers(client))  # type: ignore[misc]
            yield door, desk

    def desk_pid(self) -> int:
        found = [pid for pid in children_of(self.process.pid) if b"desk_command" in _command(pid)]
        assert len(found) == 1
        return found[0]

    def told(self, name: str) -> list[Any]:
        return [each.data for each in self.receiver.got if each.name == name]

    def _answers(self, client: httpx.Client) -> bool:
        assert self.process.poll() is None, self._output.read_text()
        try:
            return client.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def _end(self) -> None:
        self.process.kill()
        self.process.wait()


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with ExitStack() as stack:
        yield Service(tmp_path, stack)


def told(answer: httpx.Response, status: int = 200) -> Any:  # noqa: ANN401 - JSON
    assert answer.status_code == status, answer.text
    return answer.json()


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def filed(service: Service) -> tuple[int, int]:
    """An action that Ann takes, and the appeal against it that the help desk files: their numbers."""
    with service.as_("ann") as (door, _):
        action = told(door.post("/v1/actions", json=SUSPEND), 201)["number"]
    until(lambda: bool(service.told(f"action_{action}_taken")))  # so the clerk has it
    with service.as_("help desk") as (_, desk):
        asked = {"action": action, "words": "It was me.", "ref": "ticket 1"}
        return action, told(desk.post("/v1/appeals", json=asked), 201)["number"]


def test_an_appeal_from_the_action_to_the_freed_account(service: Service) -> None:
    action, number = filed(service)
    path = f"/v1/appeals/{number}/decision"
    grant = {"granted": True, "why": "a friend", "spare": "30d"}
    with service.as_("help desk") as (door, desk):
        statement = told(door.get(f"/v1/actions/{action}/statement"))
        assert statement["appeal"] == "If you think that this is wrong, write to our support."
        assert told(door.get("/v1/accounts/anna/standing"))["may"]["use"] is False
        assert refusal(desk.post(path, json=grant)) == (403, "filed_it")
    with service.as_("ann") as (_, desk):
        assert refusal(desk.post(path, json=grant)) == (403, "took_it")
    with service.as_("junior") as (_, desk):  # may review, and not enforce: the door says so
        assert refusal(desk.post(path, json=grant)) == (403, "scope_missing")
        assert told(desk.get(f"/v1/appeals/{number}"))["state"] == "open"
    refused = [(each.by, each.more) for each in audited(service.settings) if each.what == Kind.REFUSED]
    assert refused == [("help desk", more_of(code="filed_it")), ("ann", more_of(code="took_it"))]
    with service.as_("bob") as (door, desk):
        desk.headers["fairgate-reason"] = "an appeal"
        [listed] = told(desk.get("/v1/appeals?state=open&account=anna"))["appeals"]
        assert (listed["number"], listed["words"], listed["taken_by"]) == (number, "It was me.", "ann")
        decided = told(desk.post(path, json=grant))
        assert (decided["state"], decided["decided"]["by"]) == ("granted", "bob")
        undone = told(door.get(f"/v1/actions/{action}"))["undone"]
        assert (undone["by"], undone["why"]) == ("bob", "a friend")
        assert told(door.get("/v1/accounts/anna/standing"))["may"]["use"] is True
        spared = [each for each in told(door.get("/v1/actions?value=anna"))["actions"] if each["stands"]]
        assert [(each["action"], each["by"]) for each in spared] == [("allow", "bob")]
        assert refusal(desk.post(path, json=grant)) == (409, "decided")
        assert "fairgate_appeals_open 0.0" in desk.get("/metrics").text.splitlines()
    until(lambda: bool(service.told(f"action_{action}_undone")))
    [message] = service.told(f"action_{action}_undone")
    assert message["cause"]["what"] == "undone"
    copy, restored = service.config.parent / "copy", service.config.parent / "restored"
    for words in (("backup", copy, "--config", service.config, "--with-secret"), ("restore", copy, restored)):
        done = fairgate(*words)
        assert done.returncode == 0, done.stderr
    with open_records(restored / "data") as records:
        kept = records.appeals.get(number)
    assert kept is not None
    assert (kept.state, kept.words) == (AppealState.GRANTED, "It was me.")
    looked = fairgate("doctor", "--config", service.config, "--json")
    assert '"words": "0 are open, 0 of them overdue"' in looked.stdout


def test_a_desk_that_is_killed_between_undoing_and_deciding_leaves_it_open(service: Service) -> None:
    action, number = filed(service)
    grant = {"granted": True, "why": "a friend", "spare": "30d"}

    def decide() -> None:
        with service.as_("bob") as (_, desk), pytest.raises(httpx.TransportError):
            desk.post(f"/v1/appeals/{number}/decision", json=grant)

    with closing(sqlite3.connect(service.settings.data / "records.db", isolation_level=None)) as other:
        other.execute("begin immediate")  # nobody else can write, so the desk waits after the door has answered
        deciding = threading.Thread(target=decide)
        deciding.start()
        with service.as_("bob") as (door, _):
            until(lambda: "undone" in told(door.get(f"/v1/actions/{action}")))
        os.kill(service.desk_pid(), signal.SIGKILL)
        deciding.join()
        other.execute("rollback")
    with service.as_("bob") as (door, desk):  # the desk is started again
        until(lambda: desk_is_back(desk))
        assert told(desk.get(f"/v1/appeals/{number}"))["state"] == "open"
        assert told(desk.post(f"/v1/appeals/{number}/decision", json=grant))["state"] == "granted"
        kept = told(door.get("/v1/actions?value=anna"))["actions"]
        assert [each["action"] for each in kept] == ["suspend", "allow"]  # undone once, and spared once


def desk_is_back(desk: httpx.Client) -> bool:
    try:
        return desk.get("/v1/appeals").status_code == 200
    except httpx.TransportError:
        return False
