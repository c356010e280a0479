"""Backtests in a real desk: what was decided live is taken from the lake, and a replay of the log says the same."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from fairgate.settings import Retention
from tests.e2e.desks import Desk, desk_over, fill, settings_in
from tests.e2e.doors import fairgate
from tests.e2e.test_desk import report_of
from tests.e2e.test_desk_and_door import Pair
from tests.support import NOW, PACK, body

STRICTER = PACK.replace(">= 3", ">= 2")
#: Reads the address, which is personal, and an aggregate that the live pack does not have.
WIDER = f"""{PACK}
[[rule]]
name = "office"
on = "account.signup"
when = 'ip == "198.51.100.1"'
reason = "burst"
mode = "live"

[[rule]]
name = "busy"
on = "api.request"
when = 'count("api.request", by=account, over="10m") >= 4'
reason = "spend"
mode = "live"
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk over 300 events."""
    settings = settings_in(tmp_path_factory.mktemp("desk"))
    fill(settings, 300)
    with desk_over(settings) as desk, desk.ready():
        yield desk


@pytest.fixture
def client(shared: Desk) -> Iterator[httpx.Client]:
    with shared.client() as client:
        yield client


def by_replay(desk: Desk, new: str, folder: Path) -> dict[str, Any]:
    """What the command finds, which replays the log."""
    (folder / "new").mkdir()
    (folder / "new" / "pack.toml").write_text(new)
    done = fairgate("backtest", "--old", desk.settings.pack, "--new", folder / "new", desk.settings.data, "--json")
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_a_changed_rule_is_computed_over_the_lake(shared: Desk, client: httpx.Client, tmp_path: Path) -> None:
    found, truth = report_of(client, new={"pack.toml": STRICTER}), by_replay(shared, STRICTER, tmp_path)
    assert found["replays"] == []
    assert len(truth["replays"]) == 1
    assert {**found, "replays": truth["replays"]} == truth
    assert found["interventions"]["gained"]["events"] > 0


def test_what_the_lake_has_not_is_replayed_and_the_report_says_why(
    shared: Desk, client: httpx.Client, tmp_path: Path
) -> None:
    found, truth = report_of(client, new={"pack.toml": WIDER}), by_replay(shared, WIDER, tmp_path)
    [why] = found["replays"]
    assert why.startswith(
        "The new pack, support 1, was replayed. It reads what was not recorded: office needs ip; busy"
    )
    assert {**found, "replays": truth["replays"]} == truth
    gained = {each["name"]: each["gained"]["events"] for each in found["rules"]}
    assert gained["office"] > 0
    assert gained["busy"] > 0
    jobs = [each["id"] for each in client.get("/v1/jobs").json()["jobs"]]
    pages = [client.get(f"/v1/jobs/{job}/report.html").text for job in jobs]  # the desk is other tests', too
    assert ["office needs ip; busy needs count(" in page for page in pages].count(True) == 1


def test_the_last_days_of_the_lake(client: httpx.Client) -> None:
    days = (time.time() - NOW / 1e6 - 1_000) / 86_400  # noqa: TID251 - the desk's own clock
    found = report_of(client, new={"pack.toml": STRICTER}, days=days)
    assert found["replays"] == []
    assert 100 < found["events"] < 200


def test_another_pack_as_the_old_one_is_replayed(client: httpx.Client) -> None:
    found = report_of(client, old={"pack.toml": STRICTER}, new="support")
    [why] = found["replays"]
    assert why.startswith(
        "The old pack, support 1, was replayed. The lake does not have all that a backtest asks about: "
    )
    assert found["events"] == 300


def test_what_retention_has_removed_is_replayed(tmp_path: Path) -> None:
    retention = {"api.request": Retention(days=30), "default": Retention()}
    settings = msgspec.structs.replace(settings_in(tmp_path), retention=retention)
    fill(settings, 60)  # received in the past, and long ago by the desk's clock
    with desk_over(settings) as desk, desk.ready() as client:
        found = report_of(client, new={"pack.toml": STRICTER})
        truth = by_replay(desk, STRICTER, tmp_path)
    assert ["retention has removed events of type api.request" in each for each in found["replays"]] == [True]
    assert {**found, "replays": truth["replays"]} == truth


def test_what_a_door_decides_is_compared_at_once(tmp_path: Path) -> None:
    both = Pair(tmp_path)
    try:
        with both.clients() as (door, desk):
            for number in range(40):
                raw = body({"account": f"a{number % 7}", "ip": "198.51.100.9"}, id=f"s{number}")
                assert door.post("/v1/decide", content=raw).status_code == 200
                if number == 20:
                    entry = {"for": "1h", "why": "a test"}
                    assert door.put("/v1/lists/friends/a3", json=entry).status_code == 200
                    assert door.put("/v1/switches/burst", json={"off": True, "why": "a test"}).status_code == 200
            found = report_of(desk, new={"pack.toml": STRICTER})
            assert found["replays"] == []
            [burst] = [each for each in found["rules"] if each["name"] == "burst"]
            assert (burst["old"]["events"], burst["gained"]["events"]) == (38, 1)
    finally:
        both.process.kill()
        both.process.wait()
