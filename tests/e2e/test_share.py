"""The share's sidecar over HTTP: what it grants, how it counts, and what becomes of lost and double requests."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from fairgate.backends.embedded.api_keys import open_api_keys
from fairgate.domain.access import Scope
from fairgate.entrypoints.access import new_key
from fairgate.entrypoints.share.asgi import ROUTES
from tests.e2e.doors import COMMAND, ENVIRONMENT, ROOT, client_of, fairgate, free_port, wait_until
from tests.e2e.shares import OpenShare, pool, settings_for, sharing

GOOD = {"account": "a", "model": "m", "input_tokens": 1, "max_output": 1}
WAITS = {"deadline_ms": 20_000}


@pytest.fixture
def share(tmp_path: Path) -> Iterator[OpenShare]:
    """A sidecar with capacity enough for ten requests a second, and for a hundred at once."""
    with sharing(settings_for(tmp_path, pool(capacity=2_000, burst=20_000))) as opened:
        yield opened


@pytest.fixture
def scarce(tmp_path: Path) -> Iterator[OpenShare]:
    """A sidecar whose capacity is 0 and whose savings are used up."""
    with sharing(settings_for(tmp_path, pool(capacity=0, burst=10))) as opened:
        opened.post("capacity", pool="default", capacity=1, reason="for one grant")
        wait_until(lambda: opened.acquire("first").status_code == 200)
        opened.post("capacity", pool="default", capacity=0, reason="no more")
        yield opened


def refill(share: OpenShare, capacity: float = 100_000) -> None:
    assert share.post("capacity", pool="default", capacity=capacity, reason="a test").json()["capacity"] == capacity


# ------------------------------------------------------------------------------------------------------ from ask to end


def test_a_request_is_granted_charged_and_settled(share: OpenShare) -> None:
    answer = share.acquire("a", input_tokens=100, max_output=50)
    assert answer.status_code == 200
    assert set(answer.json()) == {"grant", "estimate"}
    assert answer.json()["estimate"] == 100 + 2 * 50
    grant = answer.json()["grant"]
    assert share.post("charge", grant=grant, output=30).json() == {"charged": True, "stop": False}
    assert share.post("charge", grant=grant, output=30).json() == {"charged": False, "stop": False}
    assert share.post("charge", grant=grant, output=20).json() == {"charged": False, "stop": False}
    assert share.post("charge", grant=grant, output=70).json() == {"charged": True, "stop": False}
    assert share.pool()["used"] == 100 + 2 * 70
    assert share.post("settle", grant=grant, input=100, output=80, cached=50).json() == {"settled": True}
    assert share.pool()["used"] == pytest.approx(50 + 50 * 0.1 + 2 * 80)
    assert share.pool()["in_flight"] == 0


def test_what_has_ended_ends_once(share: OpenShare) -> None:
    settled, aborted = share.granted(), share.granted()
    assert share.post("settle", grant=settled, input=1, output=1).json() == {"settled": True}
    assert share.post("abort", grant=aborted, output=7).json() == {"aborted": True}
    used = share.pool()["used"]
    assert used == 1 + 2 + 100 + 14
    for grant in (settled, aborted):
        assert share.post("settle", grant=grant, input=500, output=500).json() == {"settled": False}
        assert share.post("abort", grant=grant).json() == {"aborted": False}
        assert share.post("charge", grant=grant, output=9_999).json() == {"charged": False, "stop": False}
    assert share.pool()["used"] == used


@pytest.mark.parametrize(
    ("what", "more"), [("charge", {"output": 1}), ("settle", {"input": 1, "output": 1}), ("abort", {})]
)
def test_an_unknown_grant_is_told(share: OpenShare, what: str, more: dict[str, int]) -> None:
    answer = share.post(what, grant="fffffffffffff1", **more)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_grant")


def test_charges_come_in_batches_and_one_unknown_grant_spoils_no_other(share: OpenShare) -> None:
    one, two = share.granted(), share.granted()
    charges = [{"grant": one, "output": 60}, {"grant": "unknown", "output": 5}, {"grant": two, "output": 70}]
    answer = share.client.post("/v1/share/charge", json=charges)
    assert (answer.status_code, answer.json()) == (200, {"charged": 2, "stop": []})
    assert share.pool()["used"] == 2 * 100 + 2 * (60 + 70)
    assert share.client.post("/v1/share/charge", json=[]).json() == {"charged": 0, "stop": []}
    many = share.client.post("/v1/share/charge", json=[{"grant": "x", "output": 1}] * 1_001)
    assert many.status_code == 400


def test_a_client_that_never_settles_is_counted_as_estimated_and_its_place_is_free_again(tmp_path: Path) -> None:
    with sharing(settings_for(tmp_path, pool(capacity=1_000, grant_seconds=0.3))) as share:
        grant = share.granted("lost")
        wait_until(lambda: share.pool()["in_flight"] == 0)
        assert share.pool()["used"] == 200
        assert share.post("settle", grant=grant, input=1, output=1).json() == {"settled": False}
        kept = share.granted("alive")
        for output in range(1, 6):
            time.sleep(0.15)
            assert share.post("charge", grant=kept, output=output).json() == {"charged": True, "stop": False}
        assert share.post("settle", grant=kept, input=1, output=1).json() == {"settled": True}


# ------------------------------------------------------------------------------------------------------------ the queue


def test_who_waits_is_granted_when_there_is_capacity(scarce: OpenShare) -> None:
    with ThreadPoolExecutor(3) as some:
        waiting = [some.submit(scarce.acquire, f"w{n}", **WAITS) for n in range(3)]
        wait_until(lambda: scarce.pool()["waiting"] == 3)
        assert scarce.metric('fairgate_share_waiting{pool="default"}') == 3
        time.sleep(0.05)
        refill(scarce)
        assert [each.result().status_code for each in waiting] == [200, 200, 200]
    assert scarce.metric("fairgate_share_wait_seconds_count") == 4
    assert scarce.metric('fairgate_share_wait_seconds_bucket{le="0.01"}') <= 1


def test_what_a_grant_did_not_use_goes_to_those_who_wait(tmp_path: Path) -> None:
    with sharing(settings_for(tmp_path, pool(capacity=0.001, burst=1_000))) as share, ThreadPoolExecutor(1) as some:
        held = []
        while (answer := share.acquire("holder", input_tokens=400)).status_code == 200:
            held.append(answer.json()["grant"])
        waiting = some.submit(share.acquire, "waiter", **WAITS)
        wait_until(lambda: share.pool()["waiting"] == 1)
        for grant in held:
            share.post("settle", grant=grant, input=0, output=0)
        assert waiting.result().status_code == 200


def test_a_deadline_that_passes_is_told_coarsely_and_when_to_ask_again(scarce: OpenShare) -> None:
    began = time.monotonic()
    late = scarce.acquire("w", deadline_ms=300)
    assert 0.25 <= time.monotonic() - began <= 3
    now = scarce.acquire("w", deadline_ms=0)
    for answer in (late, now):
        assert answer.status_code == 429
        assert answer.json()["error"]["code"] == "busy"
        assert int(answer.headers["retry-after"]) >= answer.json()["retry_after"] - 1 > -1
    assert scarce.metric('fairgate_share_denials_total{reason="late"}') >= 2


def test_callers_learn_nothing_of_what_is_thought_of_an_account(scarce: OpenShare) -> None:
    scarce.post("principal", account="abuser", ceil=0.0, trust=0.01, cluster="farm", reason="a farm")
    answers = {name: scarce.acquire(name, deadline_ms=0) for name in ("abuser", "honest")}
    bodies = [json.loads(each.content) for each in answers.values()]
    assert bodies[0]["error"] == bodies[1]["error"]
    assert {each.status_code for each in answers.values()} == {429}
    assert set(bodies[0]) == set(bodies[1]) == {"error", "retry_after"}


def test_a_full_queue_is_told(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, pool(capacity=0.001, burst=1, queue=1))
    with sharing(settings) as share, ThreadPoolExecutor(2) as some:
        share.granted()
        waiting = some.submit(share.acquire, "a", deadline_ms=2_000)
        wait_until(lambda: share.pool()["waiting"] == 1)
        full = share.acquire("b", **WAITS)
        assert (full.status_code, full.json()["error"]["code"]) == (429, "busy")
        assert share.metric('fairgate_share_denials_total{reason="busy"}') == 1
        assert waiting.result().status_code == 429


def test_what_is_never_granted_is_no_matter_of_time(tmp_path: Path) -> None:
    with sharing(settings_for(tmp_path, pool(models=["large-*"], largest=1_000.0))) as share:
        unknown, large = share.acquire(model="small"), share.acquire(model="large-1", input_tokens=5_000)
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (422, "no_such_model")
        assert (large.status_code, large.json()["error"]["code"]) == (422, "too_large")
        assert "retry-after" not in unknown.headers
        assert "retry_after" not in large.json()


def test_a_client_that_hangs_up_leaves_the_queue(scarce: OpenShare) -> None:
    body = b'{"account":"gone","model":"m","input_tokens":1,"max_output":1,"deadline_ms":60000}'
    head = b"POST /v1/share/acquire HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(body)
    with socket.create_connection(("127.0.0.1", scarce.port)) as connection:
        connection.sendall(head + body)
        wait_until(lambda: scarce.pool()["waiting"] == 1)
    wait_until(lambda: scarce.pool()["waiting"] == 0)
    assert scarce.metric("fairgate_share_left_total") == 1
    refill(scarce)
    assert scarce.pool()["in_flight"] == 1, "nothing was granted to who is gone"


def test_two_gateways_at_once_share_one_capacity_and_no_grant_is_lost(tmp_path: Path) -> None:
    with sharing(settings_for(tmp_path, pool(capacity=50_000, burst=50_000))) as share:

        def gateway(name: str) -> int:
            granted = 0
            with client_of(share.port) as client:
                for number in range(300):
                    asked = {"account": f"a{number % 7}", "model": "m", "input_tokens": 10, "max_output": 10}
                    answer = client.post("/v1/share/acquire", json=asked | {"deadline_ms": 5_000})
                    if answer.status_code != 200:
                        continue
                    granted += 1
                    grant = answer.json()["grant"]
                    client.post("/v1/share/charge", json={"grant": grant, "output": 3})
                    what = "abort" if number % 5 == 0 else "settle"
                    more = {} if what == "abort" else {"input": 10, "output": 5}
                    assert client.post(f"/v1/share/{what}", json={"grant": grant, **more}).status_code == 200
            assert name
            return granted

        with ThreadPoolExecutor(2) as both:
            assert list(both.map(gateway, ["one", "two"])) == [300, 300]
        found = share.pool()
        assert (found["in_flight"], found["waiting"]) == (0, 0)
        assert found["used"] == pytest.approx(600 * 10 + 2 * (480 * 5 + 120 * 3))


# --------------------------------------------------------------------------------------------------------- by operators


def test_ceilings_by_hand_and_their_reason_outlive_a_restart(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, pool(capacity=1_000))
    with sharing(settings) as share:
        said = share.post("principal", account="farm", ceil=0.01, trust=0.1, version=7, reason="confirmed, case 12")
        assert said.json() == {"account": "farm", "applied": True, "version": 7}
        older = share.post("principal", account="farm", trust=0.9, version=6, reason="late")
        assert older.json() == {"account": "farm", "applied": False, "version": 7}
        newest = share.post("principal", account="other", cluster="c", reason="linked by card")
        assert newest.json()["version"] == 0
        assert share.post("capacity", pool="default", capacity=500, reason="half the machines").status_code == 200
    with sharing(settings) as share:
        explained = share.client.get("/v1/share/explain/farm").json()
        assert (explained["standing"]["ceil"], explained["standing"]["trust"]) == (0.01, 0.1)
        assert any("ceiling" in words for words in explained["words"])
        assert share.pool()["capacity"] == 500
        assert share.post("principal", account="farm", reason="cleared").json()["version"] == 8
    lines = [json.loads(line) for line in (tmp_path / "share" / "standings.ndjson").read_text().splitlines()]
    assert [line["reason"] for line in lines] == [
        "confirmed, case 12",
        "linked by card",
        "half the machines",
        "cleared",
    ]
    assert {line["by"] for line in lines} == {"anyone on this machine"}
    assert all(line["time"].startswith("20") for line in lines)


def test_a_capacity_by_hand_gives_way_to_new_settings(tmp_path: Path) -> None:
    with sharing(settings_for(tmp_path, pool(capacity=1_000))) as share:
        share.post("capacity", pool="default", capacity=5, reason="an outage")
    with sharing(settings_for(tmp_path, pool(capacity=3_000))) as share:
        assert share.pool()["capacity"] == 3_000


def test_what_can_not_be_written_down_does_not_count(share: OpenShare, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fairgate.entrypoints.share.line_file.os.fsync", full)
    answer = share.post("principal", account="a", ceil=0.5, reason="x")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unwritable")
    assert share.post("capacity", pool="default", capacity=1, reason="x").status_code == 503
    monkeypatch.undo()
    assert share.client.get("/v1/share/explain/a").json()["known"] is False
    assert share.pool()["capacity"] == 2_000
    assert share.post("principal", account="a", ceil=0.5, reason="x").json()["applied"] is True


def test_an_account_of_any_name_is_explained(share: OpenShare) -> None:
    share.post("principal", account="a/b ü", trust=0.25, reason="x")
    explained = share.client.get("/v1/share/explain/a%2Fb%20%C3%BC").json()
    assert (explained["account"], explained["known"]) == ("a/b ü", True)
    assert share.client.get("/v1/share/explain/").status_code == 404
    assert share.client.get("/v1/share/explain/a/b").status_code == 404
    assert share.client.get(f"/v1/share/explain/{'a' * 300}").status_code == 400
    assert share.client.get("/v1/share/explain/%7Baccount%7D").json()["known"] is False
    assert share.client.get("/v1/share/explain/{account}").json()["account"] == "{account}"


# ---------------------------------------------------------------------------------------------------------- who may ask


def test_each_route_needs_its_own_scope(tmp_path: Path) -> None:
    with open_api_keys(tmp_path / "keys.db") as keys:
        texts = {}
        for scope in Scope:
            texts[scope], key = new_key(str(scope), frozenset({scope}), 1, None)
            keys.add(key)
        with sharing(settings_for(tmp_path, pool(capacity=1_000)), keys) as share:
            for route in ROUTES:
                for scope in Scope:
                    path = route.path.replace("{account}", "a")
                    bearer = {"authorization": f"Bearer {texts[scope]}"}
                    status = share.client.request(route.method, path, headers=bearer).status_code
                    may = route.scope in {None, scope}
                    assert (status != 403) == may, (route.path, scope)
                if route.scope is not None:
                    assert share.client.request(route.method, route.path).status_code == 401
            assert {route.scope for route in ROUTES} == {None, Scope.SHARE, Scope.ENFORCE, Scope.READ}
            ceil = {"account": "a", "ceil": 0.5, "reason": "x"}
            enforce = {"authorization": f"Bearer {texts[Scope.ENFORCE]}"}
            assert share.client.post("/v1/share/principal", json=ceil, headers=enforce).status_code == 200
    line = json.loads((tmp_path / "share" / "standings.ndjson").read_text())
    assert line["by"] == "enforce", "the name of the key"


def test_without_keys_no_web_page_may_ask(share: OpenShare) -> None:
    for headers in ({"origin": "https://evil.example"}, {"host": "evil.example"}):
        answer = share.client.post("/v1/share/acquire", json=GOOD, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "from_a_page")
    assert share.client.get("/healthz", headers={"host": "evil.example"}).status_code == 200


def test_nothing_listens_beyond_this_machine_without_a_key(tmp_path: Path) -> None:
    ended = fairgate("share", "serve", "--data", tmp_path, "--host", "0.0.0.0", "--port", "0")  # noqa: S104 - to be refused
    assert ended.returncode == 1
    assert "no active API key" in ended.stderr


# ---------------------------------------------------------------------------------------------------------- its process


def test_the_command_from_start_to_stop_lets_those_who_wait_know(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "fairgate.toml").write_text(
        f"data = 'data'\n[share]\nport = {port}\n"
        "[[share.pool]]\nname = 'large'\nmodels = ['large-*']\ncapacity = 0\nburst = 5\n"
        "[[share.pool]]\nname = 'gpu'\nunit = 'gpu_seconds'\ncapacity = 8\n[share.pool.speeds]\nwrite = 50\n"
    )
    command = [*COMMAND, "share", "serve", "--config", str(tmp_path / "fairgate.toml")]
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=output, stderr=output)
    try:
        with client_of(port) as client, ThreadPoolExecutor(1) as some:

            def ready() -> bool:
                assert process.poll() is None, (tmp_path / "output").read_text()
                try:
                    return client.get("/readyz").status_code == 200
                except httpx.TransportError:
                    return False

            wait_until(ready)
            gpu = client.post("/v1/share/acquire", json=GOOD | {"model": "other", "max_output": 100}).json()
            assert gpu["estimate"] == pytest.approx(2, rel=0.01)
            large = GOOD | {"model": "large-1", "deadline_ms": 60_000}
            while client.post("/v1/share/acquire", json=large | {"deadline_ms": 0}).status_code == 200:
                pass
            waiting = some.submit(client.post, "/v1/share/acquire", json=large)
            wait_until(lambda: client.get("/v1/share/state").json()["pools"][0]["waiting"] == 1)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            answer = waiting.result()
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "stopped")
            assert "retry-after" in answer.headers
        assert process.wait(20) == 0
        assert time.monotonic() - began < 5
        assert "Traceback" not in (tmp_path / "output").read_text()
    finally:
        process.kill()
        process.wait()


def test_a_pool_that_can_not_be_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "fairgate.toml").write_text("[share]\nport = 0\n[[share.pool]]\n[[share.pool]]\n")
    ended = fairgate("share", "serve", "--config", tmp_path / "fairgate.toml")
    assert ended.returncode == 1
    assert "two pools have the same name" in ended.stderr
