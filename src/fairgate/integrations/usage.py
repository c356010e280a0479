"""What a model's answer says of the tokens it used: whole, or as a stream of server-sent events."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from fairgate.share import Usage

#: Bytes of an answer, and of one event, that are looked into; of a longer one only the length is known.
LARGEST_ANSWER: Final = 8 << 20
LARGEST_EVENT: Final = 1 << 20
#: How many characters a token has, about, where an answer says nothing of tokens.
CHARACTERS: Final = 4
_MOST = 1_000_000_000
_DONE = b"[DONE]"
#: Tokens in the data of one event of a stream.
Counter: TypeAlias = Callable[[bytes], int]


def one_an_event(_data: bytes) -> int:
    """Count each event as a token, which is what most models send in one."""
    return 1


class Meter:
    """Follows an answer as it passes; keeps the tokens that it speaks of.

    Knows `usage` as OpenAI's and Anthropic's interfaces have it, in one piece or spread over several events.
    """

    def __init__(self, count: Counter = one_an_event, *, streams: bool) -> None:
        self.streams = streams
        #: Tokens written so far: as the answer says or, until it does, as they are counted.
        self.output = 0
        self._count = count
        self._held = b""
        self._size = 0
        self._input: int | None = None
        self._cached = 0
        self._told: int | None = None

    def take(self, part: bytes) -> None:
        """A part of the answer's body."""
        self._size += len(part)
        if not self.streams:
            if self._size <= LARGEST_ANSWER:
                self._held += part
            return
        *lines, self._held = (self._held + part).split(b"\n")
        for line in lines:
            self._event(line)
        if len(self._held) > LARGEST_EVENT:
            self.output += len(self._held) // CHARACTERS
            self._held = b""

    def end(self) -> None:
        """The answer is whole."""
        if self.streams:
            self._event(self._held)
        elif self._size <= LARGEST_ANSWER:
            self._look(self._held)
        if not self.streams and self._told is None:
            self.output = self._size // CHARACTERS
        self._held = b""

    def said(self, usage: Mapping[str, Any]) -> None:
        """The answer has said this of its usage."""
        details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
        within = _number(details, "cached_tokens") if isinstance(details, dict) else None
        beside = _number(usage, "cache_read_input_tokens")
        read = _number(usage, "prompt_tokens", "input_tokens")
        if read is not None:  # Anthropic counts what came from a cache beside the input, OpenAI within it
            more = (
                0 if "prompt_tokens" in usage else (beside or 0) + (_number(usage, "cache_creation_input_tokens") or 0)
            )
            self._input = max(self._input or 0, read + more)
        self._cached = max(self._cached, within or beside or 0)
        written = _number(usage, "completion_tokens", "output_tokens")
        if written is not None:
            self._told = max(self._told or 0, written)

    def wrote(self, tokens: int) -> None:
        """The answer goes on by so many tokens."""
        self.output = max(self.output + tokens, self._told or 0)

    def usage(self, input_tokens: int) -> Usage:
        """What was used; of the input what is given, where the answer doesn't say."""
        read = input_tokens if self._input is None else self._input
        return Usage(read, self.output if self._told is None else self._told, min(self._cached, read))

    @property
    def told(self) -> bool:
        """Whether the answer has said what was used."""
        return self._told is not None

    def _event(self, line: bytes) -> None:
        if not line.startswith(b"data:"):
            return
        data = line[5:].strip()
        if not data or data == _DONE:
            return
        if b'"usage"' in data:
            self._look(data)
        self.wrote(max(0, self._count(data)))

    def _look(self, data: bytes) -> None:
        try:
            found = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError):
            return
        if isinstance(found, dict):
            for each in (found, found.get("message"), found.get("response")):
                if isinstance(each, dict) and isinstance(each.get("usage"), dict):
                    self.said(each["usage"])


def _number(table: Mapping[str, Any], *names: str) -> int | None:
    found = next((table[name] for name in names if name in table), None)
    return found if type(found) is int and 0 <= found <= _MOST else None
