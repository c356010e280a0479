"""A door under load is backed up by a command, and goes on in the folder that another command restores."""

import json
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

from fairgate.backends.embedded import backup
from fairgate.backends.embedded.backup import Backup, back_up
from fairgate.backends.embedded.segments import open_log, verify
from fairgate.settings import read_settings
from tests.e2e.doors import client_of, fairgate, process
from tests.e2e.test_log_crash import record_of, writer
from tests.support import traffic

NDJSON = {"content-type": "application/x-ndjson"}
#: What the door said of an event: its number in the log, and the action.
Said = dict[str, tuple[int, str]]


def send(port: int, bodies: Sequence[bytes], stop: threading.Event, said: Said) -> None:
    """Send bodies, a few at a time, until told to stop; note what is acknowledged."""
    with client_of(port) as client:
        for at in range(0, len(bodies), 7):
            if stop.is_set():
                return
            said.update(ask(client.post("/v1/events", content=b"\n".join(bodies[at : at + 7]), headers=NDJSON).json()))


def ask(answer: dict[str, list[dict[str, object]]]) -> Said:
    return {str(each["id"]): (int(str(each["sequence"])), str(each["action"])) for each in answer["results"]}


def test_a_running_door_is_backed_up_and_goes_on_elsewhere(tmp_path: Path) -> None:
    first, copy, second = tmp_path / "first", tmp_path / "copy", tmp_path / "second"
    bodies = [raw for raw, _ in traffic(6_000)]
    said: Said = {}
    stop = threading.Event()
    with process(first) as door, door.ready():
        sender = threading.Thread(target=send, args=(door.port, bodies, stop, said))
        sender.start()
        try:
            while len(said) < 500:
                sender.join(0.02)
                assert sender.is_alive()
            made = fairgate("backup", copy, "--config", first / "fairgate.toml", "--with-secret")
        finally:
            stop.set()
            sender.join()
        assert made.returncode == 0, made.stderr
        assert "THE SECRET IS IN THE BACKUP" in made.stdout
        assert door.signal(signal.SIGTERM) == 0
    end = json.loads((copy / "backup.json").read_text())["end"]
    assert 500 <= end <= len(said) + 1
    restored = fairgate("restore", copy, second)
    assert restored.returncode == 0, restored.stdout + restored.stderr
    assert f"{end:,} records" in restored.stdout
    assert "sound" in restored.stdout
    settings = read_settings(second / "fairgate.toml")
    assert (settings.pack, settings.data) == (str(second / "pack"), second / "data")
    for folder in (first, second):
        verified = fairgate("log", "verify", folder / "data", "--decisions")
        assert "every decision and feature comes out as recorded" in verified.stdout, verified.stdout + verified.stderr
    with process(second) as door, door.ready() as client:
        known = [raw for raw in bodies if said.get(json.loads(raw)["id"], (end, ""))[0] < end]
        assert len(known) == end - 1  # the first record is the pack's
        for at in range(0, len(known), 500):
            answer = client.post("/v1/events", content=b"\n".join(known[at : at + 500]), headers=NDJSON).json()
            assert all(each["repeated"] for each in answer["results"])
            again = ask(answer)
            assert again == {name: said[name] for name in again}
        assert door.signal(signal.SIGTERM) == 0


def test_a_log_is_backed_up_while_its_writer_drops_from_it(tmp_path: Path) -> None:
    about = Backup(backup.FORMAT, "0.0", 1, 0, 0, has_secret=False, files={})
    begins = [0]
    with writer(tmp_path / "data" / "log", tmp_path / "said"):
        for at in range(1_000):
            made = back_up(tmp_path / "data", tmp_path / str(at), about, {}, with_secret=False)
            folder = tmp_path / str(at) / "data" / "log"
            assert verify(folder).problems == ()
            with open_log(folder) as log:
                assert log.end() == made.end
                expected = [(sequence, record_of(sequence)) for sequence in range(log.begin(), log.end())]
                assert list(log.read()) == expected
                begins.append(log.begin())
            if len(set(begins)) > 5:
                break
    assert begins == sorted(begins)
    assert len(set(begins)) > 5


def test_what_cannot_be_backed_up_or_restored_is_said_in_words(tmp_path: Path) -> None:
    config = tmp_path / "fairgate.toml"
    config.write_text("data = 'data'\n")
    nothing = fairgate("backup", tmp_path / "copy", "--config", config)
    assert nothing.returncode == 1
    assert f"{tmp_path / 'data' / 'log'}: No such file or directory" in nothing.stderr
    secret = fairgate("backup", tmp_path / "copy2", "--config", config, "--with-secret")
    assert "keep FAIRGATE_SECRET yourself" in secret.stderr
    unfinished = fairgate("restore", tmp_path / "copy", tmp_path / "new")
    assert unfinished.returncode == 1
    assert "the backup was not finished" in unfinished.stderr
    assert not (tmp_path / "new").exists()
    assert "Traceback" not in nothing.stderr + secret.stderr + unfinished.stderr
