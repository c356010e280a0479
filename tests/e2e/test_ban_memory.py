"""Ban evasion from end to end: a real `fairgate serve`, whose desk looks up what a banned account used."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from fairgate.domain.appeal import Appeal
from fairgate.domain.challenge import Challenge
from fairgate.domain.ledger import Subject
from fairgate.domain.windows import DAY
from fairgate.wiring import open_records
from tests.e2e.desks import settings_in, until
from tests.e2e.doors import COMMAND, ENVIRONMENT, ROOT, client_of, fairgate, free_port
from tests.support import HEAD, NOW

PACK = HEAD + """
[event."payment.method_added".attributes]
account = { entity = "account", required = true }
card = { entity = "card", personal = true }

[[segment]]
name = "default"

[[list]]
name = "cards_of_banned"
entity = "card"
remembers = { of = ["ban"], on = "payment.method_added", for = "365d", shared_by = 2 }

[[rule]]
name = "card_of_banned"
on = "payment.method_added"
when = 'card in list("cards_of_banned")'
score = 3.0
action = "hold"
reason = "burst"
mode = "live"

[action.ban]
use = false
"""  # fmt: skip
POLICY = '\n[erasure]\nkeep_ban_memory = "180d"\nground = "fraud prevention, notice 4.2"\n'
#: What may not be found in any file once its account is erased.
MAIL, CARD, WORDS = "ada.lovelace@example.com", "card_of_ada", "I am Ada Lovelace, and I did nothing."


class Service:
    """`fairgate serve` with door, desk and clerk, that can be stopped and started again."""

    def __init__(self, folder: Path, stack: ExitStack, more: str = "") -> None:
        self.settings = settings_in(folder)
        (Path(self.settings.pack) / "pack.toml").write_text(PACK)
        self.door, self.config = free_port(), folder / "fairgate.toml"
        self.config.write_text(
            f"pack = {self.settings.pack!r}\ndata = {str(self.settings.data)!r}\n[door]\nport = {self.door}\n"
            f"[desk]\nport = {self.settings.desk.port}\ncompact_seconds = 0.2\n{more}"
        )
        self.output = folder / "output"
        self.number = 0
        self.start()
        stack.callback(self.stop)

    def start(self) -> None:
        with self.output.open("ab") as output:
            command = [*COMMAND, "serve", "--config", str(self.config)]
            self.process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=output, stderr=output)

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self.process.poll() is None:
            os.kill(self.process.pid, how)
        self.process.wait()

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        with client_of(self.door) as client:
            until(lambda: self._answers(client))
            yield client

    def pays(self, client: httpx.Client, account: str, card: str = CARD) -> list[str]:
        """The rules that fire when an account adds a card."""
        self.number += 1
        event = {"specversion": "1.0", "id": f"p{self.number}", "source": "shop", "type": "payment.method_added"}
        decided = told(
            client.post("/v1/decide", content=json.dumps({**event, "data": {"account": account, "card": card}}))
        )
        rules: list[str] = [each["name"] for each in told(client.get(f"/v1/decisions/{decided['sequence']}"))["rules"]]
        return rules

    def bans(self, client: httpx.Client, account: str) -> int:
        asked = {"kind": "account", "value": account, "action": "ban", "reasons": ["burst"], "why": "one of thirty"}
        number: int = told(client.post("/v1/actions", json=asked), 201)["number"]
        until(lambda: told(client.get("/v1/memory"))["waiting"] == [])
        return number

    def _answers(self, client: httpx.Client) -> bool:
        assert self.process.poll() is None, self.output.read_text()
        try:
            return client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False


def told(answer: httpx.Response, status: int = 200) -> Any:  # noqa: ANN401 - JSON
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def test_a_banned_card_is_caught_through_restarts_and_a_new_secret_until_the_ban_is_undone(
    tmp_path: Path, stack: ExitStack
) -> None:
    service = Service(tmp_path, stack)
    with service.client() as client:
        assert service.pays(client, "ada") == []
        number = service.bans(client, "ada")
        [entry] = told(client.get("/v1/lists/cards_of_banned"))["entries"]
        assert (entry["by"], entry["why"]) == ("fairgate", f"action {number}")
        assert service.pays(client, "ada2") == ["card_of_banned"]
        assert service.pays(client, "bob", "card_of_bob") == []
    service.stop()
    service.start()
    with service.client() as client:
        assert service.pays(client, "ada3") == ["card_of_banned"]
    service.stop(signal.SIGTERM)
    done = fairgate("secret", "rotate", "--config", service.config)
    assert done.returncode == 0, done.stderr
    service.start()
    with service.client() as client:
        assert service.pays(client, "ada4") == ["card_of_banned"]
        told(client.post(f"/v1/actions/{number}/undo", json={"why": "the wrong one"}))
        assert service.pays(client, "ada5") == []
        assert told(client.get("/v1/lists/cards_of_banned"))["entries"] == []
    service.stop(signal.SIGTERM)
    looked = fairgate("log", "verify", service.settings.data / "log", "--decisions")
    assert looked.returncode == 0, looked.stdout + looked.stderr


def test_a_card_of_many_is_nobodys(tmp_path: Path, stack: ExitStack) -> None:
    service = Service(tmp_path, stack)
    with service.client() as client:
        for account in ("father", "mother", "son"):
            assert service.pays(client, account, "card_family") == []
        service.bans(client, "son")
        assert service.pays(client, "daughter", "card_family") == []
        with client_of(service.settings.desk.port) as desk:
            metrics = desk.get("/metrics").text.splitlines()
        assert "fairgate_ban_memory_actions_total 1.0" in metrics


@pytest.mark.parametrize("policy", ["", POLICY], ids=["nothing is kept", "tokens are kept"])
def test_an_erasure_says_what_is_kept_and_leaves_nothing_readable(
    tmp_path: Path, stack: ExitStack, policy: str
) -> None:
    service = Service(tmp_path, stack, policy)
    with service.client() as client:
        data = {"account": "ada", "email": MAIL, "ip": "198.51.100.7"}
        event = {"specversion": "1.0", "id": "s1", "source": "shop", "type": "account.signup", "data": data}
        told(client.post("/v1/decide", content=json.dumps(event)))
        service.pays(client, "ada")
        number = service.bans(client, "ada")
        appeal(service, number)
        challenged(service)
        answer = told(client.post("/v1/erasures", json={"account": "ada", "why": "she asked, request 4711"}))
        assert answer["kept"] == (1 if policy else 0)
        assert ("fraud prevention, notice 4.2" in answer["words"]) is bool(policy)
        assert service.pays(client, "ada2") == (["card_of_banned"] if policy else [])
        until(lambda: words_of(service) == "(erased)" and not challenges_of(service))
    service.stop(signal.SIGTERM)  # with a snapshot
    copy = tmp_path / "copy"
    done = fairgate("backup", copy, "--config", service.config, "--with-secret")
    assert done.returncode == 0, done.stderr
    for folder in (service.settings.data, copy):
        assert readable(folder) == []
    again = fairgate("erase", "ada", "--why", "once more", "--config", service.config)
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith("erased: nothing personal of this account can be read any more")
    assert ("1 token of what it used stay" in again.stdout) is bool(policy)


def appeal(service: Service, action: int) -> None:
    with open_records(service.settings.data) as records:
        asked = Appeal(-1, action, Subject("account", "ada"), "ann", NOW, "help desk", NOW, WORDS, "1")
        assert records.appeals.file(asked).new


def challenged(service: Service) -> None:
    with open_records(service.settings.data) as records:
        about = json.dumps({"email": MAIL})
        asked = Challenge("c1", "email", "ada", None, "shop", "1", NOW, NOW + 99 * DAY, 3, "", about)
        assert records.challenges.put(asked, 9, 0).new


def challenges_of(service: Service) -> bool:
    with open_records(service.settings.data) as records:
        return records.challenges.get("c1") is not None


def words_of(service: Service) -> str:
    with open_records(service.settings.data) as records:
        filed = records.appeals.under("help desk", "1")
    assert filed is not None
    return filed.words


def readable(folder: Path) -> list[str]:
    """What stands in some file of a folder in clear, but for the service's own new sign-ups."""
    held = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return [text for text in (MAIL, CARD, "Lovelace") if text.encode() in held]
