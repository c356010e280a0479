"""What the demo shows: the last decisions and why, and how the day goes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from fairgate.domain.action import ACTIONS, Action
from fairgate.domain.event import moment

#: Severity is a word and a colour, never a colour alone.
_STYLES = {
    "allow": "dim",
    "watch": "cyan",
    "throttle": "yellow",
    "challenge": "dark_orange",
    "hold": "red",
    "suspend": "bold red",
    "ban": "bold white on red",
}
_SHOWN = 14


@dataclass(frozen=True, slots=True)
class Shown:
    """One decision as a line: when, on whom, what, by which rules, and why in words."""

    time: int
    type: str
    account: str
    action: str
    rules: tuple[str, ...]
    why: str


@dataclass
class Day:
    """What has happened so far, held against the truth: the simulator knows it, the rules do not.

    `kinds` says what each account is, `attacked` which kinds are or suffer an attack, `abusive` which events it caused.
    """

    kinds: Mapping[str, str]
    attacked: frozenset[str]
    abusive: frozenset[str]
    events: int = 0
    notable: int = 0
    abusive_seen: int = 0
    abusive_stopped: int = 0
    honest_stopped: int = 0
    owner_stopped: int = 0
    refused: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    gravest: dict[str, Action] = field(default_factory=dict)
    first_abuse: dict[str, int] = field(default_factory=dict)
    first_stopped: dict[str, int] = field(default_factory=dict)
    recent: dict[tuple[str, str], tuple[Shown, int]] = field(default_factory=dict)

    def count(self, shown: Shown, event_id: str) -> None:
        """Take in one decision."""
        action = ACTIONS[shown.action]
        if event_id in self.abusive:
            self.abusive_seen += 1
            self.first_abuse.setdefault(shown.account, shown.time)
            self.abusive_stopped += action >= Action.THROTTLE
        elif action >= Action.THROTTLE:
            self.honest_stopped += 1
            self.owner_stopped += self.kinds.get(shown.account) in self.attacked
        self.events += 1
        self.actions[shown.action] += 1
        self.rules.update(shown.rules)
        self.gravest[shown.account] = max(action, self.gravest.get(shown.account, Action.ALLOW))
        if action >= Action.THROTTLE:
            self.first_stopped.setdefault(shown.account, shown.time)
        if action > Action.WATCH:
            self.notable += 1
            self._remember(shown)

    def _remember(self, shown: Shown) -> None:
        """Keep the newest line of each account and decision, with how many there were since it came on screen."""
        key = (shown.account, shown.action)
        _, times = self.recent.pop(key, (shown, 0))
        self.recent[key] = (shown, times + 1)
        if len(self.recent) > _SHOWN:
            del self.recent[next(iter(self.recent))]

    def by_kind(self) -> list[tuple[str, int, int, int]]:
        """For each kind: accounts, those throttled or worse, median seconds from first abuse to that (-1: none)."""
        rows = []
        for kind in sorted(set(self.kinds.values()), key=lambda kind: (kind not in self.attacked, kind)):
            accounts = [account for account in self.gravest if self.kinds.get(account) == kind]
            stopped = [account for account in accounts if account in self.first_stopped]
            waits = sorted(
                max(0, self.first_stopped[account] - self.first_abuse[account])
                for account in stopped
                if account in self.first_abuse
            )
            rows.append((kind, len(accounts), len(stopped), waits[len(waits) // 2] // 1_000_000 if waits else -1))
        return rows


def live_view(day: Day, clock: int, rate: float) -> RenderableType:
    """The screen while the day goes on."""
    counts = Text()
    for action, style in _STYLES.items():
        counts.append(f"{action} {day.actions[action]:,}", style if day.actions[action] else "dim")
        counts.append("   ")
    head = Text.assemble(
        ("simulated day ", "dim"),
        (f"{moment(clock):%H:%M:%S}", "bold"),
        ("   events ", "dim"),
        f"{day.events:,}",
        ("   per second ", "dim"),
        f"{rate:,.0f}",
        ("   refused ", "dim"),
        f"{day.refused:,}",
    )
    return Group(
        Panel(Group(head, counts), title="Fairgate", title_align="left", border_style="dim"),
        _recent(list(day.recent.values())),
    )


def _recent(recent: Sequence[tuple[Shown, int]]) -> Table:
    table = Table(box=None, expand=True, padding=(0, 1), header_style="dim")
    for column, width in (("time", 8), ("decision", 9), ("times", 5), ("account", 17), ("event", 16)):
        table.add_column(
            column, min_width=width, max_width=width, no_wrap=True, justify="right" if column == "times" else "left"
        )
    table.add_column("why", ratio=1, no_wrap=True, overflow="ellipsis")
    for shown, times in recent:
        table.add_row(
            f"{moment(shown.time):%H:%M:%S}",
            Text(shown.action, _STYLES[shown.action]),
            f"{times:,}",
            Text(shown.account),
            Text(shown.type),
            Text(shown.why or ", ".join(shown.rules)),
        )
    return table


def line(shown: Shown) -> str:
    """One decision as plain text, for where there is no terminal."""
    why = shown.why or ", ".join(shown.rules)
    return f"{moment(shown.time):%H:%M:%S}  {shown.action:<9}  {shown.account:<16}  {shown.type:<18}  {why}"


def print_summary(day: Day, console: Console) -> None:
    """The day in figures, held against what the simulator knows."""
    honest = day.events - day.abusive_seen
    owners = f"; {day.owner_stopped:,} of these are the owners' own use of stolen keys" if day.owner_stopped else ""
    console.print(
        f"\n[bold]The day is over.[/] {day.events:,} events, {day.refused:,} refused. Simulated data.", highlight=False
    )
    console.print(
        f"Throttled or worse: {day.abusive_stopped:,} of {day.abusive_seen:,} abusive events "
        f"({_share(day.abusive_stopped, day.abusive_seen)}), {day.honest_stopped:,} of {honest:,} honest ones "
        f"({_share(day.honest_stopped, honest)}{owners}).",
        highlight=False,
    )
    kinds = _plain_table(("account", "accounts", "throttled or worse", "", "median time from first abuse"))
    for kind, accounts, stopped, wait in day.by_kind():
        style = "bold" if kind in day.attacked else ""
        delay = f"{wait // 60} min {wait % 60:02} s" if wait >= 0 else ""
        kinds.add_row(kind, f"{accounts:,}", f"{stopped:,}", _share(stopped, accounts), delay, style=style)
    console.print("\n[dim]Who was stopped[/]")
    console.print(kinds)
    rules = _plain_table(("rule", "events"))
    for rule, count in day.rules.most_common(12):
        rules.add_row(rule, f"{count:,}")
    console.print("\n[dim]Which rules fired[/]")
    console.print(rules)


def _plain_table(columns: Sequence[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    return table


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "none"
