"""Two pipelines that are told the same and must answer the same, whatever is done to one of them."""

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from fairgate.domain.action import Action
from fairgate.domain.errors import NothingSealed
from fairgate.domain.ledger import FOREVER, Entry, Subject
from fairgate.domain.windows import DAY, HOUR
from fairgate.pipeline.online import Pipeline
from fairgate.pipeline.records import encode
from tests.support import PACK, SetClock, open_pipeline, traffic
from tests.unit.pipeline.live import snapshot, take

#: What somebody does, to whom and for how long; without an action, everything about them is undone.
ACTS: Sequence[tuple[Action | None, str, int]] = (
    (Action.SUSPEND, "a2", 5 * HOUR), (Action.BAN, "a3", 40 * DAY), (Action.ALLOW, "a5", 9 * DAY), (None, "a2", 0),
    (None, "a3", 0), (Action.THROTTLE, "a3", FOREVER), (None, "a1", 0),
)  # fmt: skip

#: Entries in a list for so long, 0 takes them off; and switches, off or on.
CHANGES: Sequence[tuple[str, str | None, int]] = (
    ("friends", "friend", 0), ("friends", "friend", DAY), ("banned", "a3", 5 * HOUR), ("banned", "a4", 40 * DAY),
    ("bad_mail", "u3@mailinator.com", HOUR), ("burst", None, 1), ("burst", None, 0), ("*", None, 1), ("*", None, 0),
    ("capped", None, 1), ("action:hold", None, 1), ("action:hold", None, 0),
)  # fmt: skip


@dataclass
class Twins:
    """Two pipelines that are told the same: one is stopped and started again, the other never."""

    folders: tuple[Path, Path]
    text: str = PACK
    stack: ExitStack = field(default_factory=ExitStack)
    clock: SetClock = field(default_factory=SetClock)
    number: int = 0

    def __enter__(self) -> Self:
        self.steady = self.stack.enter_context(open_pipeline(self.folders[0], self.text, clock=self.clock))
        self.restless = self.open()
        return self

    def __exit__(self, *_error: object) -> None:
        self.opened.__exit__(None, None, None)
        self.stack.close()

    def open(self) -> Pipeline:
        self.opened = open_pipeline(self.folders[1], self.text, clock=self.clock)
        return self.opened.__enter__()

    def turn_to(self, text: str) -> None:
        """Another pack goes live with both."""
        self.text = text
        self.stack.close()
        self.opened.__exit__(None, None, None)
        self.__enter__()

    def take(self, count: int) -> None:
        """New events, and some that were sent before."""
        raws = [raw for raw, _ in traffic(count, start=self.number)]
        old = [raw for start in (0, max(0, self.number - 40)) for raw, _ in traffic(count // 3, start=start)]
        self.number += count
        one, other = ([*take(each, *raws, *old)] for each in (self.steady, self.restless))
        assert [encode(each) for each in one] == [encode(each) for each in other]

    def change(self, choice: int) -> None:
        name, value, length = CHANGES[choice]
        for each in (self.steady, self.restless):
            if value is None:
                each.switch(name, "me", "test", off=bool(length))
            else:
                each.put_in_list(name, value, self.clock.time + length, "me", "test")

    def act(self, choice: int) -> None:
        action, account, length = ACTS[choice]
        for each in (self.steady, self.restless):
            subject, ledger, now = Subject("account", account), each.engine.ledger, self.clock.time
            if action is None:
                each.undo([entry.number for entry in ledger.of(subject)], "me", "test")
                continue
            ends = FOREVER if length == FOREVER else now + length
            each.act(Entry(-1, subject, action, now, ends, ("burst",), (), "", "me", "test", f"{action} {account}"))

    def erase(self, account: str) -> None:
        for each in (self.steady, self.restless):
            with suppress(NothingSealed):
                each.erase(account, "me", "test")

    def step(self, name: str, choice: Any) -> None:  # noqa: ANN401 - each step has its own
        """One of the steps that both take."""
        match name:
            case "take":
                self.take(choice)
            case "pass":
                self.clock.time += choice
            case "change":
                self.change(choice)
            case "act":
                self.act(choice)
            case "erase":
                self.erase(choice)
            case "restart":
                self.restart(with_snapshot=choice)
            case _:
                self.turn_to(choice)

    def restart(self, *, with_snapshot: bool) -> None:
        if with_snapshot:
            snapshot(self.restless)
        self.opened.__exit__(None, None, None)
        self.restless = self.open()
