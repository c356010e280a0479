"""The steps that enforcement can take."""

from collections.abc import Iterable
from enum import IntEnum


class Action(IntEnum):
    """An enforcement step that can be undone, from the mildest to the gravest."""

    ALLOW = 0
    WATCH = 1
    THROTTLE = 2
    CHALLENGE = 3
    HOLD = 4
    SUSPEND = 5
    BAN = 6

    @property
    def word(self) -> str:
        """The action as packs, answers and people write it."""
        return self.name.lower()

    @property
    def grave(self) -> bool:
        """Needs two independent kinds of evidence or a human."""
        return self >= Action.SUSPEND


#: How the switch of one action is called, before its word.
SWITCH = "action:"

ACTIONS = {action.word: action for action in Action}


def switched_off(names: Iterable[str]) -> frozenset[Action]:
    """The actions among the names of what is switched off."""
    return frozenset(ACTIONS[name.removeprefix(SWITCH)] for name in names if name.startswith(SWITCH))


#: The gravest step that one kind of evidence alone can cause.
MOST_UNGRAVE = Action.HOLD
