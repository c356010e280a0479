"""What the demo shows: how opponents and honest people fare, the last decisions and why, and all of it in the end."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console, ConsoleDimensions, Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fairgate.domain.event import moment
from fairgate.domain.windows import DAY
from fairgate.entrypoints.demo_gateway import Followed, Gateway
from fairgate.entrypoints.demo_play import Played
from fairgate.entrypoints.demo_score import Decisions, Score, Shown, Side, Turn, middle

#: Severity is a word and a colour, never a colour alone.
_STYLES: Final = {
    "allow": "dim",
    "watch": "cyan",
    "throttle": "yellow",
    "challenge": "dark_orange",
    "hold": "red",
    "suspend": "bold red",
    "ban": "bold white on red",
}
#: How it is said of accounts that an action stands on them.
_STANDS: Final = {
    "watch": "watched",
    "throttle": "throttled",
    "challenge": "challenged",
    "hold": "on hold",
    "suspend": "suspended",
    "ban": "banned",
}
#: Lines of the screen beside decisions and opponents; the fewest decisions shown.
_OTHER_LINES, _FEWEST = 11, 4
#: Columns from which on the type of an event is shown.
_WIDE: Final = 140
_RULES_SHOWN: Final = 12


class Screen:
    """The screen while a world is played."""

    def __init__(self, played: Played, decisions: Decisions, score: Score, followed: Followed) -> None:
        self._followed = followed
        self._played = played
        self._decisions = decisions
        self._score = score

    def view(self, now: int, rate: float, size: ConsoleDimensions) -> RenderableType:
        """The screen at a time in the world, as large as the terminal is."""
        room = size.height - _OTHER_LINES - len(self._score.sides)
        recent = list(self._decisions.recent.values())[-max(_FEWEST, room) :]
        return Group(self._head(now, rate), self._fares(), Text(), _recent(recent, wide=size.width >= _WIDE))

    def _head(self, now: int, rate: float) -> Panel:
        played, decisions = self._played, self._decisions
        past, days = now - played.world.begins, played.days
        line = Table.grid(expand=True, padding=(0, 3, 0, 0))
        line.add_column()
        line.add_column(ratio=1)
        line.add_column(justify="right")
        when = Text.assemble(
            (f"{moment(now):%a %d %b %H:%M}", "bold"), ("   day ", "dim"), f"{min(past // DAY + 1, days)} of {days}"
        )
        counts = Text.assemble(f"{decisions.events:,}", (" events   ", "dim"), f"{rate:,.0f}", (" per second", "dim"))
        if decisions.refused:
            counts.append(f"   {decisions.refused:,} refused", "red")
        line.add_row(when, ProgressBar(total=days * DAY, completed=past, complete_style="cyan"), counts)
        actions = Text(no_wrap=True, overflow="ellipsis")
        for action, style in _STYLES.items():
            number = decisions.actions[action]
            actions.append(f"{action} {number:,}  ", style if number else "dim")
        stands = Text("in the ledger now: ", "dim", no_wrap=True, overflow="ellipsis")
        gateway = self._followed.gateway
        for action, number in _by_gravity(gateway):
            stands.append(f"{action} {number:,}  ", _STYLES[action])
        self._followed.look()
        waiting = f"  {self._followed.waiting.open:,} cases wait for a person"
        stands.append(f"{waiting}   another service was told {gateway.messages:,} times", "dim")
        title = "[bold]Fairgate[/]   [dim]a simulated world, decided on by a real door[/]"
        return Panel(Group(line, actions, stands), title=title, title_align="left", border_style="dim")

    def _fares(self) -> Table:
        table = Table(box=None, expand=True, padding=(0, 1), header_style="dim")
        table.add_column("opponents", no_wrap=True)
        for column, width in (("accounts", 8), ("closed", 6), ("compute got", 11)):
            table.add_column(column, min_width=width, no_wrap=True, justify="right")
        table.add_column("what they try now", ratio=1, no_wrap=True, overflow="ellipsis")
        score = self._score
        for kind, side in score.sides.items():
            cells = (_spoken(kind), f"{side.accounts:,}", f"{side.closed:,}", f"${side.compute:,.2f}", _state(side))
            table.add_row(*map(Text, cells), style="" if side.came else "dim")
        honest = Text(touched(score), "green" if not score.touched else "")
        row = ("honest people", f"{score.honest:,}", f"{len(score.closed):,}", f"${score.compute:,.2f}")
        table.add_row(*(Text(each, "bold") for each in row), honest)
        return table


def _state(side: Side) -> str:
    some = f"{len(side.left)} of {side.operators} gave up; " if 0 < len(side.left) < side.operators else ""
    return some + side.state


def touched(score: Score, verb: str = "") -> str:
    """How many honest accounts felt anything, in words."""
    if not score.touched:
        return "nobody was touched"
    ways = (("challenged", score.challenged), ("slowed", score.slowed), ("closed", score.closed))
    how = ", ".join(f"{len(each):,} {word}" for word, each in ways if each)
    return f"{score.touched:,} {verb}touched ({share(score.touched, score.honest)}): {how}"


def _recent(recent: Sequence[tuple[Shown, int]], *, wide: bool) -> Table:
    table = Table(box=None, expand=True, padding=(0, 1), header_style="dim")
    columns = [("time", 12, "left"), ("decision", 9, "left"), ("times", 5, "right"), ("account", 17, "left")]
    for column, width, justify in columns + ([("event", 16, "left")] if wide else []):
        table.add_column(
            column, min_width=width, max_width=width, no_wrap=True, justify="right" if justify == "right" else "left"
        )
    table.add_column("why", ratio=1, no_wrap=True, overflow="ellipsis")
    for shown, times in recent:
        table.add_row(
            f"{moment(shown.time):%a %H:%M:%S}",
            Text(shown.action, _STYLES[shown.action]),
            f"{times:,}",
            Text(shown.account),
            *([Text(shown.type)] if wide else []),
            Text(shown.why or ", ".join(shown.rules)),
        )
    return table


def line(shown: Shown) -> str:
    """One decision as plain text, for where there is no terminal."""
    why = shown.why or ", ".join(shown.rules)
    return f"{moment(shown.time):%a %H:%M:%S}  {shown.action:<9}  {shown.account:<17}  {shown.type:<20}  {why}"


def turn(each: Turn) -> str:
    """What an opponent turns to, as plain text."""
    return f"{moment(each.time):%a %H:%M:%S}  {'opponent':<9}  {_spoken(each.operator):<17}  {each.words}"


def print_summary(played: Played, decisions: Decisions, score: Score, console: Console) -> None:
    """What happened, in words and figures, held against what the simulator knows and the rules do not."""
    for words in _summary(played, decisions, score):
        console.print(words, highlight=False)
    console.print("\n[dim]The opponents[/]")
    console.print(_opponents(score))
    rules = _plain_table(("rule", "events"))
    for rule, count in decisions.rules.most_common(_RULES_SHOWN):
        rules.add_row(rule, f"{count:,}")
    console.print("\n[dim]Which rules fired[/]")
    console.print(rules)


def _summary(played: Played, decisions: Decisions, score: Score) -> Iterable[str]:
    days = f"{played.days} days are" if played.days > 1 else "The day is"
    sides = list(score.sides.values())
    accounts, closed = sum(each.accounts for each in sides), sum(each.closed for each in sides)
    came, left = sum(len(each.came | each.left) for each in sides), sum(len(each.left) for each in sides)
    late = middle([hours for each in sides for hours in each.hours])
    yield (
        f"\n[bold]{days} over.[/] {decisions.events:,} events, {decisions.refused:,} refused. "
        "All of it is simulated: nobody in it is real."
    )
    opponents = sum(each.operators for each in sides)
    yield (
        f"Of {opponents:,} opponents {_some(came)} came, and {_some(left)} of those gave up. "
        f"They used {accounts:,} accounts, of which {_some(closed)} ({share(closed, accounts)}) were closed"
        f"{f', half of them within {late} of the first abuse' if late else ''}. "
        f"They got ${sum(each.compute for each in sides):,.2f} of compute."
    )
    felt = touched(score, "was " if score.touched == 1 else "were ") if score.touched else "none was touched"
    if not score.unserved:
        yield f"Of {score.honest:,} honest accounts {felt}; all of their {score.asked:,} requests were served."
        return
    unserved = f"{score.unserved:,} ({share(score.unserved, score.asked)}) of their {score.asked:,} requests"
    yield f"Of {score.honest:,} honest accounts {felt}; {unserved} were not served."


def told(actions: int, followed: Followed) -> str:
    """What went on beyond single events, who was told, and what waits for a person, in words."""
    gateway, waiting = followed.gateway, followed.waiting
    stands = ", ".join(f"{number:,} {_STANDS[action]}" for action, number in _by_gravity(gateway))
    return (
        f"\nWhat goes on beyond one event is in the ledger: {actions:,} actions that followed from decisions. A small "
        f"service on this machine was told of each by signed webhook, {gateway.messages:,} messages in all. Accounts "
        f"now, by what it knows: {stands or 'none restricted'}. {waiting.open:,} cases wait for a person, about "
        f"{waiting.minutes / 60:,.1f} hours of work; with `fairgate serve`, POST /v1/cases/next gives out the one of "
        "which a minute is worth most."
    )


def _by_gravity(gateway: Gateway) -> list[tuple[str, int]]:
    restricted = gateway.restricted
    return [(action, restricted[action]) for action in _STYLES if restricted[action]]


def _some(number: int) -> str:
    return f"{number:,}" if number else "none"


def _opponents(score: Score) -> Table:
    table = _plain_table(("", "came", "left", "accounts", "closed", "half within", "compute", "profit"))
    for kind, side in score.sides.items():
        table.add_row(
            _spoken(kind),
            f"{len(side.came | side.left)} of {side.operators}",
            f"{len(side.left)}",
            f"{side.accounts:,}",
            f"{side.closed:,}",
            middle(side.hours),
            f"${side.compute:,.2f}",
            f"{'-' if side.profit < 0 else ''}${abs(side.profit):,.2f}",
        )
    return table


def _plain_table(columns: Sequence[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=True, justify="right" if number else "left")
    return table


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def share(part: int, whole: int) -> str:
    """A share in per cent."""
    return f"{part / whole:.1%}" if whole else "none"
