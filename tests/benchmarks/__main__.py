"""Run the benchmarks: `python -m tests.benchmarks [NAME]`. Prints a table and writes build/bench.json.

A benchmark is a module `bench_NAME.py` here with `run() -> list[Row]`. Each runs in a process of its own.
"""

import os
import platform
import subprocess
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from tests.benchmarks.rows import Row

HERE = Path(__file__).parent
REPORT = Path("build/bench.json")


def machine() -> str:
    """What this was measured on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def names() -> list[str]:
    """The benchmarks there are."""
    return sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def measured(name: str) -> list[Row]:
    """One benchmark's rows, from a fresh process."""
    command = [sys.executable, "-m", "tests.benchmarks", "--rows", name]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return msgspec.json.decode(done.stdout, type=list[Row])


def show(rows: list[Row]) -> None:
    """The rows as a table."""
    table = Table(title=machine(), title_justify="left")
    for column in ("what", "value", "unit", "ratio", "target", ""):
        table.add_column(column, justify="right" if column in ("value", "ratio", "target") else "left")
    for row in rows:
        ratio = f"{row.ratio:,.1f}x" if row.ratio is not None else ""
        target = f"{row.op} {row.target:,g}" if row.target is not None else ""
        table.add_row(
            row.name,
            f"{row.value:,.4g}" if row.value < 10_000 else f"{row.value:,.0f}",
            row.unit,
            ratio,
            target,
            {True: "ok", False: "MISSED", None: ""}[row.ok],
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def main(arguments: list[str]) -> int:
    """Run all benchmarks, or those named."""
    REPORT.parent.mkdir(exist_ok=True)
    if arguments[:1] == ["--rows"]:
        rows = import_module(f"tests.benchmarks.bench_{arguments[1]}").run()
        sys.stdout.buffer.write(msgspec.json.encode(rows))
        return 0
    unknown = [name for name in arguments if name not in names()]
    if unknown:
        print(f"there is no benchmark {unknown[0]}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    rows = []
    for name in arguments or names():
        print(f"... {name}", file=sys.stderr, flush=True)
        rows += measured(name)
    show(rows)
    report = {"machine": machine(), "rows": [{**asdict(row), "ok": row.ok} for row in rows]}
    REPORT.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    return 0 if all(row.ok is not False for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
