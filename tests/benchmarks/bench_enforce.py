"""Enforcement: what stands about one of a million accounts, and how soon and how surely other services hear of it.

The receiver is a process of its own on the client's core; a message's time is from the answer to the action, which is
on disk then, to the receiver's having checked the signature. In the second part the receiver fails every fifth time,
and door or clerk are killed, five times in all.
"""

import os
import random
import signal
import statistics
import tempfile
import time
from pathlib import Path

from fairgate.domain.action import Action
from fairgate.domain.ledger import Entry, Subject
from fairgate.domain.windows import DAY
from fairgate.enforce.entitlements import entitlements
from fairgate.enforce.ledger import Ledger
from fairgate.enforce.standing import standing_of
from fairgate.entrypoints.door.http import encode
from fairgate.wiring import load_checked
from tests.benchmarks.rows import Row
from tests.e2e.doors import ROOT
from tests.e2e.receivers import Receiver, receiving
from tests.e2e.test_webhooks import act, by_subject, clerk_of, service

BUILD = ROOT / "build"
_ACCOUNTS, _LOOKS = 1_000_000, 50_000
_PACED, _PAUSE = 1_000, 0.01
_MANY, _KILLS, _PEOPLE = 10_000, 5, 500
_BATCH = 1_000
_NOW = 20_000 * DAY


def run() -> list[Row]:
    """The figures of enforcement."""
    whole, tag = _standing()
    with tempfile.TemporaryDirectory(dir=BUILD) as name:
        p50, p99 = _told(Path(name))
    with tempfile.TemporaryDirectory(dir=BUILD) as name:
        done, undone, all_told = _many(Path(name))
    with tempfile.TemporaryDirectory(dir=BUILD) as name:
        lost, disordered, twice = _killed(Path(name))
    return [
        Row(f"standing of one of {_ACCOUNTS:,} accounts with an action each, p99", whole, "ms", op="<=", target=2),
        Row("the same where the caller has it already, p99", tag, "ms", op="<=", target=2),
        Row("from a durable action to a signed webhook at its receiver, p50", p50, "ms", op="<=", target=50),
        Row("the same, p99", p99, "ms"),
        Row(
            f"{_MANY:,} accounts suspended in batches of {_BATCH:,}, the door killed half-way",
            done,
            "s",
            None,
            "<=",
            10,
        ),
        Row("the same undone", undone, "s", op="<=", target=10),
        Row("until all of both was told to a receiver by signed webhook", all_told, "s"),
        Row(f"of {_MANY:,} messages, receiver failing 20 %, {_KILLS} kills: lost", lost, "messages", op="<=", target=0),
        Row("the same: accounts told in another order", disordered, "accounts", op="<=", target=0),
        Row("the same: messages that came twice", twice, "messages"),
    ]


def _standing() -> tuple[float, float]:
    """Milliseconds of a read, and of one that finds that nothing has changed: the 99th percentiles."""
    pack, draw = load_checked("ai_api").pack, random.Random(1)
    ledger = Ledger(pack.actions)
    for number in range(_ACCOUNTS):
        action = draw.choice([Action.THROTTLE, Action.HOLD, Action.SUSPEND])
        subject = Subject("account", f"acct_{number}")
        ledger.take(Entry(number, subject, action, _NOW, _NOW + DAY, ("resale",), ("rule",), pack.label))
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(_LOOKS):
        subject = Subject("account", f"acct_{draw.randrange(_ACCOUNTS)}")
        for at, told in enumerate((True, False)):
            began = time.perf_counter()
            found = entitlements(ledger.standing(subject, _NOW), ledger.specs, set())
            if told:
                encode(standing_of(subject, found, pack.reasons))
            times[at].append(1_000 * (time.perf_counter() - began))
    whole, tag = (statistics.quantiles(each, n=100)[98] for each in times)
    return whole, tag


def _told(folder: Path) -> tuple[float, float]:
    """Milliseconds from an action to its message."""
    receiver, sent = Receiver("gateway"), {}
    with receiving(receiver), service(folder, receiver) as (_, client):
        act(client, "first")  # the clerk starts beside the door, and has to be there
        _until(receiver, 1)
        for number in range(1, _PACED):
            act(client, f"a{number}")
            sent[f"action_{number}_taken"] = time.monotonic()
            time.sleep(_PAUSE)
        _until(receiver, _PACED)
    waits = [1_000 * (each.at - sent[each.name]) for each in receiver.got[1:]]
    return statistics.median(waits), statistics.quantiles(waits, n=100)[98]


def _many(folder: Path) -> tuple[float, float, float]:
    """Seconds that a batch takes and its undo, and until the receiver was told, all since the beginning of each.

    The door is killed half-way and started again; the time until it is ready is not counted.
    """
    receiver, accounts, numbers = Receiver("gateway"), [f"a{number}" for number in range(_MANY)], list[int]()
    asked = {"kind": "account", "action": "suspend", "reasons": ["burst"], "why": "a test", "ref": "many"}
    half, took = _MANY // 2, 0.0
    with receiving(receiver):
        for killed, several in ((True, accounts[:half]), (False, accounts)):  # the second time all of it is sent
            with service(folder, receiver) as (door, client):
                began = time.monotonic()
                numbers = [
                    number
                    for start in range(0, len(several), _BATCH)
                    for number in client.post(
                        "/v1/actions/batch", json={**asked, "values": several[start : start + _BATCH]}
                    ).json()["numbers"]
                ]
                took += time.monotonic() - began
                if killed:
                    door.signal(signal.SIGKILL)
                    continue
                undoing = time.monotonic()
                for start in range(0, len(numbers), _BATCH):
                    undo = {"numbers": numbers[start : start + _BATCH], "why": "a test"}
                    client.post("/v1/actions/batch/undo", json=undo).raise_for_status()
                undone = time.monotonic() - undoing
                _until(receiver, 2 * _MANY)
                told = time.monotonic() - began
    if len(set(numbers)) != _MANY:
        raise RuntimeError(f"{len(set(numbers))} actions were taken instead of {_MANY}")
    return took, undone, told


def _killed(folder: Path) -> tuple[int, int, int]:
    """How many messages were lost, how many accounts were told in another order, and how many messages came twice."""
    draw, acted = random.Random(1), 0
    receiver = Receiver("gateway", answer=lambda _: 500 if draw.random() < 0.2 else 200)
    with receiving(receiver):
        for kill in range(_KILLS + 1):
            with service(folder, receiver) as (door, client):
                clerk = clerk_of(door)
                for _ in range(_MANY // (_KILLS + 1) if kill < _KILLS else _MANY - acted):
                    act(client, f"a{acted % _PEOPLE}", ref=f"{acted}")
                    acted += 1
                if kill == _KILLS:
                    _until(receiver, _MANY)
                elif kill % 2:
                    door.signal(signal.SIGKILL)
                else:
                    os.kill(clerk, signal.SIGKILL)
                    time.sleep(2)
    ids = receiver.ids()
    wanted = {f"action_{number}_taken" for number in range(_MANY)}
    numbers = [[int(each.split("_")[1]) for each in told] for told in by_subject(receiver.got).values()]
    return len(wanted - set(ids)), sum(each != sorted(each) for each in numbers), len(receiver.got) - len(ids)


def _until(receiver: Receiver, count: int) -> None:
    deadline = time.monotonic() + 300
    while len(receiver.ids()) < count and time.monotonic() < deadline:
        time.sleep(0.05)
