"""The door on a disk that fails, is full or slow: policies answer, nothing acknowledged is lost, and it recovers."""

import contextlib
import resource
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from fairgate.backends.embedded.key_runs import FolderKeyRuns
from fairgate.backends.embedded.segments import verify
from fairgate.domain.errors import RunsUnusable
from fairgate.settings import CallSite, DoorSettings, Settings
from fairgate.wiring import LivePipeline
from tests.e2e.doors import Process, application, fairgate, process, serving
from tests.support import PACK, SetClock, open_pipeline, request

SITES = {"strict": CallSite(fail="hold", deadline_ms=200), "patient": CallSite(deadline_ms=30_000)}
QUEUE = 5


@dataclass
class Disk:
    """What syncing a file does: it works, or fails, or waits."""

    failing: bool = False
    going: threading.Event = field(default_factory=threading.Event)

    def sync(self, _descriptor: int) -> None:
        assert self.going.wait(30)
        if self.failing:
            raise OSError(5, "Input/output error")


@dataclass(frozen=True, slots=True)
class Served:
    """A door on a data folder whose disk the test holds."""

    client: httpx.Client
    disk: Disk
    folder: Path

    def decide(self, number: int, site: str = "strict", **headers: str) -> Any:  # noqa: ANN401 - parsed JSON
        given = {"fairgate-call-site": site, **headers}
        answer = self.client.post("/v1/decide", content=request(number), headers=given)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def events(self, number: int, **headers: str) -> httpx.Response:
        return self.client.post("/v1/events", content=request(number), headers=headers)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    disk = Disk()
    disk.going.set()
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "pack.toml").write_text(PACK)
    settings = Settings(
        pack=str(tmp_path / "pack"),
        data=tmp_path / "data",
        door=DoorSettings(port=0, queue_events=QUEUE, expected_keys=1_000),
        call_site=SITES,
    )
    with contextlib.closing(LivePipeline(settings)) as live:
        monkeypatch.setattr("os.fdatasync", disk.sync)
        monkeypatch.setattr("os.fsync", disk.sync)
        with serving(application(live, settings)) as client:
            yield Served(client, disk, tmp_path / "data")
            disk.failing = False
            disk.going.set()
            until(lambda: client.get("/readyz").status_code == 200)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def by_policy(number: int, action: str, policy: str) -> dict[str, object]:
    return {"id": f"r{number}", "action": action, "degraded": True, "policy": policy}


# --------------------------------------------------------------------------------------------------------- failing disk


def test_a_disk_that_fails_and_is_mended(served: Served) -> None:
    known = {number: served.decide(number) for number in range(5)}
    served.disk.failing = True
    assert served.decide(5) == by_policy(5, "hold", "strict")
    assert served.decide(6, "default") == by_policy(6, "allow", "default")
    for answer in (served.events(7), served.client.get("/readyz")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "stopped")
        assert 1 <= int(answer.headers["retry-after"]) <= 3
    assert served.client.get("/healthz").status_code == 200
    assert 'fairgate_fallbacks_total{call_site="strict",why="disk"} 1.0' in served.client.get("/metrics").text
    time.sleep(1.2)  # so that an attempt to open the log again has failed, too
    assert served.client.get("/readyz").status_code == 503
    served.disk.failing = False
    until(lambda: served.client.get("/readyz").status_code == 200)
    for number, first in known.items():
        assert served.decide(number) == {**first, "repeated": True}
    assert served.decide(5) == {"id": "r5", "sequence": 6, "action": "allow"}  # what was cut off had told nobody
    assert served.events(8).json()["accepted"] == 1
    report = verify(served.folder / "log")
    assert not report.problems
    assert report.records == 8


def test_many_at_once_get_their_policies_answer(served: Served) -> None:
    served.disk.going.clear()
    served.disk.failing = True
    with ThreadPoolExecutor(QUEUE) as pool:
        answers = [pool.submit(served.decide, number, "patient") for number in range(QUEUE)]
        time.sleep(0.2)
        assert not any(answer.done() for answer in answers)
        served.disk.going.set()
        assert [answer.result() for answer in answers] == [by_policy(n, "allow", "patient") for n in range(QUEUE)]


def test_a_fault_while_deciding_is_mended_from_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pack.toml").write_text(PACK)
    settings = Settings(pack=str(tmp_path), data=tmp_path / "data", door=DoorSettings(port=0, expected_keys=1_000))
    with contextlib.closing(LivePipeline(settings)) as live:
        first = live.pipeline
        with serving(application(live, settings)) as client:
            served = Served(client, Disk(), tmp_path)
            known = served.decide(1, "default")
            monkeypatch.setattr(first.engine.rows, "advance", lambda *_: 1 / 0)
            assert served.decide(2, "default") == by_policy(2, "allow", "default")
            until(lambda: client.get("/readyz").status_code == 200)
            assert live.pipeline is not first
            assert served.decide(1, "default") == {**known, "repeated": True}
            assert served.decide(2, "default") == {"id": "r2", "sequence": 2, "action": "allow"}


def test_repeats_that_cannot_be_written_are_told_until_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_given: object) -> None:
        raise RunsUnusable(tmp_path / "repeats", "No space left on device", "Make room.")

    with open_pipeline(tmp_path, clock=SetClock()) as pipeline, serving(application(pipeline)) as client:

        def waiting_after(events: range) -> float:
            for number in events:
                assert client.post("/v1/events", content=request(number)).json()["accepted"] == 1
            pipeline.remembered.settle()
            lines = client.get("/metrics").text.splitlines()
            return next(float(line.split()[1]) for line in lines if line.startswith("fairgate_repeats_waiting "))

        assert waiting_after(range(40)) == 0
        with monkeypatch.context() as ill:
            ill.setattr(FolderKeyRuns, "save", refused)
            assert waiting_after(range(40, 80)) == 32
            assert waiting_after(range(80, 150)) == 96
        assert waiting_after(range(150, 190)) == 0


# ------------------------------------------------------------------------------------------------------------ slow disk


def test_a_slow_disk_does_not_hold_up_decisions(served: Served) -> None:
    served.disk.going.clear()
    assert served.decide(0) == by_policy(0, "hold", "strict")
    assert served.decide(1, "patient", **{"fairgate-deadline-ms": "30"}) == by_policy(1, "allow", "patient")
    late = served.events(2, **{"fairgate-deadline-ms": "30"})
    assert (late.status_code, late.json()["error"]["code"]) == (503, "late")
    assert served.client.get("/readyz").status_code == 200
    for number in (3, 4):
        served.decide(number)
    # Five events wait by now: the queue is full.
    assert served.decide(5, "patient") == by_policy(5, "allow", "patient")
    busy = served.events(6)
    assert (busy.status_code, busy.json()["error"]["code"]) == (429, "busy")
    assert 1 <= int(busy.headers["retry-after"]) <= 3
    page = served.client.get("/metrics").text
    assert 'fairgate_fallbacks_total{call_site="patient",why="queue"} 1.0' in page
    assert 'fairgate_fallbacks_total{call_site="strict",why="deadline"} 3.0' in page
    assert f"fairgate_queue_events {QUEUE}.0" in page
    served.disk.going.set()
    until(lambda: "fairgate_queue_events 0.0" in served.client.get("/metrics").text)
    for number in range(QUEUE):  # it was decided on all the same: who asks again gets that answer
        found = served.decide(number, "patient")
        assert found == {"id": f"r{number}", "sequence": number + 1, "action": "allow", "repeated": True}
    assert served.decide(5)["sequence"] == QUEUE + 1


@pytest.mark.parametrize("text", ["", "0", "-1", "60001", "1e3", "10.5", " 5", "x" * 500, "٣"])
def test_a_deadline_that_is_none_is_told(served: Served, text: str) -> None:
    for path in ("/v1/decide", "/v1/events"):
        headers = [(b"fairgate-deadline-ms", b"_" if text.startswith(" ") else text.encode())]
        answer = served.client.post(path, content=request(1), headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_deadline")


@pytest.mark.parametrize("name", ["", "nowhere", "Strict", "stric\u00e9"])
def test_an_unknown_call_site_is_no_default(served: Served, name: str) -> None:
    answer = served.client.post(
        "/v1/decide", content=request(1), headers=[(b"fairgate-call-site", name.encode("latin-1"))]
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_call_site")


# ---------------------------------------------------------------------------------------------------- a process's limit


def test_a_process_whose_disk_is_full_recovers_when_there_is_room(tmp_path: Path) -> None:
    with process(tmp_path, tables='[call_site.strict]\nfail = "hold"\n') as door, door.ready() as client:
        served = Served(client, Disk(), tmp_path / "data")
        known = {number: served.decide(number) for number in range(10)}
        _limit_files(door, sum(path.stat().st_size for path in (tmp_path / "data" / "log").glob("*.log")) + 1_000)
        number = len(known)
        while not (answer := served.decide(number)).get("degraded"):
            known[number] = answer
            number += 1
        assert answer == by_policy(number, "hold", "strict")
        assert served.events(number).status_code == 503
        assert client.get("/readyz").status_code == 503
        _limit_files(door, resource.RLIM_INFINITY)
        until(lambda: client.get("/readyz").status_code == 200)
        for each, first in known.items():
            assert served.decide(each) == {**first, "repeated": True}
        assert served.decide(number)["sequence"] == len(known) + 1
        assert door.signal(15) == 0
        assert "File too large" in door.output()
    verified = fairgate("log", "verify", tmp_path / "data", "--decisions")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def _limit_files(door: Process, size: int) -> None:
    """Let the process write no file beyond this size: what a full disk is to it."""
    _, hard = resource.prlimit(door.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(door.pid, resource.RLIMIT_FSIZE, (size, hard))
