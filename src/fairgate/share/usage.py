"""What a request uses, and what that costs in a pool's unit."""

import math
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from fairgate.domain.errors import BadAmount

#: No request has so many tokens, nor takes so many seconds: whoever says so is mistaken or lies.
MOST: Final = 1_000_000_000
#: No pool has so much capacity, in cost units a second.
MOST_CAPACITY: Final = 1e15


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens read and written, tokens of the input that came from a cache, and seconds of a processor, where known.

    Tool calls and retries are usage like any other.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    gpu_seconds: float = 0.0


def usage_of(read: object, written: object, cached: object = 0, gpu_seconds: object = 0.0) -> Usage:
    """The usage that somebody tells of; raises `BadAmount` for what can't be."""
    usage = Usage(
        tokens("input", read), tokens("output", written), tokens("cached", cached), amount("gpu_seconds", gpu_seconds)
    )
    if usage.cached > usage.input:
        raise BadAmount(f"cached: {usage.cached} of {usage.input} tokens can't have come from a cache")
    return usage


class Cost(Protocol):
    """What usage costs in a pool's unit: never below zero, and never less for more of anything but `cached`."""

    def __call__(self, usage: Usage) -> float:
        """The cost of what was used, or of what is expected."""
        ...


@dataclass(frozen=True, slots=True)
class TokenCost:
    """Tokens weighed: one that is written costs about what two read cost, one from a cache a tenth of that.

    The weights of input and output are those of Sheng et al., "Fairness in Serving Large Language Models" (OSDI 2024).
    """

    input: float = 1.0
    output: float = 2.0
    cached: float = 0.1

    def __post_init__(self) -> None:
        """Refuse weights that can't be."""
        for name in ("input", "output", "cached"):
            amount(name, getattr(self, name))

    def __call__(self, usage: Usage) -> float:
        """The weighed tokens."""
        fresh = usage.input - usage.cached
        return fresh * self.input + usage.cached * self.cached + usage.output * self.output


@dataclass(frozen=True, slots=True)
class GpuSecondsCost:
    """Seconds of a processor: as measured where that is told, else from tokens at the speeds of reading and writing."""

    read_per_second: float
    write_per_second: float

    def __post_init__(self) -> None:
        """Refuse speeds that can't be."""
        for name in ("read_per_second", "write_per_second"):
            if not amount(name, getattr(self, name)) > 0:
                raise ValueError(f"{name}: it must be above 0")

    def __call__(self, usage: Usage) -> float:
        """Seconds."""
        if usage.gpu_seconds:
            return usage.gpu_seconds
        return (usage.input - usage.cached) / self.read_per_second + usage.output / self.write_per_second


def tokens(name: str, value: object) -> int:
    """A number of tokens as it is; raises `BadAmount` for what is none."""
    if type(value) is not int or not 0 <= value <= MOST:
        raise BadAmount(f"{name}: {value!r} is not a number of tokens from 0 to {MOST:,}")
    return value


def amount(name: str, value: object, most: float = MOST) -> float:
    """A number from zero on as a float; raises `BadAmount` for what is none, or more than `most`."""
    if type(value) is float and 0 <= value <= most:  # nearly always, and checked in a third of the time
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise BadAmount(f"{name}: {value!r} is not a number from 0 to {most:,}")
    return float(value)


def part(name: str, value: object) -> float:
    """A number from 0 to 1 as a float; raises `BadAmount` for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value) or not 0 <= value <= 1:
        raise BadAmount(f"{name}: {value!r} is not a number from 0 to 1")
    return float(value)
