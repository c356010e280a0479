"""What operators do by hand: actions, lists, switches, erasures. Through the door where one runs on the data."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Protocol

from fairgate.domain.action import SWITCH
from fairgate.domain.errors import BadRequest, LogLocked
from fairgate.domain.event import moment
from fairgate.entrypoints.door.actions import ActionShown, PostAction, PostUndo, action_shown, wanted_entry
from fairgate.entrypoints.door.actions import undo as undo_action
from fairgate.entrypoints.door.bodies import Unfit
from fairgate.entrypoints.door.changes import LONGEST_ENTRY, ErasureAnswer, erasure_answer, switches_of
from fairgate.entrypoints.door_client import DoorClient, open_door
from fairgate.entrypoints.operator import Operator
from fairgate.language.durations import parse_duration
from fairgate.language.problems import one_of
from fairgate.pipeline.online import Pipeline
from fairgate.wiring import open_pipeline

_ALL = "all"


class Hands(Protocol):
    """What changes the state. Each change is durable when its method returns."""

    def enter(self, name: str, value: str, length: str) -> datetime | None:
        """Enter a value in a list for a length of time, such as `7d`; returns when it ends."""
        ...

    def take_off(self, name: str, value: str) -> None:
        """Take a value off a list."""
        ...

    def switch(self, rule: str, *, off: bool) -> None:
        """Switch a rule, or `all` enforcement, off or on."""
        ...

    def act(self, asked: PostAction) -> ActionShown:
        """Act on an entity."""
        ...

    def undo(self, number: int, asked: PostUndo) -> ActionShown:
        """Undo an action."""
        ...

    def erase(self, account: str) -> ErasureAnswer:
        """Make what is personal in an account's events unreadable."""
        ...


def act(operator: Operator, asked: PostAction) -> int:
    """Act on an entity; 0."""
    with _hands(operator) as hands:
        done = hands.act(asked)
    until = "until it is undone" if done.until is None else f"until {done.until:%Y-%m-%d %H:%M} UTC"
    operator.echo(f"action {done.number}: {done.action} of the {done.kind} {done.value} {until}")
    return 0


def undo(operator: Operator, number: int, asked: PostUndo) -> int:
    """Undo an action; 0."""
    with _hands(operator) as hands:
        done = hands.undo(number, asked)
    operator.echo(f"undone: action {done.number}, {done.action} of the {done.kind} {done.value}")
    return 0


def put_in_list(operator: Operator, name: str, value: str, length: str) -> int:
    """Enter a value in a list for a length of time; 0."""
    if _microseconds(length) is None:
        raise BadRequest(f'Say for how long, at most 365d, such as --for 7d; "{length}" is no such length.')
    with _hands(operator) as hands:
        until = hands.enter(name, value, length)
    operator.echo(f"in the list {name} until {until:%Y-%m-%d %H:%M} UTC")
    return 0


def take_off_list(operator: Operator, name: str, value: str) -> int:
    """Take a value off a list; 0."""
    with _hands(operator) as hands:
        hands.take_off(name, value)
    operator.echo(f"off the list {name}")
    return 0


def switch(operator: Operator, rule: str, *, off: bool) -> int:
    """Switch a rule, or `all` enforcement, off or on; 0."""
    with _hands(operator) as hands:
        hands.switch(rule, off=off)
    what = "all enforcement" if rule == _ALL else rule.replace(":", " ") if SWITCH in rule else f"the rule {rule}"
    operator.echo(f"{what} is {'off' if off else 'on'}")
    return 0


def erase(operator: Operator, account: str) -> int:
    """Make what is personal in an account's events unreadable; 0."""
    with _hands(operator) as hands:
        done = hands.erase(account)
    operator.echo(f"erased: {done.words}")
    return 0


@contextmanager
def _hands(operator: Operator) -> Iterator[Hands]:
    """Hands on the data itself, or on the door that is running on it."""
    with ExitStack() as stack:
        if operator.url is None:
            try:
                pipeline = stack.enter_context(open_pipeline(operator.settings))
            except LogLocked:
                pass
            else:
                yield _OnData(pipeline, operator)
                return
        yield _ThroughDoor(stack.enter_context(open_door(operator.settings, operator.url, operator.key)), operator)


class _OnData:
    """Changes the data itself: no door is running on it."""

    def __init__(self, pipeline: Pipeline, operator: Operator) -> None:
        self._pipeline = pipeline
        self._by, self._why = operator.by, operator.why
        self._policy = operator.settings.erasure

    def enter(self, name: str, value: str, length: str) -> datetime | None:
        until = self._pipeline.clock.now() + (_microseconds(length) or 0)
        self._pipeline.put_in_list(name, value, until, self._by, self._why)
        self._pipeline.commit()
        return moment(until)

    def take_off(self, name: str, value: str) -> None:
        self._pipeline.put_in_list(name, value, self._pipeline.clock.now(), self._by, self._why)
        self._pipeline.commit()

    def switch(self, rule: str, *, off: bool) -> None:
        known = switches_of(self._pipeline.engine.checked.pack)
        if rule != _ALL and rule not in known:
            raise BadRequest(f"There is no rule `{rule}` ({one_of(rule, known)})")
        self._pipeline.switch("*" if rule == _ALL else rule, self._by, self._why, off=off)
        self._pipeline.commit()

    def act(self, asked: PostAction) -> ActionShown:
        now = self._pipeline.clock.now()
        with _told():
            entry, _ = self._pipeline.act(wanted_entry(self._pipeline.engine, asked, self._by, now))
        self._pipeline.commit()
        return action_shown(entry, now)

    def undo(self, number: int, asked: PostUndo) -> ActionShown:
        now = self._pipeline.clock.now()
        with _told():
            undo_action(self._pipeline, number, asked, self._by, now)
        self._pipeline.commit()
        return action_shown(self._pipeline.engine.ledger.get(number), now)

    def erase(self, account: str) -> ErasureAnswer:
        left = self._pipeline.erase(account, self._by, self._why, self._policy.keeps)
        return erasure_answer(account, left, self._policy.ground, self._pipeline.actions_on(account))


class _ThroughDoor:
    """Asks a running door, which knows who asks by the API key."""

    def __init__(self, door: DoorClient, operator: Operator) -> None:
        self._door = door
        self._why = operator.why

    def enter(self, name: str, value: str, length: str) -> datetime | None:
        return self._door.put_entry(name, value, length, self._why)

    def take_off(self, name: str, value: str) -> None:
        self._door.take_off(name, value, self._why)

    def switch(self, rule: str, *, off: bool) -> None:
        self._door.put_switch(rule, self._why, off=off)

    def act(self, asked: PostAction) -> ActionShown:
        return self._door.post_action(asked)

    def undo(self, number: int, asked: PostUndo) -> ActionShown:
        return self._door.post_undo(number, asked)

    def erase(self, account: str) -> ErasureAnswer:
        return self._door.post_erasure(account, self._why)


@contextmanager
def _told() -> Iterator[None]:
    """What the door would answer, as an error of the command."""
    try:
        yield
    except Unfit as unfit:
        raise BadRequest(f"{unfit.reason[:1].upper()}{unfit.reason[1:]}.") from unfit


def _microseconds(length: str) -> int | None:
    """A length of time that an entry of a list may have."""
    found = parse_duration(length)
    return found if found is not None and 0 < found <= LONGEST_ENTRY else None
