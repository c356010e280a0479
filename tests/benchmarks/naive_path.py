"""The whole path as one would write it first: json, deques per key and window, rules by eval, a line per decision."""

import json
import os
from collections import defaultdict, deque
from datetime import datetime
from io import BufferedWriter
from typing import Any

from tests.benchmarks.path_pack import ENTITIES

_HOUR, _DAY, _WEEK = 3_600.0, 86_400.0, 604_800.0


class _Window:
    """Events of one key within a length of time, with their values."""

    def __init__(self, length: float) -> None:
        self.length = length
        self.held: deque[tuple[float, Any]] = deque()

    def add(self, time: float, value: Any) -> list[Any]:  # noqa: ANN401 - whatever is gathered
        """Enter a value; what is in the window now."""
        self.held.append((time, value))
        while self.held[0][0] <= time - self.length:
            self.held.popleft()
        return [value for _, value in self.held]


class NaivePath:
    """Decides and writes; `rules` are conditions over `f` (36 features) and `d` (the data)."""

    def __init__(self, rules: list[str], file: BufferedWriter) -> None:
        self._rules = [compile(rule, "rule", "eval") for rule in rules]
        self._file = file
        self._windows: dict[tuple[str, str, str], _Window] = {}
        self._last: dict[str, float] = defaultdict(float)

    def take(self, body: bytes) -> None:
        """Decide on one event."""
        event = json.loads(body)
        data = event["data"]
        features = self._features(datetime.fromisoformat(event["time"]).timestamp(), data)
        fired = [number for number, rule in enumerate(self._rules) if eval(rule, {"f": features, "d": data})]  # noqa: S307
        record = {"event": event, "features": features, "fired": fired, "score": -4.6 + len(fired)}
        self._file.write(json.dumps(record).encode() + b"\n")

    def commit(self) -> None:
        """Make it durable."""
        self._file.flush()
        os.fdatasync(self._file.fileno())

    def _features(self, time: float, data: dict[str, Any]) -> list[float]:
        found: list[float] = []
        for index, entity in enumerate(ENTITIES):
            other, key = ENTITIES[(index + 1) % len(ENTITIES)], data[entity]
            cost_hour = self._window(entity, key, "cost", _HOUR).add(time, data["cost"])
            tokens = self._window(entity, key, "tokens", _DAY).add(time, data["tokens"])
            cost_week = self._window(entity, key, "cost week", _WEEK).add(time, data["cost"])
            others = self._window(entity, key, "other", _HOUR).add(time, data[other])
            found += [
                len(cost_hour),
                sum(cost_hour),
                len(tokens),
                sum(tokens) / len(tokens),
                sum(cost_week),
                len(set(others)),
            ]
        return found

    def _window(self, entity: str, key: str, what: str, length: float) -> _Window:
        window = self._windows.get((entity, key, what))
        if window is None:
            window = self._windows[entity, key, what] = _Window(length)
        return window
