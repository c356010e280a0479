"""The command line. Each command imports what it needs when it runs, so that `--help` and `check` start fast."""

import getpass
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from fairgate import __version__
from fairgate.domain.errors import FairgateError

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)
_CONFIG = click.option("--config", type=_FILE, envvar="FAIRGATE_CONFIG", help="Settings file (fairgate.toml).")


class _Commands(click.Group):
    """Shows Fairgate's own errors as words instead of a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except FairgateError as error:
            click.echo(str(error), err=True)
            sys.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Fairgate shares compute fairly and keeps account abuse out: events in, decisions out, with reasons."""


@main.command()
@click.argument("pack")
def check(pack: str) -> None:
    """Check a PACK (a folder, or the name of one that ships) and run its rules' own tests."""
    from fairgate.entrypoints import check_command
    from fairgate.wiring import pack_folder

    sys.exit(check_command.run(pack_folder(pack), click.echo))


@main.command()
@click.option("--pack", required=True, help="The pack to decide with: a folder, or the name of one that ships.")
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--out", type=_FOLDER, help="Record events, features and decisions here as Parquet.")
@click.option("--limit", type=click.IntRange(1), help="Stop after so many events.")
def replay(pack: str, inputs: tuple[Path, ...], out: Path | None, limit: int | None, *, as_json: bool) -> None:
    """Decide on the events of files (CloudEvents or what the pack's [source] maps), or of an event log."""
    from fairgate.entrypoints import replay_command
    from fairgate.wiring import calm_collector, pack_folder

    calm_collector()
    sys.exit(replay_command.run(pack_folder(pack), inputs, as_json=as_json, out=out, limit=limit))


@main.command()
@_CONFIG
@click.option("--pack", help="The pack that is live.")
@click.option("--data", type=_FOLDER, help="Where log and snapshots are kept.")
@click.option("--host", help="Address to listen at (default 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen at (default 8080).")
def serve(config: Path | None, pack: str | None, data: Path | None, host: str | None, port: int | None) -> None:
    """Open the door: POST /v1/decide and /v1/events, GET /healthz and /readyz."""
    from fairgate.entrypoints import serve_command

    sys.exit(serve_command.run(config, _given(pack=pack, data=data, host=host, port=port)))


@main.command()
@click.option("--seed", default=7, show_default=True, help="Another seed, another day.")
@click.option(
    "--minutes", default=2.0, show_default=True, type=click.FloatRange(0.1, 120), help="How long the day takes."
)
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port of the door; 0 takes a free one.",
)
@click.option("--data", type=_FOLDER, help="Keep log and snapshots here (default: a temporary folder).")
@click.option("--stop", is_flag=True, help="Stop after the summary instead of staying open.")
def demo(seed: int, minutes: float, port: int, data: Path | None, *, stop: bool) -> None:
    """Play a simulated day of an AI API, two attacks in it, through the door, and watch what is decided and why."""
    from fairgate.entrypoints import demo_command

    sys.exit(demo_command.run(seed=seed, minutes=minutes, port=port, data=data, stop=stop))


@main.command()
@click.option("--old", required=True, help="The pack as it is.")
@click.option("--new", required=True, help="The pack as it is to be.")
@click.option("--recording", type=_FOLDER, help="What `replay --out` recorded.")
@click.argument("inputs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--rule", help="Only this rule.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--html", type=_FILE, help="Write the report as one self-contained page.")
def backtest(
    old: str,
    new: str,
    recording: Path | None,
    inputs: tuple[Path, ...],
    rule: str | None,
    html: Path | None,
    *,
    as_json: bool,
) -> None:
    """Compare two packs on history: hits gained and lost, precision and recall, and who is newly affected."""
    from fairgate.entrypoints import backtest_command
    from fairgate.wiring import calm_collector, pack_folder

    calm_collector()
    sys.exit(
        backtest_command.run(
            pack_folder(old),
            pack_folder(new),
            recording=recording,
            inputs=inputs,
            rule=rule,
            as_json=as_json,
            html=html,
        )
    )


def _as_operator(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say who changes what on which data; it gets them as its `Operator`."""

    @_CONFIG
    @click.option("--pack", help="The pack that is live.")
    @click.option("--data", type=_FOLDER, help="Where log and snapshots are kept.")
    @click.option("--by", help="Who does this (default: the user that runs it).")
    @click.option("--why", required=True, help="The reason, kept in the log.")
    @wraps(command)
    def with_operator(
        config: Path | None, pack: str | None, data: Path | None, by: str | None, why: str, **rest: object
    ) -> None:
        from fairgate.entrypoints.control_command import Operator
        from fairgate.wiring import settings_of

        settings = settings_of(config, _given(pack=pack, data=data))
        command(Operator(settings, by or getpass.getuser(), why, click.echo), **rest)

    return with_operator


@main.command("list")
@click.argument("name")
@click.argument("value")
@click.option("--for", "length", default="", help='How long it stands, such as "7d"; at most 365d.')
@click.option("--off", is_flag=True, help="Take the value off the list.")
@_as_operator
def put_in_list(operator: Any, name: str, value: str, length: str, *, off: bool) -> None:  # noqa: ANN401 - an Operator, whose module is only imported when one is made
    """Enter VALUE in the list NAME for a time, or take it off. The door must not be running on the same data."""
    from fairgate.entrypoints import control_command

    if off:
        sys.exit(control_command.take_off_list(operator, name, value))
    sys.exit(control_command.put_in_list(operator, name, value, length))


@main.command()
@click.argument("rule")
@click.argument("state", type=click.Choice(["on", "off"]))
@_as_operator
def switch(operator: Any, rule: str, state: str) -> None:  # noqa: ANN401 - an Operator, as above
    """Switch RULE, or `all` enforcement, on or off. The door must not be running on the same data."""
    from fairgate.entrypoints import control_command

    sys.exit(control_command.switch(operator, rule, off=state == "off"))


def _given(**options: object) -> dict[str, object]:
    """The options that were given; the rest comes from the settings."""
    return {name: value for name, value in options.items() if value is not None}


@main.group()
def log() -> None:
    """Look after the event log."""


@log.command("verify")
@click.argument("directory", type=_FOLDER)
@click.option("--decisions", is_flag=True, help="Also decide on every event again, and compare byte for byte.")
def log_verify(directory: Path, *, decisions: bool) -> None:
    """Check every record of the log in DIRECTORY: lengths, checksums, order, and that no segment is missing."""
    from fairgate.entrypoints import log_command

    code = log_command.verify(directory, click.echo)
    if decisions and code == 0:
        from fairgate.entrypoints import rerun_command

        code = rerun_command.run(directory, click.echo)
    sys.exit(code)
