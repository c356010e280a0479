"""The hook in the real LiteLLM proxy, a process of its own, in front of models that stream, fail or break off."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.doors import ENVIRONMENT, client_of, free_port, wait_until
from tests.e2e.shares import Models, OpenShare, pool, served, settings_for, sharing

MODELS = ("plain", "slow", "broken", "failing", "silent")
#: Keys as the proxy would know them from its database: who they belong to.
AUTH = """
from litellm.proxy._types import UserAPIKeyAuth

KEYS = {
    "sk-ann": {"user_id": "ann", "team_id": "blue"},
    "sk-ann-too": {"user_id": "ann", "team_id": "red"},
    "sk-ben": {"user_id": "ben", "team_id": "blue"},
    "sk-blue": {"team_id": "blue"},
    "sk-bare": {},
}

async def check(request, api_key):
    if api_key not in KEYS:
        raise Exception("unknown key")
    return UserAPIKeyAuth(api_key=api_key, **KEYS[api_key])
"""


def config_of(models: str) -> str:
    entry = {"api_base": f"{models}/v1", "api_key": "none"}
    chat = {"model_name": "chat-1", "litellm_params": {"model": "together_ai/plain-1", **entry}}
    table = {
        "model_list": [
            chat,
            *({"model_name": f"{name}-1", "litellm_params": {"model": f"openai/{name}-1", **entry}} for name in MODELS),
        ],
        "litellm_settings": {"callbacks": ["fairgate.integrations.litellm.hook"], "num_retries": 0},
        "router_settings": {"disable_cooldowns": True, "num_retries": 0},
        "general_settings": {"custom_auth": "keys.check", "master_key": "sk-master"},
    }
    return json.dumps(table)  # JSON is YAML


class Gateway:
    """The proxy with the hook, the sidecar behind that, and the models."""

    def __init__(self, port: int, share: OpenShare, models: Models) -> None:
        self.port, self.share, self.models = port, share, models

    def client(self, key: str) -> httpx.Client:
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"authorization": f"Bearer {key}"},
            timeout=30,
            trust_env=False,
        )

    def ask(self, key: str, model: str = "plain-1", words: int = 20, **more: object) -> httpx.Response:
        with self.client(key) as client:
            return client.post("/v1/chat/completions", json=asked_for(model, words) | more)

    def used(self, account: str) -> float:
        """Cost units that an account has used."""
        state = self.share.pool()
        return next((each["used"] for each in state["clusters"] if each["name"] == account), 0.0)

    def quiet(self) -> bool:
        return bool(self.share.pool()["in_flight"] == 0)


def asked_for(model: str, words: int) -> dict[str, object]:
    return {"model": model, "max_tokens": words, "messages": [{"role": "user", "content": "one two three four"}]}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder, models, port = tmp_path_factory.mktemp("litellm"), Models(), free_port()
    settings = settings_for(folder / "data", pool(capacity=2_000, burst=2_000))
    with sharing(settings) as share, served(models) as address:
        (folder / "keys.py").write_text(AUTH)
        (folder / "config.yaml").write_text(config_of(address))
        environment = {
            **ENVIRONMENT,
            "FAIRGATE_SHARE_URL": share.url,
            "FAIRGATE_SHARE_FAIL": "closed",
            "FAIRGATE_SHARE_DEADLINE": "0.5",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_TELEMETRY": "False",
            "NO_PROXY": "*",
        }
        command = [sys.executable, "-m", "litellm.proxy.proxy_cli", "--config", str(folder / "config.yaml")]
        command += ["--host", "127.0.0.1", "--port", str(port)]
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + 180  # it imports for seconds, on a busy machine for longer
            while not answers(process, port, folder):
                assert time.monotonic() < deadline, (folder / "output").read_text()
                time.sleep(0.2)
            yield Gateway(port, share, models)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


def answers(process: "subprocess.Popen[bytes]", port: int, folder: Path) -> bool:
    assert process.poll() is None, (folder / "output").read_text()
    with client_of(port) as client, contextlib.suppress(httpx.TransportError):
        return client.get("/health/liveliness").status_code == 200
    return False


def test_a_whole_answer_is_settled_by_its_usage_before_it_is_returned(gateway: Gateway) -> None:
    before = gateway.used("ann")
    answer = gateway.ask("sk-ann", words=20)
    assert answer.status_code == 200, answer.text
    assert gateway.used("ann") - before == pytest.approx(7 + 4 * 0.1 + 20 * 2)
    assert gateway.quiet()


def test_a_stream_is_charged_while_it_is_written_and_settled_at_its_end(gateway: Gateway) -> None:
    before = gateway.used("ben")
    with (
        gateway.client("sk-ben") as client,
        client.stream("POST", "/v1/chat/completions", json=asked_for("slow-1", 30) | {"stream": True}) as answer,
    ):
        lines = [line for line in answer.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    assert len([line for line in lines if "word" in line]) == 30
    assert not any('"usage"' in line for line in lines), "the client did not ask for usage, and must not get it"
    assert gateway.used("ben") - before == pytest.approx(7 + 4 * 0.1 + 30 * 2)
    assert gateway.quiet()
    assert gateway.share.metric('fairgate_share_requests_total{route="/v1/share/charge",status="200"}') >= 2


@pytest.mark.parametrize("stream", [True, False])
def test_anthropics_interface_is_asked_for_and_settled_too(gateway: Gateway, stream: bool) -> None:
    before = gateway.used("ben")
    with gateway.client("sk-ben") as client:
        answer = client.post("/v1/messages", json=asked_for("chat-1", 20) | {"stream": stream})
    assert answer.status_code == 200, answer.text
    assert answer.text.count("word") == 20
    wait_until(gateway.quiet)
    assert gateway.used("ben") - before == pytest.approx(47.4)


@pytest.mark.parametrize("stream", [True, False])
def test_the_interface_of_responses_is_asked_for_and_settled_too(gateway: Gateway, stream: bool) -> None:
    before = gateway.used("ben")
    asked = {"model": "chat-1", "input": "one two three four", "max_output_tokens": 20, "stream": stream}
    with gateway.client("sk-ben") as client:
        answer = client.post("/v1/responses", json=asked)
    assert answer.status_code == 200, answer.text
    wait_until(gateway.quiet)
    assert gateway.used("ben") - before == pytest.approx(47.4)


def test_a_stream_that_says_nothing_of_usage_is_settled_by_what_was_counted(gateway: Gateway) -> None:
    before = gateway.used("ben")
    with (
        gateway.client("sk-ben") as client,
        client.stream("POST", "/v1/chat/completions", json=asked_for("silent-1", 30) | {"stream": True}) as answer,
    ):
        answer.read()
    wait_until(gateway.quiet)
    assert 30 <= gateway.used("ben") - before <= 120


@pytest.mark.parametrize("stream", [True, False])
def test_a_model_that_fails_ends_its_grant(gateway: Gateway, stream: bool) -> None:
    aborted = gateway.share.metric('fairgate_share_ends_total{how="aborted"}')
    answer = gateway.ask("sk-ann", "failing-1", stream=stream)
    assert answer.status_code == 500
    wait_until(gateway.quiet)
    assert gateway.share.metric('fairgate_share_ends_total{how="aborted"}') == aborted + 1


def test_a_model_that_breaks_off_is_charged_for_what_it_wrote(gateway: Gateway) -> None:
    before = gateway.used("ben")
    answer = gateway.ask("sk-ben", "broken-1", words=30, stream=True)
    assert "error" in answer.text
    wait_until(gateway.quiet)
    assert 10 <= gateway.used("ben") - before <= 40


def test_a_client_that_hangs_up_in_a_stream_is_charged_for_what_was_written(gateway: Gateway) -> None:
    before = gateway.used("ann")
    with (
        gateway.client("sk-ann") as client,
        client.stream("POST", "/v1/chat/completions", json=asked_for("slow-1", 200) | {"stream": True}) as answer,
    ):
        lines = answer.iter_lines()
        for _ in range(20):
            next(lines)
    wait_until(gateway.quiet)
    assert 10 <= gateway.used("ann") - before <= 100


def test_a_stream_of_an_account_that_may_use_nothing_any_more_is_cut_off(gateway: Gateway) -> None:
    with ThreadPoolExecutor(1) as some:
        running = some.submit(gateway.ask, "sk-ben", "slow-1", words=400, stream=True)
        wait_until(lambda: gateway.share.pool()["in_flight"] == 1)
        principal = {"account": "ben", "trust": 0.5, "reason": "a test"}
        assert gateway.share.post("principal", **principal, ceil=0.0).json()["applied"]
        text = running.result().text
    assert 0 < text.count("word ") < 400
    assert "early end" in text
    wait_until(gateway.quiet)
    wait_until(lambda: gateway.models.running == 0)
    assert gateway.ask("sk-ben").status_code == 429
    assert gateway.share.post("principal", **principal).json()["applied"]
    assert gateway.ask("sk-ben").status_code == 200


def test_a_team_never_hides_its_users_and_a_client_never_names_its_account(gateway: Gateway) -> None:
    before = {name: gateway.used(name) for name in ("ann", "ben", "team:blue")}
    named: dict[str, Any] = {"user": "ben", "metadata": {"fairgate_grant": "1-1", "user_api_key_user_id": "ben"}}
    assert gateway.ask("sk-ann", **named).status_code == 200
    assert gateway.ask("sk-ann-too", **named).status_code == 200
    assert gateway.ask("sk-blue", **named).status_code == 200
    assert gateway.ask("sk-bare", **named).status_code == 200
    assert gateway.used("ann") - before["ann"] == pytest.approx(2 * 47.4)
    assert gateway.used("ben") == before["ben"]
    assert gateway.used("team:blue") - before["team:blue"] == pytest.approx(47.4)
    bare = [each for each in gateway.share.pool()["clusters"] if each["name"].startswith("key:")]
    assert [each["used"] for each in bare] == [pytest.approx(47.4)]
    assert "sk-bare" not in bare[0]["name"], "an account's name must not be somebody's key"


def test_without_capacity_the_client_is_told_when_to_ask_again_and_no_model_is_called(gateway: Gateway) -> None:
    assert gateway.share.post("capacity", pool="default", capacity=0, reason="a test").status_code == 200
    drained = []
    while (taken := gateway.share.acquire("drain", input_tokens=3_000)).status_code == 200:
        drained.append(taken.json()["grant"])
    try:
        calls = gateway.models.calls
        answer = gateway.ask("sk-ann")
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
        assert "busy" in answer.text
        assert gateway.models.calls == calls
    finally:
        for grant in drained:
            gateway.share.post("settle", grant=grant, input=0, output=0)
        assert gateway.share.post("capacity", pool="default", capacity=2_000, reason="a test").status_code == 200


def test_many_at_a_time_all_come_to_an_end(gateway: Gateway) -> None:
    with ThreadPoolExecutor(16) as some:
        answers = list(some.map(lambda n: gateway.ask("sk-ann", stream=bool(n % 2)).status_code, range(64)))
    assert set(answers) <= {200, 429}
    assert answers.count(200) > 5
    wait_until(gateway.quiet)
    assert gateway.share.pool()["waiting"] == 0
