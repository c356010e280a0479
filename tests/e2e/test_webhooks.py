"""What other services are told, from a real `fairgate serve` to real receivers: everything, in order, signed."""

import os
import random
import signal
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.e2e.doors import Process, fairgate, process, wait_until
from tests.e2e.receivers import Got, Receiver, receiving
from tests.support import body

_ACT = {"kind": "account", "action": "suspend", "for": "1h", "reasons": ["burst"], "why": "a test"}


def act(client: httpx.Client, account: str, **changes: Any) -> int:  # noqa: ANN401 - JSON
    answer = client.post("/v1/actions", json={**_ACT, "value": account, **changes})
    assert answer.status_code == 201, answer.text
    number: int = answer.json()["number"]
    return number


def undo(client: httpx.Client, number: int) -> None:
    assert client.post(f"/v1/actions/{number}/undo", json={"why": "a test"}).status_code == 200


@contextmanager
def service(folder: Path, *receivers: Receiver, more: str = "") -> Iterator[tuple[Process, httpx.Client]]:
    """A service that tells these receivers."""
    tables = "".join(each.table(more) for each in receivers)
    env = {name: value for each in receivers for name, value in each.env.items()}
    with process(folder, tables=tables, env=env) as door, door.ready() as client:
        yield door, client


def clerk_of(door: Process) -> int:
    """The process id of a service's clerk."""
    found: list[int] = []

    def there() -> bool:
        for each in Path("/proc").glob("[0-9]*"):
            try:
                status, command = (each / "stat").read_text(), (each / "cmdline").read_text()
            except OSError:
                continue
            if f") S {door.pid} " in status and "clerk_command" in command:
                found.append(int(each.name))
        return bool(found)

    wait_until(there)
    return found[0]


def by_subject(got: Sequence[Got]) -> dict[str, list[str]]:
    """The messages about each subject in the order in which they came first."""
    found: dict[str, list[str]] = defaultdict(list)
    for each in got:
        subject = each.data["standing"]["value"]
        if each.id not in found[subject]:
            found[subject].append(each.id)
    return found


def test_a_change_is_told_with_how_the_account_stands_then(tmp_path: Path) -> None:
    receiver = Receiver("gateway")
    with receiving(receiver), service(tmp_path, receiver) as (_, client):
        suspended = act(client, "a")
        act(client, "a", action="throttle", **{"for": "1s"})
        undo(client, suspended)
        client.put("/v1/switches/action:ban", json={"off": True, "why": "a test"})
        wait_until(lambda: len(receiver.ids()) == 5)
        assert receiver.refused == []
        told = [(each.name, each.type) for each in receiver.got if each.type == "standing.changed"]
        assert told == [
            ("action_0_taken", "standing.changed"),
            ("action_1_taken", "standing.changed"),
            ("action_0_undone", "standing.changed"),
            ("action_1_ended", "standing.changed"),
        ]
        first, *_, last = (each.data for each in receiver.got if each.type == "standing.changed")
        standing = client.get("/v1/accounts/a/standing").json()
        assert first["cause"] == {"number": 0, "action": "suspend", "what": "taken", "automated": False}
        assert first["standing"]["may"]["use"] is False
        assert first["standing"]["reasons"] == ["Many accounts were made in a short time."]
        assert last["standing"] == standing
        [switched] = [each.data for each in receiver.got if each.type == "enforcement.switched"]
        assert switched == {"switch": "action:ban", "off": True}


def test_a_decision_is_told(tmp_path: Path) -> None:
    receiver = Receiver("gateway")
    with receiving(receiver), service(tmp_path, receiver) as (_, client):
        for number in range(3):
            client.post("/v1/decide", content=body({"account": f"a{number}"}, id=f"s{number}"))
        wait_until(lambda: bool(receiver.got))
    [told] = receiver.got
    assert told.data["cause"] == {"number": 0, "action": "challenge", "what": "taken", "automated": True}
    assert told.data["standing"]["challenges"] == ["captcha"]


def test_nothing_is_lost_and_order_is_kept_whatever_is_killed(tmp_path: Path) -> None:
    draw = random.Random(5)
    receiver = Receiver("gateway", answer=lambda _: 500 if draw.random() < 0.2 else 200)
    accounts, acted = [f"a{number}" for number in range(40)], 0
    with receiving(receiver):
        for victim in ("clerk", "door", ""):
            with service(tmp_path, receiver) as (door, client):
                clerk = clerk_of(door)
                for account in accounts:
                    act(client, account, ref=f"{acted}")
                    acted += 1
                if victim == "clerk":
                    os.kill(clerk, signal.SIGKILL)
                    wait_until(lambda before=clerk: clerk_of(door) != before)  # type: ignore[misc]
                elif victim == "door":
                    door.signal(signal.SIGKILL)
                    continue
                wait_until(lambda least=acted - 40: len(receiver.ids()) >= least)  # type: ignore[misc]
        with service(tmp_path, receiver):
            wait_until(lambda: len(receiver.ids()) == acted)
    assert receiver.refused == []
    assert sorted(receiver.ids()) == sorted(f"action_{number}_taken" for number in range(acted))
    for ids in by_subject(receiver.got).values():
        numbers = [int(each.split("_")[1]) for each in ids]
        assert numbers == sorted(numbers)


def test_a_receiver_that_is_slow_or_down_slows_nobody(tmp_path: Path) -> None:
    slow, down, well = Receiver("slow", seconds=2.0), Receiver("down"), Receiver("well")
    with receiving(down):
        pass  # so that it has a port where nobody listens
    with receiving(slow, well), service(tmp_path, slow, down, well, more="timeout_seconds = 1") as (_, client):
        for number in range(200):
            act(client, f"a{number}")
        wait_until(lambda: len(well.ids()) == 200)
        assert slow.got == down.got == []
        with receiving(down):  # it is back
            wait_until(lambda: len(down.ids()) == 200)
        slow.seconds = 0.0
        wait_until(lambda: len(slow.ids()) == 200)


def test_what_can_not_be_delivered_is_put_aside_and_sent_again_when_asked(tmp_path: Path) -> None:
    receiver = Receiver("gateway", answer=lambda _: 400)
    with receiving(receiver), service(tmp_path, receiver, more="patience_hours = 0.0001") as (door, client):
        act(client, "a")

        def dead(*more: str) -> Any:  # noqa: ANN401 - JSON
            shown = fairgate("webhooks", "dead", "--config", door.folder / "fairgate.toml", "--json", *more)
            assert shown.returncode == 0, shown.stderr
            return msgspec.json.decode(shown.stdout)

        wait_until(lambda: bool(dead()))
        [hidden] = dead()
        assert (hidden["receiver"], hidden["why"], hidden["body"]) == ("gateway", "status 400", None)
        unsaid = fairgate("webhooks", "dead", "--config", door.folder / "fairgate.toml", "--json", "--personal")
        assert (unsaid.returncode, unsaid.stdout, "--why" in unsaid.stderr) == (1, "", True)
        table = ("webhooks", "dead", "--config", door.folder / "fairgate.toml")
        assert "status 400:" not in fairgate(*table).stdout
        assert "status 400:" in fairgate(*table, "--personal", "--why", "ticket 4711").stdout
        [letter] = dead("--personal", "--why", "ticket 4711")
        assert letter["why"] == "status 400: "
        said = fairgate("audit", "list", "--config", door.folder / "fairgate.toml", "--what", "personal.read", "--json")
        readings = [each["doing"] for each in msgspec.json.decode(said.stdout)]
        about = ["message", str(letter["number"])]
        assert [(each["about"], each["why"]) for each in readings] == [(about, "ticket 4711")] * 2
        assert letter["message"].startswith("action_0_taken-")
        assert letter["body"]["data"]["standing"]["value"] == "a"
        listed = fairgate("webhooks", "list", "--config", door.folder / "fairgate.toml").stdout
        assert listed.split("\n")[1].split() == ["gateway", "0", "-", "1"]
        receiver.answer = lambda _: 200
        refused = fairgate("webhooks", "again", "77", "--config", door.folder / "fairgate.toml")
        assert (refused.returncode, "were not put aside: 77" in refused.stderr) == (1, True)
        again = fairgate("webhooks", "again", str(letter["number"]), "--config", door.folder / "fairgate.toml")
        assert "1 will be sent again" in again.stdout
        wait_until(lambda: receiver.ids() == ["action_0_taken"])
        assert dead() == []


def test_a_webhook_without_a_secret_is_told_at_the_start(tmp_path: Path) -> None:
    receiver = Receiver("billing-2")
    for value, words in (
        (None, "needs a secret in the environment variable FAIRGATE_WEBHOOK_BILLING_2"),
        ("x", "holds no secret"),
    ):
        env = {} if value is None else {"FAIRGATE_WEBHOOK_BILLING_2": value}
        with process(tmp_path, tables=receiver.table(), env=env) as door:
            assert door.wait() == 1
            assert words in door.output()


def test_the_records_outlive_their_loss(tmp_path: Path) -> None:
    """The log owns the ledger: without the data base everything is taken in again, and told again under the same id."""
    receiver = Receiver("gateway")
    with receiving(receiver):
        with service(tmp_path, receiver) as (_, client):
            for number in range(5):
                act(client, f"a{number}")
            wait_until(lambda: len(receiver.ids()) == 5)
        for each in (tmp_path / "data").glob("records.db*"):
            each.unlink(missing_ok=True)  # the log of a data base goes with whoever closes it last
        with service(tmp_path, receiver) as (_, client):
            act(client, "b")
            wait_until(lambda: len(receiver.ids()) == 6)
    with closing(sqlite3.connect(tmp_path / "data" / "records.db")) as records:
        assert records.execute("select count(*) from ledger_entry").fetchone() == (6,)


@pytest.mark.parametrize("text", ["list", "dead"])
def test_where_there_are_no_records_yet_nothing_waits(tmp_path: Path, text: str) -> None:
    (tmp_path / "data").mkdir()
    shown = fairgate("webhooks", text, "--data", tmp_path / "data")
    assert (shown.returncode, "nothing" in shown.stdout) == (0, True)


def test_a_path_that_is_mistyped_is_told_and_nothing_made_there(tmp_path: Path) -> None:
    shown = fairgate("webhooks", "list", "--data", tmp_path / "typo")
    assert (shown.returncode, shown.stderr) == (1, f"There is no folder {tmp_path / 'typo'}: check the path.\n")
    assert not (tmp_path / "typo").exists()
