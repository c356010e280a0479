"""How a route is described: its parameters, bodies, answers and problems, each with an example."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec


class State(msgspec.Struct):
    """How the door is."""

    status: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A part of the path, of the query or of the headers, with an example."""

    where: str
    name: str
    about: str
    example: str | int
    required: bool = False


@dataclass(frozen=True, slots=True)
class Described:
    """A route in words. `answer` is an example, and its type the answer's; text where it is a str.

    `body` likewise; `events` stands for the pack's own events. `problems` are the codes by status, beside those that
    every such route has, and `also` what else is no problem, by status.
    """

    summary: str
    answer: Any
    parameters: tuple[Parameter, ...] = ()
    body: Any = None
    events: bool = False
    problems: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    also: Mapping[int, str] = field(default_factory=dict)
