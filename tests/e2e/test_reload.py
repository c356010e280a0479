"""A pack goes live under load: no event is lost or decided twice, and one with faults is refused: the old stays."""

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import httpx

from tests.e2e.doors import Process, fairgate
from tests.support import PACK, body, request
from tests.unit.pipeline.live import NEXT_PACK

Start: TypeAlias = Callable[..., Process]


class Load(threading.Thread):
    """Sends without a pause until it is told to stop: single events, and batches of more than one piece."""

    def __init__(self, client: httpx.Client) -> None:
        super().__init__()
        self.client = client
        self.over = threading.Event()
        self.answers: dict[str, int] = {}
        self.again = 0

    def run(self) -> None:
        number = 0
        while not self.over.is_set():
            ids = [f"r{each}" for each in range(number, number + 301)]
            bodies = [request(each, f"a{each % 50}") for each in range(number, number + 301)]
            answer = self.client.post("/v1/events", content=b"[" + b",".join(bodies[:300]) + b"]")
            if answer.status_code == 503:  # it was decoded for the pack before: the sender sends it again
                self.again += 1
                continue
            for each in answer.raise_for_status().json()["results"]:
                self.answers[each["id"]] = each["sequence"]
            single = self.client.post("/v1/decide", content=bodies[300]).raise_for_status().json()
            self.answers[ids[300]] = single["sequence"]
            number += 301


def test_a_pack_goes_live_under_load(start: Start, tmp_path: Path) -> None:
    process = start()
    pack, where = tmp_path / "pack" / "pack.toml", ("--config", tmp_path / "fairgate.toml")
    with process.ready() as client:
        sender = Load(client)
        sender.start()
        try:
            pack.write_text(NEXT_PACK)
            done = fairgate("reload", *where)
            assert "support 2" in done.stdout, done.stderr
            assert "is live now" in done.stdout
            pack.write_text(PACK.replace("by=account", "by=acount", 1))
            broken = fairgate("reload", *where)
            assert broken.returncode == 1
            assert "did you mean `account`?" in broken.stderr
            assert client.post("/v1/reload").json()["error"]["code"] == "bad_pack"
            pack.write_text(NEXT_PACK)
            assert "was live already" in fairgate("reload", *where).stdout
        finally:
            sender.over.set()
            sender.join()
        assert sender.again <= 1
        assert len(set(sender.answers.values())) == len(sender.answers) > 300
        last = client.post("/v1/decide", content=body(id="last")).json()
        assert client.get(f"/v1/decisions/{last['sequence']}").json()["decision"]["pack"].startswith("support 2")
        metrics = client.get("/metrics").text
        assert 'pack="support 2' in metrics
    assert process.signal(signal.SIGTERM) == 0
    verified = fairgate("log", "verify", tmp_path / "data", "--decisions")
    assert verified.returncode == 0, verified.stdout
    assert "under 2 packs going live" in verified.stdout
    assert not (tmp_path / "data" / "prepared").exists()


def test_a_door_that_would_have_to_read_too_much_says_so(start: Start, tmp_path: Path) -> None:
    process = start()
    with process.ready() as client:
        client.post("/v1/decide", content=body())
        assert client.post("/v1/reload").json()["changed"] is False
        (tmp_path / "pack" / "pack.toml").write_text(NEXT_PACK)
        assert client.post("/v1/reload").json()["changed"] is True  # so little is read by the door itself
    process.signal(signal.SIGTERM)


def test_a_start_with_faults_in_the_pack_keeps_the_one_that_was_live(start: Start, tmp_path: Path) -> None:
    process = start()
    with process.ready() as client:
        client.post("/v1/decide", content=body())
    process.signal(signal.SIGKILL)
    process = start(pack=PACK.replace("by=account", "by=acount", 1))
    with process.ready() as client:
        answer = client.post("/v1/decide", content=request(1)).json()
        assert client.get(f"/v1/decisions/{answer['sequence']}").json()["decision"]["pack"].startswith("support 1")
        assert client.post("/v1/reload").json()["error"]["code"] == "bad_pack"
    process.signal(signal.SIGTERM)
    assert "the one that was live stays" in process.output()
    assert "did you mean `account`?" in process.output()
    assert fairgate("log", "verify", tmp_path / "data", "--decisions").returncode == 0
