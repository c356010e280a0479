"""The clerk's records and real processes: backed up while they are written, at the desk, in the door's metrics."""

import os
import signal
import sqlite3
import threading
import time
from pathlib import Path
from urllib.parse import quote

import httpx
import msgspec

from fairgate.domain.action import Action
from fairgate.domain.ledger import FOREVER, Entry, Subject
from fairgate.ports.ledger import Message, Read
from fairgate.settings import WebhookSettings
from fairgate.wiring import open_records
from tests.e2e.desks import desk_over, fill, settings_in
from tests.e2e.doors import fairgate, wait_until
from tests.e2e.receivers import Receiver, receiving
from tests.e2e.test_webhooks import act, clerk_of, service
from tests.support import NOW


def told(number: int) -> str:
    """What tells that an action was taken."""
    return f"action_{number}_taken"


def test_the_door_tells_how_its_clerk_is(tmp_path: Path) -> None:
    def tells(client: httpx.Client, *lines: str) -> bool:
        return set(lines) <= set(client.get("/metrics").text.splitlines())

    receiver = Receiver("gateway")
    with receiving(receiver), service(tmp_path, receiver) as (door, client):
        wait_until(lambda: tells(client, "fairgate_clerk_up 1.0", "fairgate_clerk_starts_total 1.0"))
        assert "fairgate_desk_up" not in client.get("/metrics").text
        os.kill(clerk_of(door), signal.SIGKILL)
        wait_until(lambda: tells(client, "fairgate_clerk_up 1.0", "fairgate_clerk_starts_total 2.0"))


def test_what_had_not_arrived_when_a_backup_was_made_is_sent_from_the_restored(tmp_path: Path) -> None:
    first, copy, second = tmp_path / "first", tmp_path / "copy", tmp_path / "second"
    answers = {"status": 200}
    receiver = Receiver("gateway", answer=lambda _: answers["status"])
    with receiving(receiver):
        with service(first, receiver) as (_, client):
            act(client, "early")
            wait_until(lambda: receiver.ids() == [told(0)])
            answers["status"] = 500
            for number in range(20):
                act(client, f"a{number}")
            made = fairgate("backup", copy, "--config", first / "fairgate.toml", "--with-secret")
            assert made.returncode == 0, made.stderr
            assert "records.db" not in made.stdout  # it is not left out
            act(client, "late")
        restored = fairgate("restore", copy, second)
        assert restored.returncode == 0, restored.stderr
        assert "sent again from here, under the same ids" in restored.stdout
        with open_records(second / "data") as records:
            assert records.ledger.read().sequence <= msgspec.json.decode((copy / "backup.json").read_bytes())["end"]
        answers["status"] = 200
        receiver.got.clear()
        with service(second, receiver) as (_, client):
            wait_until(lambda: len(receiver.ids()) == 20)
            act(client, "new")
            wait_until(lambda: len(receiver.ids()) == 21)
    assert receiver.refused == []
    assert sorted(receiver.ids()) == sorted(told(number) for number in range(1, 22))
    assert [each.data["standing"]["value"] for each in receiver.got if each.name == told(21)] == ["new"]
    with open_records(second / "data") as records:
        assert [each.subject.value for each in records.ledger.held(0, -1, 100)] == [
            "early", *(f"a{number}" for number in range(20)), "new"
        ]  # fmt: skip


def test_a_running_desk_shows_what_waits_and_what_was_done(tmp_path: Path) -> None:
    settings = msgspec.structs.replace(settings_in(tmp_path), webhook={"gateway": WebhookSettings()})
    fill(settings, 10)
    about = Subject("account", "team/ä 1")
    with desk_over(settings) as desk, desk.client() as client:
        assert client.get("/v1/webhooks").json()["error"]["code"] == "no_records"
        with open_records(settings.data) as records:
            entries = [Entry(number, about, Action.BAN, NOW, FOREVER, (), (), "p") for number in range(3)]
            messages = [Message(told(each.number), about, "standing.changed", b"{}") for each in entries]
            records.ledger.take(Read(4, NOW), entries, messages, ["gateway"])
            records.outbox.give_up(records.outbox.waiting("gateway", -1, 1)[0])
            [shown] = client.get("/v1/webhooks").json()["webhooks"]
            assert (shown["waiting"], shown["dead"], shown["configured"]) == (2, 1, True)
            path = f"/v1/accounts/{quote(about.value, safe='')}/actions?limit=2"
            assert [each["number"] for each in client.get(path).json()["actions"]] == [2, 1]
            [dead] = client.get("/v1/webhooks/dead").json()["dead"]
            assert dead["body"] is None
            assert client.post(f"/v1/webhooks/dead/{dead['number']}/again").status_code == 202
            assert client.get("/v1/webhooks").json()["webhooks"][0]["waiting"] == 3
        metrics = set(client.get("/metrics").text.splitlines())
        assert {'fairgate_webhook_waiting{receiver="gateway"} 3.0', "fairgate_records_up 1.0"} <= metrics
        assert "fairgate_records_lag_records 7.0" in metrics


def test_the_desk_answers_others_while_the_records_are_held_by_a_writer(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    fill(settings, 1)
    with open_records(settings.data) as records:
        messages = [Message(told(0), Subject("account", "a"), "standing.changed", b"{}")]
        records.ledger.take(Read(1, NOW), [], messages, ["gateway"])
        [letter] = records.outbox.waiting("gateway", -1, 1)
        records.outbox.give_up(letter)
    with desk_over(settings) as desk, desk.client() as client:
        other = sqlite3.connect(settings.data / "records.db", isolation_level=None)
        other.execute("begin immediate")
        try:
            assert client.get("/v1/webhooks").status_code == 200  # who reads waits for no writer
            with httpx.Client(base_url=client.base_url, timeout=30, trust_env=False) as second:
                began = time.monotonic()
                answers: list[int] = []
                asking = threading.Thread(
                    target=lambda: answers.append(second.post(f"/v1/webhooks/dead/{letter.number}/again").status_code)
                )
                asking.start()
                while time.monotonic() - began < 1.0:
                    asked = time.monotonic()
                    assert client.get("/healthz").status_code == 200
                    assert time.monotonic() - asked < 0.5
                assert answers == []
                other.execute("rollback")
                asking.join()
            assert answers == [202]
        finally:
            other.close()
