"""`fairgate list` and `fairgate switch`: what operators change by hand, written to the log."""

from collections.abc import Callable
from dataclasses import dataclass

from fairgate.domain.errors import BadRequest
from fairgate.domain.event import moment
from fairgate.domain.windows import DAY
from fairgate.language.durations import parse_duration
from fairgate.language.problems import one_of
from fairgate.wiring import Settings, open_pipeline

#: What is entered by hand ends some day: an entry that nobody looks at again is how innocents stay blocked.
LONGEST_ENTRY = 365 * DAY

_ALL = "all"


@dataclass(frozen=True, slots=True)
class Operator:
    """Who changes something, why, on which data, and how they are told what came of it."""

    settings: Settings
    by: str
    why: str
    echo: Callable[[str], object]


def put_in_list(operator: Operator, name: str, value: str, length: str) -> int:
    """Enter a value in a list for a length of time, such as `7d`. Durable when this returns."""
    until_now = _length(length)
    with open_pipeline(operator.settings) as pipeline:
        until = pipeline.clock.now() + until_now
        pipeline.put_in_list(name, value, until, operator.by, operator.why)
        pipeline.commit()
    operator.echo(f"in the list {name} until {moment(until):%Y-%m-%d %H:%M} UTC")
    return 0


def take_off_list(operator: Operator, name: str, value: str) -> int:
    """Take a value off a list. Durable when this returns."""
    with open_pipeline(operator.settings) as pipeline:
        pipeline.put_in_list(name, value, pipeline.clock.now(), operator.by, operator.why)
        pipeline.commit()
    operator.echo(f"off the list {name}")
    return 0


def switch(operator: Operator, rule: str, *, off: bool) -> int:
    """Switch a rule, or `all` enforcement, off or on. Durable when this returns."""
    with open_pipeline(operator.settings) as pipeline:
        rules = {each.name for each in pipeline.engine.checked.pack.rules}
        if rule != _ALL and rule not in rules:
            raise BadRequest(f"There is no rule `{rule}` ({one_of(rule, rules)})")
        pipeline.switch("*" if rule == _ALL else rule, operator.by, operator.why, off=off)
        pipeline.commit()
    what = "all enforcement" if rule == _ALL else f"the rule {rule}"
    operator.echo(f"{what} is {'off' if off else 'on'}")
    return 0


def _length(text: str) -> int:
    length = parse_duration(text)
    if length is None or not 0 < length <= LONGEST_ENTRY:
        raise BadRequest(f'Say for how long, at most 365d, such as --for 7d; "{text}" is no such length.')
    return length
