"""What users of today's gateways report as broken, each against the sidecar or the middleware."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.doors import client_of, wait_until
from tests.e2e.shares import OpenShare, pool, settings_for, sharing
from tests.e2e.test_share_middleware import through


@contextmanager
def share_of(folder: Path, **said: float) -> Iterator[OpenShare]:
    with sharing(settings_for(folder, pool(**said))) as opened:
        yield opened


def known(share: OpenShare, account: str, **standing: object) -> None:
    told = {"account": account, "trust": 0.9, "reason": "a test"}
    assert share.client.post("/v1/share/principal", json=told | standing).json()["applied"]


# ------------------------------------------------------------------ concurrent requests slip past a limit of tokens


def test_concurrent_requests_do_not_slip_past_a_limit_of_tokens(tmp_path: Path) -> None:
    """BerriAI/litellm#18730 and others: a limit that is checked before, and counted after, lets a burst through."""
    asked = {"input_tokens": 100, "max_output": 200, "deadline_ms": 0}
    with share_of(tmp_path, capacity=20_000, burst=20_000) as share:
        known(share, "many", ceil=0.05)
        began = time.monotonic()
        with ThreadPoolExecutor(32) as some:
            answers = list(some.map(lambda _: share.acquire("many", **asked), range(300)))
        seconds = time.monotonic() - began
        estimates = [each.json()["estimate"] for each in answers if each.status_code == 200]
        assert sum(estimates) <= 1_000 * (1 + seconds) + max(estimates)
        assert {each.status_code for each in answers} == {200, 429}
        assert share.acquire("other", **asked).status_code == 200, "the capacity of others is untouched"


def test_two_gateways_at_once_do_not_slip_past_it_either(tmp_path: Path) -> None:
    with share_of(tmp_path, capacity=20_000, burst=20_000) as share:
        known(share, "many", ceil=0.05)

        def gateway(_number: int) -> float:
            got = 0.0
            asked = {"account": "many", "model": "m", "input_tokens": 100, "max_output": 200, "deadline_ms": 0}
            with client_of(share.port) as client:
                for _ in range(100):
                    answer = client.post("/v1/share/acquire", json=asked)
                    got += answer.json()["estimate"] if answer.status_code == 200 else 0
            return got

        began = time.monotonic()
        with ThreadPoolExecutor(4) as both:
            got = sum(both.map(gateway, range(4)))
        assert got <= 1_000 * (1 + time.monotonic() - began) + 500


# ----------------------------------------------------------------------------------------- streams are never charged


def test_a_stream_is_charged_while_it_runs_so_the_next_one_has_to_wait(tmp_path: Path) -> None:
    with share_of(tmp_path, capacity=1, burst=1_000) as share:
        for _ in range(400):  # answers were short so far
            share.post("settle", grant=share.granted("streamer", input_tokens=0, max_output=1), input=0, output=0)
        grant = share.granted("streamer", input_tokens=10, max_output=5_000)
        assert share.acquire("next", input_tokens=1).status_code == 200
        assert share.post("charge", grant=grant, output=2_000).json() == {"charged": True, "stop": False}
        assert share.pool()["level"] < 0
        assert share.acquire("next", input_tokens=1).status_code == 429


@pytest.mark.parametrize("end", ["silence", "abort"])
def test_a_stream_that_is_broken_off_or_never_settled_is_charged_for_what_was_written(tmp_path: Path, end: str) -> None:
    with share_of(tmp_path, capacity=100_000, grant_seconds=0.3) as share:
        grant = share.granted("streamer", input_tokens=10, max_output=5)
        share.post("charge", grant=grant, output=900)
        if end == "abort":
            share.post("abort", grant=grant, output=1_000)
        wait_until(lambda: share.pool()["in_flight"] == 0)
        assert share.pool()["used"] == 10 + 2 * (1_000 if end == "abort" else 900)


def test_a_stream_through_the_middleware_is_charged_without_a_word_of_usage(tmp_path: Path) -> None:
    with through("sidecar", tmp_path, capacity=100_000.0) as found:
        answer = found.chat("silent", words=50, stream=True)
        assert '"usage"' not in answer.text
        wait_until(found.share.quiet)
        assert found.share.used() == pytest.approx(100 + 2 * 51, abs=4)


# ------------------------------------------------------------------------- a user's budget is ignored under a team


def test_a_users_ceiling_holds_whatever_team_the_user_is_put_in(tmp_path: Path) -> None:
    """BerriAI/litellm#11962, #12905, #27394: with a team set, the user's own limit was not looked at."""
    with share_of(tmp_path, capacity=10_000, burst=10_000) as share:
        known(share, "ann", ceil=0.01)
        known(share, "ann", ceil=0.01, cluster="team blue")
        assert share.client.get("/v1/share/explain/ann").json()["cluster"] == "team blue"
        answers = [share.acquire("ann", input_tokens=200, max_output=0) for _ in range(10)]
        assert [each.status_code for each in answers].count(200) <= 2
        known(share, "ann", ceil=0.01)  # out of the team again
        assert share.acquire("ann", input_tokens=200, max_output=0).status_code == 429


def test_a_user_with_many_keys_and_teams_is_one_account(tmp_path: Path) -> None:
    """The gateway names the account: test_share_litellm shows it for keys of several teams, this for many clusters."""
    with share_of(tmp_path, capacity=10_000, burst=10_000) as share:
        for number in range(20):
            known(share, f"key{number}", cluster="ann", ceil=0.01)
        granted = [share.acquire(f"key{number}", input_tokens=200, max_output=0).status_code for number in range(20)]
        assert granted.count(200) <= 2, "twenty keys have one share, and one ceiling"


# ---------------------------------------------------------------------------------------- which limit goes before which


def test_the_order_of_limits_is_the_one_that_is_documented(tmp_path: Path) -> None:
    """docs/reference/share-http.md: form, model, size, ceiling, capacity, queue, deadline."""
    said = pool(models=["large-*"], capacity=10_000, largest=1_000.0, queue=1)
    with sharing(settings_for(tmp_path, said)) as share:
        known(share, "capped", ceil=0.0, paid=1_000.0)
        all_wrong = {"model": "small", "input_tokens": 5_000}
        assert share.acquire("capped", **all_wrong, max_output=-1).json()["error"]["code"] == "invalid"
        assert share.acquire("capped", **all_wrong).json()["error"]["code"] == "no_such_model"
        large = share.acquire("capped", model="large-1", input_tokens=5_000)
        assert large.json()["error"]["code"] == "too_large"
        capped = share.acquire("capped", model="large-1", deadline_ms=100)
        assert capped.json()["error"]["code"] == "busy", "a ceiling holds although capacity is idle, whatever is paid"
        assert share.acquire("honest", model="large-1").status_code == 200


def test_what_was_said_last_holds_and_the_lowest_ceiling_of_a_cluster(tmp_path: Path) -> None:
    with share_of(tmp_path, capacity=10_000) as share:
        known(share, "a", cluster="c", ceil=0.5, version=5)
        known(share, "b", cluster="c", ceil=0.1)
        late = {"account": "a", "ceil": 0.9, "version": 4, "reason": "late"}
        assert share.client.post("/v1/share/principal", json=late).json()["applied"] is False
        words = share.client.get("/v1/share/explain/a").json()["words"]
        assert any("10.00%" in each for each in words)
        known(share, "b")
        words = share.client.get("/v1/share/explain/a").json()["words"]
        assert any("50.00%" in each for each in words), "b has left, and its ceiling with it"


# ----------------------------------------------------------------------------------- a noisy neighbour starves the rest


def test_a_noisy_neighbour_makes_nobody_else_wait(tmp_path: Path) -> None:
    asked = {"input_tokens": 100, "max_output": 0, "deadline_ms": 20_000}
    with share_of(tmp_path, capacity=0, burst=200) as share, ThreadPoolExecutor(80) as noise:
        known(share, "noisy")
        known(share, "quiet")
        share.granted("first", input_tokens=300, max_output=0)

        def flood(_number: int) -> float:
            with client_of(share.port) as client:
                began = time.monotonic()
                body = {"account": "noisy", "model": "m"} | asked
                grant = client.post("/v1/share/acquire", json=body).json()["grant"]
                waited = time.monotonic() - began
                client.post("/v1/share/settle", json={"grant": grant, "input": 100, "output": 0})
                return waited

        flooding = [noise.submit(flood, number) for number in range(80)]
        wait_until(lambda: share.pool()["waiting"] == 80)
        share.post("capacity", pool="default", capacity=2_000, reason="from here on")
        waits = []
        for _ in range(5):
            began = time.monotonic()
            grant = share.granted("quiet", **asked)
            waits.append(time.monotonic() - began)
            share.post("settle", grant=grant, input=100, output=0)
        assert max(waits) < 1, waits
        assert max(each.result() for each in flooding) > 3, "the flood waits for itself"
