"""A hook for the LiteLLM proxy: every request asks for its share before a model is called.

litellm_settings:
  callbacks: fairgate.integrations.litellm.hook

`hook` is made from the environment: FAIRGATE_SHARE_FAIL (`open` or `closed`, no default: what happens in an outage is
for you to say), FAIRGATE_SHARE_URL, FAIRGATE_KEY, FAIRGATE_SHARE_DEADLINE in seconds.

Whose share it is comes from the key that LiteLLM has checked, in this order: the key's user; else its team; else the
key itself. A team never hides its users. What a client sends (`user`, metadata, headers) is never looked at for this.
"""

import asyncio
import math
import os
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, MutableMapping
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from fastapi import HTTPException
from litellm.integrations.custom_logger import CustomLogger
from pydantic import BaseModel

from fairgate.domain.errors import BadAmount
from fairgate.integrations.client import Asked, Refused, ShareClient, Sidecar
from fairgate.integrations.gate import Fail, Gate, Ticket
from fairgate.integrations.usage import CHARACTERS, Meter
from fairgate.share import Usage

#: Calls that are asked for; others, such as listing files, use no compute to speak of.
KINDS: Final = frozenset(
    {
        *("completion", "acompletion", "text_completion", "atext_completion", "responses", "aresponses"),
        *("anthropic_messages", "embeddings", "embedding", "aembedding", "generate_content", "agenerate_content"),
    }
)
#: Tokens that an answer may have where a request doesn't say.
MAX_OUTPUT: Final = 4_096
_GRANT = "fairgate_grant"
_METADATA = ("metadata", "litellm_metadata")
_NO_OUTPUT = frozenset({"embeddings", "embedding", "aembedding"})
#: Requests that are followed at most; those beyond are settled by nobody, and end as estimated.
_FOLLOWED = 100_000
_MOST_CHOICES = 128
_MOST_TOKENS = 1_000_000_000
_STATUS = {"too_large": 413, "no_such_model": 404, "unavailable": 503}

Data: TypeAlias = MutableMapping[str, Any]
_AnswerT = TypeVar("_AnswerT")


class Key(Protocol):
    """What is looked at of LiteLLM's `UserAPIKeyAuth`: the key that it has checked."""

    user_id: str | None
    team_id: str | None
    token: str | None
    api_key: str | None


def account_of(key: Key) -> str:
    """Whose share a request is of: the user of the key, else its team, else the key itself."""
    if key.user_id:
        return str(key.user_id)
    if key.team_id:
        return f"team:{key.team_id}"
    return f"key:{key.token or key.api_key}"


class FairShareHook(CustomLogger):  # type: ignore[misc] # LiteLLM's types are not followed: that takes minutes
    """Asks for each request of the proxy, and says what it used.

    `counts` of `gate` are for the proxy's own metrics. To change what it does give it another `account`: a class of
    your own that inherits from this one would have to name each hook again, or LiteLLM doesn't call it.
    """

    def __init__(
        self, client: ShareClient, *, fail: Fail, deadline: float = 10.0, account: Callable[[Key], str] = account_of
    ) -> None:
        super().__init__()
        self.gate = Gate(client, fail)
        self._deadline = deadline
        self._account = account
        self._tickets: OrderedDict[str, Ticket] = OrderedDict()
        self._count = 0

    async def async_pre_call_hook(
        self,
        user_api_key_dict: Key,
        cache: object,  # noqa: ARG002 - LiteLLM passes it by name
        data: Data,
        call_type: str,
    ) -> Data:
        """Ask before the model is called. Raises `HTTPException` where nothing is granted."""
        for name in _METADATA:
            if isinstance(data.get(name), MutableMapping):  # a client may send what it likes in it
                data[name].pop(_GRANT, None)
        model = data.get("model")
        if call_type not in KINDS or not isinstance(model, str) or not model:
            return data
        most = 0 if call_type in _NO_OUTPUT else _max_output(data)
        asked = Asked(self._account(user_api_key_dict), model, _input_tokens(data), most, self._deadline)
        try:
            entered = await self.gate.enter(asked)
        except BadAmount as error:
            raise HTTPException(400, {"error": "this can't be asked for"}) from error
        if isinstance(entered, Refused):
            raise _refusal(entered)
        self._follow(entered, data)
        return data

    async def async_post_call_success_hook(
        self,
        data: Data,
        user_api_key_dict: object,  # noqa: ARG002 - LiteLLM passes it by name
        response: _AnswerT,
    ) -> _AnswerT:
        """Settle an answer that came in one piece."""
        ticket = self._ticket_of(data)
        usage = _usage_of(response, ticket)
        if ticket is not None and usage is not None:
            self._forget(data)
            await ticket.settle(usage)
        return response

    async def async_post_call_streaming_iterator_hook(
        self,
        user_api_key_dict: object,  # noqa: ARG002 - LiteLLM passes it by name
        response: AsyncIterator[Any],
        request_data: Data,
    ) -> AsyncIterator[Any]:
        """Charge a stream while it is written, and settle it at its end, however that comes."""
        ticket, meter, whole = self._ticket_of(request_data), Meter(streams=True), False
        try:
            async for chunk in response:
                if ticket is not None:
                    _measure(meter, chunk)
                    ticket.charge(meter.output)
                    if ticket.stopped:
                        raise HTTPException(429, {"error": "this answer has come to an early end", "code": "busy"})
                yield chunk
            whole = True
        finally:
            if ticket is not None and (meter.told or not whole):
                self._forget(request_data)
                await asyncio.shield(_end(ticket, meter, whole=whole))

    async def async_post_call_failure_hook(
        self,
        request_data: Data,
        original_exception: Exception,  # noqa: ARG002 - LiteLLM passes it by name
        user_api_key_dict: object,  # noqa: ARG002 - likewise
        traceback_str: str | None = None,  # noqa: ARG002 - likewise
    ) -> None:
        """Abort what has failed for good: after all retries and fallbacks."""
        ticket = self._ticket_of(request_data)
        if ticket is not None:
            self._forget(request_data)
            await ticket.abort()

    async def async_log_success_event(
        self,
        kwargs: Data,
        response_obj: object,
        start_time: object,  # noqa: ARG002 - LiteLLM passes it by name
        end_time: object,  # noqa: ARG002 - likewise
    ) -> None:
        """Settle a stream that told nothing of its usage by what LiteLLM has counted."""
        found = kwargs.get("litellm_params")
        params: Data = found if isinstance(found, MutableMapping) else {}
        ticket = self._ticket_of(params)
        usage = _usage_of(response_obj, ticket)
        if ticket is not None and usage is not None:
            self._forget(params)
            await ticket.settle(Usage() if kwargs.get("cache_hit") else usage)

    def _follow(self, ticket: Ticket, data: Data) -> None:
        """Mark a request, so that what LiteLLM tells of it later finds its ticket."""
        self._count += 1
        mark = f"{id(self):x}-{self._count:x}"
        self._tickets[mark] = ticket
        if len(self._tickets) > _FOLLOWED:
            self._tickets.popitem(last=False)
        _own_metadata(data)[_GRANT] = mark

    def _ticket_of(self, data: Mapping[str, Any]) -> Ticket | None:
        return next((self._tickets[mark] for mark in _marks(data) if mark in self._tickets), None)

    def _forget(self, data: Mapping[str, Any]) -> None:
        for mark in _marks(data):
            self._tickets.pop(mark, None)


def from_environment() -> FairShareHook:
    """A hook as the environment says. Raises ValueError where FAIRGATE_SHARE_FAIL is not said."""
    fail = os.environ.get("FAIRGATE_SHARE_FAIL", "")
    if fail not in {"open", "closed"}:
        raise ValueError("set FAIRGATE_SHARE_FAIL to open or closed: what happens while the sidecar can't be reached")
    url = os.environ.get("FAIRGATE_SHARE_URL", "http://127.0.0.1:8082")
    deadline = float(os.environ.get("FAIRGATE_SHARE_DEADLINE", "10"))
    client = Sidecar(url, os.environ.get("FAIRGATE_KEY"))
    return FairShareHook(client, fail="open" if fail == "open" else "closed", deadline=deadline)


def __getattr__(name: str) -> FairShareHook:
    """`hook`, made when it is first asked for."""
    if name != "hook":
        raise AttributeError(name)
    found = globals()["hook"] = from_environment()
    return found


async def _end(ticket: Ticket, meter: Meter, *, whole: bool) -> None:
    if whole:
        await ticket.settle(meter.usage(ticket.asked.input_tokens))
    else:
        await ticket.abort()


def _refusal(refused: Refused) -> HTTPException:
    wait = refused.retry_after
    headers = None if wait is None else {"retry-after": str(max(1, math.ceil(wait)))}
    words = "no such model, or too much at a time" if wait is None else "too many requests at a time: try again later"
    return HTTPException(_STATUS.get(refused.code, 429), {"error": words, "code": refused.code}, headers)


def _own_metadata(data: Data) -> Data:
    """The metadata that LiteLLM keeps for itself; the other one may be a client's, and go on to the model."""
    for name in reversed(_METADATA):
        found = data.get(name)
        if isinstance(found, MutableMapping) and any(str(key).startswith("user_api_key") for key in found):
            return found
    if not isinstance(data.get("metadata"), MutableMapping):
        data["metadata"] = {}
    metadata: Data = data["metadata"]
    return metadata


def _marks(data: Mapping[str, Any]) -> Iterator[str]:
    for name in _METADATA:
        metadata = data.get(name)
        mark = metadata.get(_GRANT) if isinstance(metadata, Mapping) else None
        if isinstance(mark, str):
            yield mark


def _measure(meter: Meter, chunk: object) -> None:
    """Count a part of a stream, which LiteLLM gives as an object, or as the bytes of events."""
    if isinstance(chunk, bytes | str):
        meter.take(chunk if isinstance(chunk, bytes) else chunk.encode())
        return
    meter.wrote(1)
    for each in (chunk, getattr(chunk, "response", None)):
        usage = _table(getattr(each, "usage", None))
        if usage is not None:
            meter.said(usage)


def _usage_of(response: object, ticket: Ticket | None) -> Usage | None:
    """What an answer says that it used; nothing, where it comes from LiteLLM's own cache."""
    usage = _table(getattr(response, "usage", None))
    if usage is None or ticket is None:
        return None
    if (_table(getattr(response, "_hidden_params", None)) or {}).get("cache_hit"):
        return Usage()
    meter = Meter(streams=True)
    meter.said(usage)
    return meter.usage(ticket.asked.input_tokens)


def _table(value: object) -> Mapping[str, Any] | None:
    """What LiteLLM gives as a mapping, or as a model of pydantic."""
    if isinstance(value, Mapping):
        return value
    return value.model_dump() if isinstance(value, BaseModel) else None


def _input_tokens(data: Mapping[str, Any]) -> int:
    """About how many tokens a request's texts have: it is settled by what they were."""
    texts = (data.get(name) for name in ("messages", "prompt", "input", "system", "instructions", "tools"))
    return sum(len(text) for value in texts for text in _texts(value)) // CHARACTERS


def _texts(value: object) -> Iterator[str]:
    """The texts in a request, without images and sounds."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text if not text.startswith("data:"):
                yield text
            case list() as items:
                waiting += items
            case dict() as table:
                waiting += [each for name, each in table.items() if name not in {"image_url", "input_audio", "source"}]


def _max_output(data: Mapping[str, Any]) -> int:
    names = ("max_completion_tokens", "max_tokens", "max_output_tokens")
    most = next((data[name] for name in names if type(data.get(name)) is int), MAX_OUTPUT)
    choices = data.get("n")
    many = choices if type(choices) is int and 1 <= choices <= _MOST_CHOICES else 1
    return min(max(most, 0) * many, _MOST_TOKENS)
