"""The hook for LiteLLM by itself: whose request it is, what it is thought to need, and what an outage means."""

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from fastapi import HTTPException

from fairgate.domain.errors import BadAmount
from fairgate.integrations import litellm as module
from fairgate.integrations.client import Answer, Asked, Granted, Refused, ShareUnreachable
from fairgate.integrations.litellm import MAX_OUTPUT, FairShareHook, account_of, from_environment
from fairgate.share import Usage

T = TypeVar("T")
ANN = SimpleNamespace(user_id="ann", team_id="blue", token="hash", api_key="hash")
MESSAGES = [{"role": "user", "content": "x" * 400}]


class Told:
    """A client that answers what it is given, and keeps what it is told."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[Asked] = []
        self.told: list[tuple[object, ...]] = []
        self.stops: set[str] = set()

    async def acquire(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        answer = self.answers.pop(0) if self.answers else Granted(f"g{len(self.asked)}", 1.0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def charge(self, grant: str, output: int) -> None:
        self.told.append(("charge", grant, output))

    def stopped(self, grant: str) -> bool:
        return grant in self.stops

    async def settle(self, grant: str, usage: Usage) -> None:
        self.told.append(("settle", grant, usage))

    async def abort(self, grant: str, output: int) -> None:
        self.told.append(("abort", grant, output))

    async def close(self) -> None:
        """Nothing is open."""


def run(what: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(what)


def asks(client: Told, data: dict[str, Any], kind: str = "acompletion", fail: Any = "closed") -> FairShareHook:  # noqa: ANN401 - JSON
    hook = FairShareHook(client, fail=fail)
    run(hook.async_pre_call_hook(ANN, None, data, kind))
    return hook


@pytest.mark.parametrize(
    ("key", "account"),
    [
        ({"user_id": "ann", "team_id": "blue"}, "ann"),
        ({"user_id": None, "team_id": "blue"}, "team:blue"),
        ({"user_id": "", "team_id": None}, "key:hash"),
    ],
)
def test_the_user_comes_before_the_team_and_the_team_before_the_key(key: dict[str, str], account: str) -> None:
    assert account_of(SimpleNamespace(**{"token": "hash", "api_key": "sk-x"} | key)) == account


@pytest.mark.parametrize(
    ("data", "read", "most"),
    [
        ({"messages": MESSAGES, "max_tokens": 50}, 101, 50),
        ({"messages": MESSAGES, "max_completion_tokens": 50, "max_tokens": 5}, 101, 50),
        ({"messages": MESSAGES, "max_output_tokens": 7, "n": 3}, 101, 21),
        ({"messages": MESSAGES}, 101, MAX_OUTPUT),
        ({"messages": MESSAGES, "max_tokens": "many", "n": -1}, 101, MAX_OUTPUT),
        ({"messages": MESSAGES, "max_tokens": True, "n": 10**9}, 101, MAX_OUTPUT),
        ({"messages": MESSAGES, "max_tokens": -5}, 101, 0),
        ({"messages": MESSAGES, "max_tokens": 10**40}, 101, 10**9),
        ({"prompt": ["x" * 40, "y" * 40], "max_tokens": 1}, 20, 1),
        ({"input": "x" * 40, "instructions": "y" * 40, "max_tokens": 1}, 20, 1),
        ({"messages": [{"content": [{"image_url": {"url": "x" * 9_000}}, {"text": "x" * 80}]}]}, 20, MAX_OUTPUT),
        ({"messages": None}, 0, MAX_OUTPUT),
    ],
)  # fmt: skip
def test_what_a_request_is_thought_to_need(data: dict[str, Any], read: int, most: int) -> None:
    client = Told()
    asks(client, {"model": "m"} | data)
    assert client.asked == [Asked("ann", "m", read, most, 10.0)]


def test_embeddings_write_nothing_and_other_calls_are_not_asked_for() -> None:
    client = Told()
    asks(client, {"model": "m", "input": "x" * 40}, "aembedding")
    assert client.asked[0].max_output == 0
    for data, kind in (({"model": "m"}, "alist_files"), ({}, "acompletion"), ({"model": 7}, "acompletion")):
        asks(client, data, kind)
    assert len(client.asked) == 1


@pytest.mark.parametrize(
    ("answer", "status", "wait"),
    [
        (Refused("busy", 2.3), 429, "3"),
        (Refused("no_such_model", None), 404, None),
        (Refused("too_large", None), 413, None),
        (ShareUnreachable("down"), 503, "5"),
        (BadAmount("account"), 400, None),
    ],
)
def test_what_is_refused_is_told_coarsely(answer: Answer | Exception, status: int, wait: str | None) -> None:
    with pytest.raises(HTTPException) as refused:
        asks(Told(answer), {"model": "m", "messages": MESSAGES})
    assert (refused.value.status_code, (refused.value.headers or {}).get("retry-after")) == (status, wait)
    assert "ann" not in str(refused.value.detail)


def test_open_lets_requests_pass_and_tells_nobody_of_them() -> None:
    client, data = Told(ShareUnreachable("down")), {"model": "m", "messages": MESSAGES}
    hook = asks(client, data, fail="open")
    run(hook.async_post_call_failure_hook(data, Exception(), ANN))
    assert (client.told, hook.gate.counts["failed_open"]) == ([], 1)


def test_a_client_can_not_end_the_grant_of_another() -> None:
    client, data = Told(), {"model": "m", "messages": MESSAGES, "metadata": {}}
    hook = asks(client, data)
    mark = data["metadata"]["fairgate_grant"]  # type: ignore[index]
    guessed: dict[str, Any] = {
        "model": 5,
        "metadata": {"fairgate_grant": mark},
        "litellm_metadata": {"fairgate_grant": mark},
    }
    run(hook.async_pre_call_hook(ANN, None, guessed, "acompletion"))
    run(hook.async_post_call_failure_hook(guessed, Exception(), ANN))
    assert client.told == []
    run(hook.async_post_call_failure_hook(data, Exception(), ANN))
    run(hook.async_post_call_failure_hook(data, Exception(), ANN))
    assert client.told == [("abort", "g1", 0)]


def test_its_mark_stays_out_of_what_goes_on_to_the_model() -> None:
    data: dict[str, Any] = {"metadata": {"a": "b"}, "litellm_metadata": {"user_api_key_hash": "h"}}
    asks(Told(), {"model": "m", "input": "x"} | data, "aresponses")
    assert data["metadata"] == {"a": "b"}
    assert "fairgate_grant" in data["litellm_metadata"]


def test_what_comes_from_a_cache_costs_nothing() -> None:
    client, data = Told(), {"model": "m", "messages": MESSAGES}
    hook = asks(client, data)
    usage = {"prompt_tokens": 5, "completion_tokens": 6}
    run(hook.async_post_call_success_hook(data, ANN, SimpleNamespace(usage=usage, _hidden_params={"cache_hit": True})))
    assert client.told == [("settle", "g1", Usage())]


def test_the_log_of_a_stream_settles_what_the_stream_did_not_tell() -> None:
    client, data = Told(), {"model": "m", "messages": MESSAGES}
    hook = asks(client, data)

    async def stream() -> None:
        async def words() -> Any:  # noqa: ANN401 - a generator
            for _ in range(3):
                yield SimpleNamespace(usage=None)

        async for _ in hook.async_post_call_streaming_iterator_hook(ANN, words(), data):
            pass

    run(stream())
    assert client.told == [("charge", "g1", number) for number in (1, 2, 3)]
    log = {"litellm_params": {"metadata": data["metadata"]}}
    response = SimpleNamespace(usage={"prompt_tokens": 5, "completion_tokens": 6})
    run(hook.async_log_success_event(log, response, None, None))
    run(hook.async_log_success_event(log, response, None, None))
    assert client.told[3:] == [("settle", "g1", Usage(5, 6))]
    for odd in ({}, {"litellm_params": None}, {"litellm_params": {"metadata": None}}):
        run(hook.async_log_success_event(odd, None, None, None))


@pytest.mark.parametrize("end", ["raises", "closed"])
def test_a_stream_that_ends_early_is_aborted(end: str) -> None:
    client, data = Told(), {"model": "m", "messages": MESSAGES}
    hook = asks(client, data)

    async def stream() -> None:
        async def words() -> Any:  # noqa: ANN401 - a generator
            yield SimpleNamespace(usage=None)
            yield b'data: {"usage": {"completion_tokens": 9}}\n\n'
            raise RuntimeError("broken off")

        passing = hook.async_post_call_streaming_iterator_hook(ANN, words(), data)
        await anext(passing)
        await anext(passing)
        if end == "closed":
            await passing.aclose()  # type: ignore[attr-defined]
        else:
            with pytest.raises(RuntimeError):
                await anext(passing)

    run(stream())
    assert client.told[-1] == ("abort", "g1", 9)
    assert hook.gate.counts == {"granted": 1, "aborted": 1}


def test_requests_that_nobody_tells_the_end_of_are_not_followed_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FOLLOWED", 3)
    hook = FairShareHook(Told(), fail="open")
    for _ in range(10):
        run(hook.async_pre_call_hook(ANN, None, {"model": "m", "messages": MESSAGES}, "acompletion"))
    assert len(hook._tickets) == 3


def test_the_environment_must_say_what_an_outage_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FAIRGATE_SHARE_FAIL", raising=False)
    with pytest.raises(ValueError, match="FAIRGATE_SHARE_FAIL"):
        from_environment()
    monkeypatch.setenv("FAIRGATE_SHARE_FAIL", "open")
    monkeypatch.setattr(module, "hook", None, raising=False)
    monkeypatch.delattr(module, "hook")
    assert isinstance(module.hook, FairShareHook)
    assert module.hook is module.hook
    run(module.hook.gate.close())
    monkeypatch.delattr(module, "hook")
    with pytest.raises(AttributeError):
        module.nothing  # noqa: B018 - it must raise
