"""`fairgate check PACK`: whether it is sound, and whether its rules do what their tests say."""

import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from fairgate.domain.pack import Pack, Stage
from fairgate.ingest.identifiers import TYPES
from fairgate.language.check_pack import check_pack
from fairgate.language.pack_file import load_pack
from fairgate.language.problems import PackError, Problem, in_order, render
from fairgate.pipeline.rule_tests import RuleTestResult, run_rule_tests

_CARETS = re.compile(r"(?m)^( +\| \s*)(\^+)$")
_HEAD = re.compile(r"(?m)^(\S+:\d+:\d+:)")


def run(folder: Path, echo: Callable[[str], object]) -> int:
    """Check a pack and run its rules' tests; 0 where all is well. Colours only where the output is a terminal."""
    try:
        checked = check_pack(load_pack(folder), TYPES)
    except PackError as error:
        return _refuse(error.problems, error.files, echo)
    results = run_rule_tests(checked)
    echo(summary(checked.pack, results))
    return _refuse([each.problem for each in results if each.problem], checked.pack.files, echo)


def summary(pack: Pack, results: Sequence[RuleTestResult]) -> str:
    """What is in a sound pack, how its tests went, and which rules have none."""
    stages = Counter(rule.mode.stage for rule in pack.rules)
    modes = ", ".join(f"{stages[stage]} {stage}" for stage in reversed(Stage) if stages[stage])
    passed = sum(each.passed for each in results)
    untested = [rule.name for rule in pack.rules if not rule.tests]
    contents = (
        _count(len(pack.event_types), "event type"),
        _count(len(pack.features), "feature"),
        _count(len(pack.rules), "rule") + (f" ({modes})" if modes else ""),
        _count(len(pack.reasons), "reason"),
    )
    lines = [f"{pack.name} {pack.version}: {', '.join(contents)}", f"{passed} of {_count(len(results), 'test')} passed"]
    if untested:
        lines.append(f"warning: {_count(len(untested), 'rule')} without tests: {', '.join(untested)}")
    return "\n".join(lines)


def _refuse(problems: Sequence[Problem], files: Mapping[str, str], echo: Callable[[str], object]) -> int:
    for problem in in_order(problems):
        text = render(problem, files)
        if sys.stdout.isatty():
            text = _CARETS.sub(lambda match: match[1] + click.style(match[2], fg="red", bold=True), text)
            text = _HEAD.sub(lambda match: click.style(match[1], bold=True), text, count=1)
        echo(f"\n{text}")
    if problems:
        echo(f"\n{_count(len(problems), 'problem')}")
    return 1 if problems else 0


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
