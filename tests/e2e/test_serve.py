"""`fairgate serve` as a process: from start to stop, TLS by files, keys, and how it ends."""

import contextlib
import json
import re
import signal
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fairgate.backends.embedded.segments import open_log
from fairgate.domain.action import Action
from fairgate.domain.event import Event
from fairgate.pipeline.engine import Judged
from tests.e2e.doors import ENVIRONMENT, Process, application, fairgate, process, serving
from tests.support import NOW, SECRET, body, open_pipeline, request

HALF = b"POST /v1/decide HTTP/1.1\r\nhost: localhost\r\ncontent-length: 500\r\n\r\n{"


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for this machine, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    day = timedelta(days=1)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + 10_000 * day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_file, key_file


def until_open(door: Process) -> None:
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", door.port), timeout=5):
            return
        assert time.monotonic() < deadline, door.output()
        time.sleep(0.05)


# ------------------------------------------------------------------------------------------------------------ processes


def test_fairgate_serve_from_start_to_stop(tmp_path: Path) -> None:
    with process(tmp_path) as first:
        with first.ready() as client:
            answer = client.post("/v1/decide", content=body()).json()
            assert answer == {"id": "1", "sequence": 1, "action": "allow"}
            second = fairgate("serve", "--pack", tmp_path / "pack", "--data", tmp_path / "data", "--port", "0")
            assert second.returncode == 1
            assert f"process {first.pid} is writing to it" in second.stderr
            assert "Traceback" not in second.stderr
            beside = fairgate("log", "verify", tmp_path / "data", "--decisions")
            assert (beside.returncode, beside.stderr) == (0, "")
            assert "1 events decided again" in beside.stdout
        assert first.signal(signal.SIGTERM) == 0
        assert [line.partition(" ")[2][:30] for line in first.output().splitlines()] == [
            "WARNING no API key was made yet"[:30]
        ]
    assert [path.name for path in (tmp_path / "data" / "snapshots").iterdir()] == [f"{2:020d}"]
    assert (tmp_path / "data" / "secret").stat().st_mode & 0o777 == 0o600


def test_log_verify_tells_the_first_decision_that_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_pipeline(tmp_path / "data") as pipeline:
        honest = pipeline.engine.run

        def with_a_fault(events: Sequence[Event]) -> list[Judged]:
            judged = honest(events)
            wrong = msgspec.structs.replace(judged[7].decision, action=Action.BAN)
            return [*judged[:7], msgspec.structs.replace(judged[7], decision=wrong), *judged[8:]]

        monkeypatch.setattr(pipeline.engine, "run", with_a_fault)
        raws = [request(number, f"a{number}", cost=9, ip="192.0.2.1") for number in range(20)]
        pipeline.take([pipeline.decoder.single(raw, NOW) for raw in raws])
        pipeline.commit()
    without = fairgate("log", "verify", tmp_path / "data", "--decisions")
    assert without.returncode == 1
    assert "set FAIRGATE_SECRET" in without.stderr
    monkeypatch.setitem(ENVIRONMENT, "FAIRGATE_SECRET", "1" * 16)
    another = fairgate("log", "verify", tmp_path / "data", "--decisions")
    assert another.returncode == 1
    assert "restore the file of keys, and the secret" in another.stderr
    monkeypatch.setitem(ENVIRONMENT, "FAIRGATE_SECRET", f"{SECRET:016x}")
    wrong = fairgate("log", "verify", tmp_path / "data", "--decisions")
    assert wrong.returncode == 1
    lines = wrong.stdout.splitlines()
    assert lines[1:3] == ["sound", "20 events decided again, under 1 packs going live"]
    assert "1 differ; the first is record 8" in lines[3]
    assert json.loads(lines[4].split(" is recorded as ")[1]) != json.loads(lines[5].split(" comes out as ")[1])


# ------------------------------------------------------------------------------------------------------------------ TLS


def test_tls_by_files(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    trust = ssl.create_default_context(cafile=str(cert))
    with process(tmp_path, f"tls_cert = '{cert}'\ntls_key = '{key}'") as door:
        until_open(door)
        url = f"https://localhost:{door.port}"
        with httpx.Client(base_url=url, verify=trust, timeout=30, trust_env=False) as client:
            answer = client.post("/v1/decide", content=body())
            assert answer.json() == {"id": "1", "sequence": 1, "action": "allow"}
        with socket.create_connection(("127.0.0.1", door.port), timeout=20) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert b"HTTP" not in plain.recv(1_000)
        assert door.signal(signal.SIGTERM) == 0


@pytest.mark.parametrize("text", [None, "", "nothing"])
def test_a_certificate_that_can_not_be_used_is_told(tmp_path: Path, text: str | None) -> None:
    cert, key = certificate(tmp_path)
    key.unlink() if text is None else key.write_text(text)
    (tmp_path / "fairgate.toml").write_text(
        f"data = '{tmp_path / 'data'}'\n[desk]\nenabled = false\n"
        f"[door]\nport = 0\nexpected_keys = 1000\ntls_cert = '{cert}'\ntls_key = '{key}'\n"
    )
    ended = fairgate("serve", "--config", tmp_path / "fairgate.toml")
    assert ended.returncode == 1
    assert re.search(r"cert\.pem and .*key\.pem can't be used: .*PEM files", ended.stderr)
    assert "Traceback" not in ended.stderr


# ----------------------------------------------------------------------------------------------------------------- keys


def test_a_door_with_keys_asks_for_them(tmp_path: Path) -> None:
    made = fairgate("keys", "create", "--name", "signup", "--scope", "decide", "--data", tmp_path / "data")
    found = re.search(r"fg_([a-z0-9]{8})_[A-Za-z0-9_-]{43}", made.stdout)
    assert found, made.stdout + made.stderr
    headers = {"authorization": f"Bearer {found[0]}"}
    with process(tmp_path) as door, door.ready() as client:
        answers = [
            client.post("/v1/decide", content=body()),
            client.post("/v1/decide", content=body(), headers={"authorization": "Bearer " + found[0][:-4] + "AAAA"}),
            client.post("/v1/events", content=body(), headers=headers),
            client.get("/metrics", headers=headers),
            client.post("/v1/decide", content=body(), headers=headers),
        ]
        assert [answer.status_code for answer in answers] == [401, 401, 403, 403, 200]
        codes = [answer.json()["error"]["code"] for answer in answers[:4]]
        assert codes == ["no_key", "unknown_key", "scope_missing", "scope_missing"]
        assert answers[0].headers["www-authenticate"].startswith("Bearer")
        assert answers[4].json()["sequence"] == 1
        assert fairgate("keys", "revoke", found[1], "--data", tmp_path / "data").returncode == 0
        deadline = time.monotonic() + 30
        while client.post("/v1/decide", content=body(), headers=headers).status_code == 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert client.post("/v1/decide", content=body(), headers=headers).json()["error"]["code"] == "revoked_key"
        assert found[0] not in door.output()


def test_a_door_beyond_this_machine_needs_a_key(tmp_path: Path) -> None:
    ended = fairgate("serve", "--data", tmp_path, "--host", "0.0.0.0", "--port", "0")  # noqa: S104 - it must refuse
    assert ended.returncode == 1
    assert "no active API key" in ended.stderr
    assert "Traceback" not in ended.stderr


# ---------------------------------------------------------------------------------------------------------------- stops


def test_a_stop_finishes_what_is_in_flight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def wait(_descriptor: int) -> None:
        reached.set()
        go_on.wait(30)

    with open_pipeline(tmp_path) as pipeline, ThreadPoolExecutor(2) as pool:
        with serving(application(pipeline)) as client:
            port = client.base_url.port or 0
            with monkeypatch.context() as patch:
                patch.setattr("os.fdatasync", wait)
                answers = [pool.submit(httpx.post, client.base_url.join("/v1/decide"), content=body(), timeout=30)]
                assert reached.wait(30)
                answers.append(
                    pool.submit(httpx.post, client.base_url.join("/v1/events"), content=request(2), timeout=30)
                )
                time.sleep(0.3)
                threading.Timer(0.5, go_on.set).start()
        assert [answer.result().status_code for answer in answers] == [200, 200]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
    with open_log(tmp_path / "log", read_only=True) as log:
        assert log.end() == 3
    assert [path.name for path in (tmp_path / "snapshots").iterdir()] == [f"{3:020d}"]


def test_a_stop_waits_for_no_one_for_ever(tmp_path: Path) -> None:
    with process(tmp_path, "stop_seconds = 1.0\nbody_seconds = 30.0") as door, door.ready() as client:
        client.post("/v1/decide", content=body()).raise_for_status()
        with socket.create_connection(("127.0.0.1", door.port), timeout=20) as half:
            half.sendall(HALF)
            time.sleep(0.2)
            assert door.signal(signal.SIGTERM) == 0
            answer = half.recv(10_000)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "stopped"
    assert any((tmp_path / "data" / "snapshots").iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(tmp_path: Path, number: signal.Signals) -> None:
    with process(tmp_path, "stop_seconds = 60.0\nbody_seconds = 60.0") as door, door.ready() as client:
        client.post("/v1/decide", content=body()).raise_for_status()
        with socket.create_connection(("127.0.0.1", door.port), timeout=20) as half:
            half.sendall(HALF)
            time.sleep(0.2)
            door.send(number)
            deadline = time.monotonic() + 30
            with contextlib.suppress(OSError):
                while time.monotonic() < deadline:  # until it no longer listens
                    socket.create_connection(("127.0.0.1", door.port), timeout=5).close()
                    time.sleep(0.02)
            assert door.signal(number) == -number
    assert fairgate("log", "verify", tmp_path / "data").returncode == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost:1"}, 200),
        ({"host": "[::1]:8080"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "rebound.evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example"}, 403),
        ({"host": ""}, 403),
    ],
)
def test_a_door_without_keys_answers_no_web_page(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    with open_pipeline(tmp_path) as pipeline, serving(application(pipeline)) as client:
        answer = client.post("/v1/decide", content=body(), headers=headers)
        assert answer.status_code == status
        assert client.get("/healthz", headers=headers).status_code == 200
    assert status == 200 or answer.json()["error"]["code"] == "from_a_page"
