"""The charts of `fairgate share simulate`. Needs the extra `fairgate[charts]`."""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from fairgate.simulate.sharing import words
from fairgate.simulate.sharing.demand import LINKED, NAT, NEWCOMER, PATIENCE
from fairgate.simulate.sharing.names import ABOUT
from fairgate.simulate.sharing.outcome import Outcome, Report

#: Colours that people with any kind of colour blindness tell apart (Okabe and Ito), each with a line of its own.
_STYLES: Final[Mapping[str, tuple[str, str | tuple[int, tuple[int, ...]]]]] = {
    "fcfs": ("#6E6E6E", ":"),
    "token_bucket": ("#E69F00", "-."),
    "vtc": ("#56B4E9", "--"),
    "clusters": ("#CC79A7", (0, (5, 1, 1, 1, 1, 1))),
    "fair": ("#000000", "-"),
}
_HONEST, _ABUSERS, _UNUSED = "#0072B2", "#D55E00", "#E3E3E3"
_GROUPS: Final = (
    ("", "all honest", "o", _HONEST),
    (NAT, "behind one NAT", "s", "#009E73"),
    (LINKED, "wrongly linked to the abusers", "D", _ABUSERS),
    (NEWCOMER, "newcomers", "^", "#8A6FB0"),
)
#: Seconds at which the axis of waits begins: nobody tells shorter ones from none.
_SHORTEST: Final = 0.01
_PERCENT: Final = PercentFormatter(1.0, decimals=0)


def draw(report: Report, path: Path) -> None:
    """Write the charts as a PNG. Raises OSError."""
    figure = Figure(figsize=(13, 10), dpi=150)
    figure.text(0.02, 0.965, f"Who gets the compute: {words.title(report)}", fontsize=16, fontweight="bold")
    figure.text(0.02, 0.955, textwrap.fill(" ".join(words.about(report)), 165), fontsize=9.5, color="#555555", va="top")
    axes = figure.subplots(2, 2)
    figure.subplots_adjust(left=0.09, right=0.97, top=0.885, bottom=0.135, hspace=0.42, wspace=0.24)
    _who(axes[0][0], report)
    _groups(axes[0][1], report)
    _waits(axes[1][0], report)
    _over_time(axes[1][1], report)
    handles, labels = axes[1][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=3, frameon=False, fontsize=10, handlelength=3.5)
    figure.savefig(path, format="png", metadata={"Software": "Fairgate"})


def _who(axes: Axes, report: Report) -> None:
    """Bars of what the capacity went to."""
    names = [each.policy for each in report.outcomes]
    abusers = [_mean(each.over_time.abusers) for each in report.outcomes]
    honest = [_mean(each.over_time.honest) for each in report.outcomes]
    axes.barh(names, [1.0] * len(names), color=_UNUSED, label="unused", height=0.62)
    axes.barh(names, honest, color=_HONEST, label="honest accounts", height=0.62)
    axes.barh(names, abusers, left=honest, color=_ABUSERS, label="abusers", height=0.62, hatch="///", edgecolor="white")
    for place, outcome in enumerate(report.outcomes):
        axes.text(1.02, place, words.part(outcome.capture), va="center", fontsize=10, color=_ABUSERS, weight="bold")
    axes.text(1.02, -0.72, "captured", va="center", fontsize=9, color=_ABUSERS)
    axes.set_xlim(0, 1.14)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(_PERCENT)
    axes.set_xlabel("part of the capacity")
    _tidy(axes, "What the capacity goes to", grid="x")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[1:] + handles[:1], labels[1:] + labels[:1], loc="upper center", bbox_to_anchor=(0.45, -0.14), ncols=3,
        frameon=False, fontsize=9,
    )  # fmt: skip


def _groups(axes: Axes, report: Report) -> None:
    """A line of marks for each policy: what groups of honest accounts got."""
    shown = [each for each in _GROUPS if not each[0] or any(each[0] in outcome.groups for outcome in report.outcomes)]
    for place, outcome in enumerate(report.outcomes):
        axes.axhline(place, color="#EEEEEE", linewidth=8, zorder=0)
        for number, (group, label, marker, colour) in enumerate(shown):
            if (value := _got(outcome, group)) is not None:
                above = (number - (len(shown) - 1) / 2) * 0.15
                axes.plot(
                    value, place + above, marker=marker, color=colour, markersize=8, linestyle="none", clip_on=False,
                    markeredgecolor="white", label=label if place == 0 else None,
                )  # fmt: skip
    axes.set_yticks(range(len(report.outcomes)), [each.policy for each in report.outcomes])
    axes.set_ylim(len(report.outcomes) - 0.5, -0.5)
    axes.set_xlim(-0.03, 1.03)
    axes.xaxis.set_major_formatter(_PERCENT)
    axes.set_xlabel(f"part of what they asked for that they got within {PATIENCE:.0f} s")
    _tidy(axes, "What honest accounts get of what they ask for", grid="x")
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.45, -0.14),
        ncols=4,
        frameon=False,
        fontsize=9,
        handletextpad=0.1,
        columnspacing=1.2,
    )


def _waits(axes: Axes, report: Report) -> None:
    """How many of the honest requests were let through within a time."""
    for outcome in report.outcomes:
        served = [(each, at) for at, each in zip(_shares(outcome), outcome.waits_quantiles, strict=True)]
        within = [(max(wait, _SHORTEST), share) for wait, share in served if share <= 1 - outcome.timed_out]
        colour, line = _STYLES[outcome.policy]
        axes.plot(
            [wait for wait, _ in within], [share for _, share in within], color=colour, linestyle=line,
            linewidth=3 if outcome.policy == "fair" else 2, label=f"{outcome.policy}: {ABOUT[outcome.policy]}",
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(_SHORTEST, PATIENCE)
    axes.set_xticks([0.01, 0.1, 1, 10, PATIENCE])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}" if value > _SHORTEST else "at once"))
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda _value, _: ""))
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(_PERCENT)
    axes.set_xlabel("seconds of waiting (logarithmic)")
    axes.set_ylabel("honest requests let through by then")
    _tidy(axes, "How long honest requests wait", grid="both")


def _over_time(axes: Axes, report: Report) -> None:
    """The abusers' part as time goes by."""
    for outcome in report.outcomes:
        over = outcome.over_time
        parts = [bad / (bad + good) if bad + good else 0.0 for bad, good in zip(over.abusers, over.honest, strict=True)]
        times = [over.seconds * (place + 0.5) for place in range(len(parts))]
        colour, line = _STYLES[outcome.policy]
        axes.plot(times, parts, color=colour, linestyle=line, linewidth=3 if outcome.policy == "fair" else 2)
    axes.set_xlim(0, report.plan.seconds)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(_PERCENT)
    axes.set_xlabel("simulated seconds")
    axes.set_ylabel("abusers' part of what is served")
    _tidy(axes, "What abusers capture as time goes by", grid="both")


def _tidy(axes: Axes, title: str, grid: str) -> None:
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    if grid == "x":
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.grid(visible=True, color="#DDDDDD", linewidth=0.7)
    else:
        axes.grid(visible=True, color="#DDDDDD", linewidth=0.7)


def _got(outcome: Outcome, group: str) -> float | None:
    if not group:
        return outcome.goodput
    return outcome.groups[group].goodput if group in outcome.groups else None


def _shares(outcome: Outcome) -> list[float]:
    last = len(outcome.waits_quantiles) - 1
    return [place / last for place in range(last + 1)]


def _mean(parts: list[float]) -> float:
    return sum(parts) / len(parts)
