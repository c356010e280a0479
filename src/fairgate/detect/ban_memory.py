"""The ban memory: what banned accounts used stands in lists, as long as an action that stands speaks for it.

Each identifier is held for every action that it is remembered of, so that an undo takes off what its own action put
there, and nothing that another one still speaks for. All of it follows from what the log says, in its order.
"""

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

import msgspec

from fairgate.detect.lists import Lists, Told
from fairgate.domain.action import Action
from fairgate.domain.ledger import Entry, Subject
from fairgate.domain.memory import REMEMBERS, Memory
from fairgate.domain.pack import ListSpec, Pack

#: The kind of subject that is remembered: what belongs to an account is.
ACCOUNT: Final = "account"

#: The name of a list and a token in it.
_Place: TypeAlias = tuple[str, str]


class BanMemory:
    """What is remembered of which action, and which actions nobody has looked up yet."""

    def __init__(self, pack: Pack, lists: Lists) -> None:
        self._lists = lists
        self._longest = _longest(pack.lists.values())
        self._memories: dict[int, Memory] = {}
        self._ends: dict[_Place, dict[int, int]] = {}
        self._waiting: dict[int, Entry] = {}

    # -------------------------------------------------------------------------------------------------------- told

    def told(self, entry: Entry) -> None:
        """Take in what the ledger says of an action now. One that was undone is remembered no more."""
        number = entry.number
        if entry.undone is not None:
            self._waiting.pop(number, None)
            self._drop(number)
        elif entry.subject.kind == ACCOUNT and entry.action in self._longest and number not in self._memories:
            self._waiting[number] = entry

    def take(self, memory: Memory) -> None:
        """Take in what is remembered of an action, in place of what was."""
        self._waiting.pop(memory.action, None)
        self._drop(memory.action)
        self._memories[memory.action] = memory
        for each in memory.items:
            self._ends.setdefault((each.list, each.token), {})[memory.action] = each.until
            self._settle((each.list, each.token))

    def take_off(self, name: str, token: str) -> None:
        """Forget an identifier, whatever spoke for it: somebody has taken it off its list."""
        for action in self._ends.pop((name, token), {}):
            memory = self._memories[action]
            left = tuple(each for each in memory.items if (each.list, each.token) != (name, token))
            self._memories[action] = msgspec.structs.replace(memory, items=left)
        self._settle((name, token))

    def reset(self) -> None:
        """Remember nothing. The lists are for their own `reset`."""
        for each in (self._memories, self._ends, self._waiting):
            each.clear()

    # -------------------------------------------------------------------------------------------------------- asked

    def waiting(self, now: int) -> list[Entry]:
        """Actions whose identifiers nobody has looked up, the oldest first, as far as they are to be remembered yet."""
        self._waiting = {at: each for at, each in self._waiting.items() if self.until(each) > now}
        return [self._waiting[number] for number in sorted(self._waiting)]

    def until(self, entry: Entry) -> int:
        """When nothing is left to be remembered of an action."""
        return entry.starts + self._longest.get(entry.action, 0)

    def of(self, subject: Subject) -> list[Memory]:
        """What is remembered of somebody, by action."""
        return [
            self._memories[number] for number in sorted(self._memories) if self._memories[number].subject == subject
        ]

    def standing(self, now: int) -> list[Memory]:
        """All that is remembered at a time, by action; what is over is forgotten."""
        for number in [number for number, each in self._memories.items() if each.until <= now]:
            self._drop(number)
        return [self._memories[number] for number in sorted(self._memories)]

    def __len__(self) -> int:
        """How many identifiers are remembered, each once for each list."""
        return len(self._ends)

    def _drop(self, action: int) -> None:
        memory = self._memories.pop(action, None)
        for each in memory.items if memory is not None else ():
            place = each.list, each.token
            ends = self._ends[place]
            del ends[action]
            if not ends:
                del self._ends[place]
            self._settle(place)

    def _settle(self, place: _Place) -> None:
        """Let an identifier stand in its list as long as the action that speaks for it longest."""
        name, token = place
        ends = self._ends.get(place)
        if ends is None:
            self._lists.hold(name, token, 0, None)
            return
        action, until = max(ends.items(), key=lambda each: (each[1], each[0]))
        self._lists.hold(name, token, until, Told(REMEMBERS, f"action {action}"))


def remembering(specs: Iterable[ListSpec], action: Action) -> list[ListSpec]:
    """The lists that remember whoever an action was taken against."""
    return [each for each in specs if each.remembers is not None and action in each.remembers.actions]


def _longest(specs: Iterable[ListSpec]) -> Mapping[Action, int]:
    """How long the list that remembers an action longest does so."""
    longest: dict[Action, int] = {}
    for each in specs:
        for action in each.remembers.actions if each.remembers is not None else ():
            longest[action] = max(longest.get(action, 0), each.remembers.length if each.remembers else 0)
    return longest
