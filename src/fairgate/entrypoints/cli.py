"""The command line. Each command imports what it needs when it runs, so that `--help` and `check` start fast."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairgate import __version__
from fairgate.domain.errors import BadRequest, FairgateError

if TYPE_CHECKING:  # the types of what commands are given must not load what `--help` needs not
    from datetime import datetime

    from fairgate.entrypoints.bulk_command import BulkClient
    from fairgate.entrypoints.keys_command import Keyring, Made
    from fairgate.entrypoints.operator import Operator
    from fairgate.entrypoints.people_command import Staff
    from fairgate.entrypoints.sql_command import Form
    from fairgate.wiring import Records

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

    sys.exit(serve_command.run(config, _given(pack=pack, data=data, **{"door.host": host, "door.port": port})))


@main.command()
@_CONFIG
@click.option("--pack", help="The pack that is live.")
@click.option("--data", type=_FOLDER, help="Where log and lake are kept.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen at (default 8081).")
def desk(config: Path | None, pack: str | None, data: Path | None, port: int | None) -> None:
    """Run the desk by itself: SQL, backtests, exports, and the lake. `fairgate serve` does it unless told not to."""
    from fairgate.entrypoints import desk_command
    from fairgate.settings import settings_of

    sys.exit(desk_command.run(settings_of(config, _given(pack=pack, data=data, **{"desk.port": port}))))


@main.command()
@click.option("--world", default="small", show_default=True, help="A world's file, or the name of one that ships.")
@click.option("--days", default=10, show_default=True, type=click.IntRange(1, 365), help="How many days of it to play.")
@click.option("--seed", default=7, show_default=True, help="Another seed, another play.")
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port of the door; 0 takes a free one.",
)
@click.option("--data", type=_FOLDER, help="Keep log and snapshots here (default: a temporary folder).")
@click.option("--stop", is_flag=True, help="Stop after the summary instead of staying open.")
def demo(world: str, days: int, seed: int, port: int, data: Path | None, *, stop: bool) -> None:
    """Play a simulated world against a real door, and watch what is decided, why, and how its opponents fare."""
    from fairgate.entrypoints import demo_command

    sys.exit(demo_command.run(world=world, days=days, seed=seed, port=port, data=data, stop=stop))


@main.command()
@click.option("--world", required=True, help="The world to play: a file, or the name of one that ships.")
@click.option("--pack", "packs", multiple=True, required=True, help="The pack to play against; again for one to beat.")
@click.option("--days", default=90, show_default=True, type=click.IntRange(2, 3650), help="How long each run goes.")
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(1, 1000), help="Runs of each pack.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="The first run's seed.")
@click.option("--honest", type=click.IntRange(1), help="Sample so many honest accounts, and as many fewer opponents.")
@click.option("--prices", default=1.0, show_default=True, type=click.FloatRange(0.01, 100), help="Times all prices.")
@click.option("--left-out", multiple=True, help="An archetype that the pack was not tuned on; again for several.")
@click.option("--story", metavar="ARCHETYPE", help="Tell one opponent's campaign from its own point of view instead.")
@click.option("--candidate", type=_FILE, help="Foresee what the rules of this file would do to the pack instead.")
@click.option(
    "--capacity",
    type=click.FloatRange(0, min_open=True),
    help="Dollars of compute an hour that there is, in fair shares.",
)
@click.option(
    "--links", default=0.8, show_default=True, type=click.FloatRange(0, 1), help="Part of links that is known."
)
@click.option("--false-links", default=0.02, show_default=True, type=click.FloatRange(0, 1), help="Honest, but linked.")
@click.option("--processes", type=click.IntRange(1), help="Runs at a time (default: one a core).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", "page", type=_FILE, help="Write it as a page of Markdown, too.")
def arena(
    world: str,
    packs: tuple[str, ...],
    days: int,
    seeds: int,
    seed: int,
    honest: int | None,
    prices: float,
    left_out: tuple[str, ...],
    story: str | None,
    candidate: Path | None,
    capacity: float | None,
    links: float,
    false_links: float,
    processes: int | None,
    page: Path | None,
    *,
    as_json: bool,
) -> None:
    """Play a simulated world, with opponents who learn, against packs: what they get, what it costs, who is hurt.

    With two packs, the exit code is 1 where the first is worse than the second for certain. With --capacity, compute
    is scarce: one pack is played with fair shares and with one queue for all.
    """
    from fairgate.entrypoints import arena_command
    from fairgate.entrypoints.arena_jobs import Setting
    from fairgate.simulate.scarcity import Scarcity

    setting = Setting(world, honest, prices)
    scarcity = None if capacity is None else Scarcity(capacity, links=links, false_links=false_links)
    if scarcity is not None and (story is not None or candidate is not None):
        raise click.UsageError("--capacity is for packs that are played, not for a story or a foresight.")
    asked = arena_command.Asked(setting, days, range(seed, seed + seeds), processes, as_json, page, scarcity)
    if story is None and candidate is None:
        sys.exit(arena_command.compare(asked, packs, left_out))
    if len(packs) > 1 or (story is not None and candidate is not None):
        raise click.UsageError("A story or a foresight is of one pack, and one of the two at a time.")
    if story is not None:
        sys.exit(arena_command.tell(asked, packs[0], story))
    sys.exit(arena_command.foretell(asked, packs[0], candidate or Path()))


@main.command()
@click.option("--world", default="small", show_default=True, help="A world's file, or the name of one that ships.")
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 3_650), help="How many days to play.")
@click.option("--seed", default=7, show_default=True, help="Another seed, another play.")
@click.option("--honest", type=click.IntRange(1), help="Sample so many honest accounts, and as many fewer opponents.")
@click.option("--out", type=_FOLDER, required=True, help="A new folder for the events, and for the truth about them.")
def simulate(world: str, days: int, seed: int, honest: int | None, out: Path) -> None:
    """Play a simulated world, attackers included, with nobody deciding, and write what production would send.

    They go to OUT/events, a file a day, for `fairgate replay`; who did what stands beside, in Parquet.
    """
    from fairgate.entrypoints import simulate_command

    sys.exit(simulate_command.run(simulate_command.Asked(world, days, seed, honest), out))


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
    @click.option("--url", help="Address of the door (default: as the settings say, where one is running).")
    @click.option("--key", envvar="FAIRGATE_KEY", help="API key for the door; rather set FAIRGATE_KEY.")
    @click.option("--by", help="Who does this (default: the user that runs it; for a door, its key's name).")
    @click.option("--why", required=True, help="The reason, kept in the log.")
    @wraps(command)
    def with_operator(
        config: Path | None,
        pack: str | None,
        data: Path | None,
        url: str | None,
        key: str | None,
        by: str | None,
        why: str,
        **rest: object,
    ) -> None:
        from fairgate.entrypoints.operator import Operator
        from fairgate.settings import settings_of

        settings = settings_of(config, _given(pack=pack, data=data))
        command(Operator(settings, by or getpass.getuser(), why, click.echo, url, key), **rest)

    return with_operator


@main.command("list")
@click.argument("name")
@click.argument("value")
@click.option("--for", "length", default="", help='How long it stands, such as "7d"; at most 365d.')
@click.option("--off", is_flag=True, help="Take the value off the list.")
@_as_operator
def put_in_list(operator: Operator, name: str, value: str, length: str, *, off: bool) -> None:
    """Enter VALUE in the list NAME for a time, or take it off."""
    from fairgate.entrypoints import control_command

    if off:
        sys.exit(control_command.take_off_list(operator, name, value))
    sys.exit(control_command.put_in_list(operator, name, value, length))


@main.command()
@click.argument("rule")
@click.argument("state", type=click.Choice(["on", "off"]))
@_as_operator
def switch(operator: Operator, rule: str, state: str) -> None:
    """Switch RULE, an action such as `action:ban`, or `all` enforcement, on or off."""
    from fairgate.entrypoints import control_command

    sys.exit(control_command.switch(operator, rule, off=state == "off"))


@main.command()
@click.argument("kind")
@click.argument("value")
@click.argument("action")
@click.option("--for", "length", help='How long it stands, such as "7d" (default: as the pack says).')
@click.option("--reason", "reasons", multiple=True, help="A reason's code in the pack; again for several.")
@click.option("--evidence", multiple=True, help="What speaks for it, in words or as a link; again for several.")
@click.option("--ref", default="", help="Your own name for it, under which it is done once.")
@_as_operator
def act(
    operator: Operator,
    kind: str,
    value: str,
    action: str,
    length: str | None,
    reasons: tuple[str, ...],
    evidence: tuple[str, ...],
    ref: str,
) -> None:
    """Take ACTION (watch to ban, or allow to spare it) on the entity of a KIND, such as account, with this VALUE."""
    from fairgate.entrypoints import control_command
    from fairgate.entrypoints.door.actions import PostAction

    asked = PostAction(kind, value, action, operator.why, length, list(reasons), list(evidence), ref)
    sys.exit(control_command.act(operator, asked))


@main.command()
@click.argument("number", type=int)
@click.option("--spare", help='How long rules leave who it was on alone, such as "7d".')
@_as_operator
def undo(operator: Operator, number: int, spare: str | None) -> None:
    """Undo the action NUMBER."""
    from fairgate.entrypoints import control_command
    from fairgate.entrypoints.door.actions import PostUndo

    sys.exit(control_command.undo(operator, number, PostUndo(operator.why, spare)))


@main.group()
def bulk() -> None:
    """Act on many accounts at once: draft, look, confirm, let somebody else approve, undo. The desk does it."""


def _at_the_desk(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which desk; it gets what asks it."""

    @_CONFIG
    @click.option("--data", type=_FOLDER, help="Where log and records are kept.")
    @click.option("--url", help="Address of the desk (default: as the settings say).")
    @click.option("--key", envvar="FAIRGATE_KEY", help="API key for the desk; rather set FAIRGATE_KEY.")
    @wraps(command)
    def at_the_desk(config: Path | None, data: Path | None, url: str | None, key: str | None, **rest: object) -> None:
        from fairgate.entrypoints.bulk_command import BulkClient
        from fairgate.settings import settings_of

        command(BulkClient(settings_of(config, _given(data=data)), click.echo, url, key), **rest)

    return at_the_desk


@bulk.command("draft")
@click.argument("action")
@click.option("--query", help="One SELECT that gives one column, account; `-` reads it.")
@click.option("--account", "accounts", multiple=True, help="An account, instead of a query; again for several.")
@click.option("--for", "length", help='How long it stands, such as "7d" (default: as the pack says).')
@click.option("--reason", "reasons", multiple=True, help="A reason's code in the pack; again for several.")
@click.option("--evidence", multiple=True, help="What speaks for it, in words or as a link; again for several.")
@click.option("--ref", required=True, help="Your own name for it, under which it is drafted once.")
@click.option("--why", required=True, help="The reason, kept in the log.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@_at_the_desk
def bulk_draft(client: BulkClient, *, as_json: bool, query: str | None, length: str | None, **rest: object) -> None:
    """Draft ACTION (watch to ban) on many accounts, and show what it would do."""
    text = sys.stdin.read() if query == "-" else query
    given = {"query": text, "for": length, **{name: each for name, each in rest.items() if each != ()}}
    sys.exit(client.draft({name: each for name, each in given.items() if each is not None}, as_json=as_json))


@bulk.command("show")
@click.argument("number", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@_at_the_desk
def bulk_show(client: BulkClient, number: int, *, as_json: bool) -> None:
    """Show the bulk action NUMBER: its preview, and how far it is."""
    sys.exit(client.show(number, as_json=as_json))


@bulk.command("confirm")
@click.argument("number", type=int)
@click.argument("typed")
@_at_the_desk
def bulk_confirm(client: BulkClient, number: int, typed: str) -> None:
    """Confirm the draft NUMBER by what it says is to be TYPED."""
    sys.exit(client.move(number, "confirm", {"typed": typed}))


@bulk.command("approve")
@click.argument("number", type=int)
@_at_the_desk
def bulk_approve(client: BulkClient, number: int) -> None:
    """Let the bulk action NUMBER run, which somebody else has drafted and confirmed."""
    sys.exit(client.move(number, "approve", {}))


@bulk.command("reject")
@click.argument("number", type=int)
@click.option("--why", required=True, help="The reason.")
@_at_the_desk
def bulk_reject(client: BulkClient, number: int, why: str) -> None:
    """Say no to the bulk action NUMBER, which waits for a second person."""
    sys.exit(client.move(number, "reject", {"why": why}))


@bulk.command("cancel")
@click.argument("number", type=int)
@click.option("--why", required=True, help="The reason.")
@_at_the_desk
def bulk_cancel(client: BulkClient, number: int, why: str) -> None:
    """End the bulk action NUMBER; what was done stays."""
    sys.exit(client.move(number, "cancel", {"why": why}))


@bulk.command("undo")
@click.argument("number", type=int)
@click.option("--why", required=True, help="The reason, kept in the log.")
@_at_the_desk
def bulk_undo(client: BulkClient, number: int, why: str) -> None:
    """Undo all that the bulk action NUMBER did."""
    sys.exit(client.move(number, "undo", {"why": why}))


@main.group()
def webhooks() -> None:
    """Show and send again what other services are told, and make their secrets."""


def _with_records(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which records; it gets these."""

    @_CONFIG
    @click.option("--data", type=_FOLDER, help="Where log and records are kept.")
    @wraps(command)
    def with_records(config: Path | None, data: Path | None, **rest: object) -> None:
        from fairgate.settings import settings_of
        from fairgate.wiring import open_records

        folder = settings_of(config, _given(data=data)).data
        if not folder.is_dir():  # else they would be made there, and say that nothing waits
            raise BadRequest(f"There is no folder {folder}: check the path.")
        with open_records(folder) as records:
            command(records, **rest)

    return with_records


@webhooks.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_with_records
def webhooks_list(records: Records, *, as_json: bool) -> None:
    """Show how many messages wait for each service, since when, and how many were put aside."""
    from fairgate.backends.embedded.clock import SystemClock
    from fairgate.entrypoints import webhooks_command

    click.echo(webhooks_command.backlogs(records.outbox, SystemClock().now(), as_json=as_json))


@webhooks.command("dead")
@click.option("--receiver", help="Only those to this service.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the messages where --personal is given.")
@click.option("--personal", is_flag=True, help="Show the messages and what the service answered, with --why.")
@click.option("--why", default="", help="Why these are to be shown; kept in the audit log.")
@_with_records
def webhooks_dead(records: Records, receiver: str | None, why: str, *, as_json: bool, personal: bool) -> None:
    """Show messages that were put aside, and why."""
    from fairgate.entrypoints import webhooks_command

    found = webhooks_command.put_aside(records.outbox, receiver)
    if personal:
        from fairgate.backends.embedded.clock import SystemClock
        from fairgate.domain.ledger import Subject
        from fairgate.entrypoints.audit_command import note_reading

        about = [Subject("message", str(each.number)) for each in found]
        note_reading(records.audit, getpass.getuser(), why, about, SystemClock().now())
    click.echo(webhooks_command.dead(found, personal=personal, as_json=as_json))


@webhooks.command("again")
@click.argument("numbers", type=int, nargs=-1, required=True)
@_with_records
def webhooks_again(records: Records, numbers: tuple[int, ...]) -> None:
    """Send messages that were put aside again, by their NUMBERS, behind all that wait."""
    from fairgate.backends.embedded.clock import SystemClock
    from fairgate.entrypoints import webhooks_command

    click.echo(webhooks_command.again(records.outbox, numbers, SystemClock().now()))


@webhooks.command("secret")
def webhooks_secret() -> None:
    """Make a secret for a service: for its own settings, and for FAIRGATE_WEBHOOK_ and its name here."""
    from fairgate.entrypoints.signing import new_secret

    click.echo(new_secret())


@main.command()
@click.argument("account")
@_as_operator
def erase(operator: Operator, account: str) -> None:
    """Make what is personal in the events of ACCOUNT unreadable, for ever, here and in backups to come."""
    from fairgate.entrypoints import control_command

    sys.exit(control_command.erase(operator, account))


@main.command()
@_CONFIG
@click.option("--data", type=_FOLDER, help="Where log and snapshots are kept.")
@click.option("--url", help="Address of the door (default: as the settings say).")
@click.option("--key", envvar="FAIRGATE_KEY", help="API key for the door; rather set FAIRGATE_KEY.")
def reload(config: Path | None, data: Path | None, url: str | None, key: str | None) -> None:
    """Let the pack of the settings go live as its folder has it now, while the door takes events."""
    from fairgate.entrypoints import reload_command
    from fairgate.settings import settings_of

    sys.exit(reload_command.run(settings_of(config, _given(data=data)), url, key, click.echo))


def _given(**options: object) -> dict[str, object]:
    """The options that were given; the rest comes from the settings."""
    return {name: value for name, value in options.items() if value is not None}


@main.group()
def keys() -> None:
    """Make, show, rotate and revoke API keys. A running door follows within two seconds."""


def _with_keys(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which keys; it gets them."""

    @_CONFIG
    @click.option("--data", type=_FOLDER, help="Where log and keys are kept.")
    @wraps(command)
    def with_keys(config: Path | None, data: Path | None, **rest: object) -> None:
        from fairgate.backends.embedded.clock import SystemClock
        from fairgate.entrypoints.keys_command import Keyring
        from fairgate.settings import settings_of
        from fairgate.wiring import open_keys

        settings = settings_of(config, _given(data=data))
        with open_keys(settings) as opened:
            command(Keyring(opened, settings.data, SystemClock().now(), getpass.getuser()), **rest)

    return with_keys


@keys.command("create")
@click.option("--scope", "scopes", multiple=True, required=True, help="What the key is for; again for several.")
@click.option("--name", required=True, help="Who uses it, such as signup-service.")
@click.option("--for", "length", default="", help='How long it works, such as "90d" (default: until it is revoked).')
@_with_keys
def keys_create(ring: Keyring, scopes: tuple[str, ...], name: str, length: str) -> None:
    """Make a key. Its text is printed this once; what is kept can't be turned back into it."""
    from fairgate.domain.audit import Kind
    from fairgate.entrypoints import keys_command, staff
    from fairgate.wiring import existing_records

    with existing_records(ring.data) as records:
        staff.check_key_name(records.people if records is not None else None, name)
    made = keys_command.create(ring.keys, ring.now, name, scopes, length)
    _show_made(made)
    _warn(keys_command.note(ring, Kind.KEY_MADE, made.key.id, scopes=keys_command.scopes_of(made.key)))


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_with_keys
def keys_list(ring: Keyring, *, as_json: bool) -> None:
    """Show all keys: what they are for, when they end, when they were last used."""
    from fairgate.entrypoints import keys_command

    shown = keys_command.as_json if as_json else keys_command.as_table
    click.echo(shown(ring.keys, ring.now))


@keys.command("rotate")
@click.argument("key_id", metavar="ID")
@click.option("--grace", default="24h", show_default=True, help="How long the old key goes on working; at most 30d.")
@_with_keys
def keys_rotate(ring: Keyring, key_id: str, grace: str) -> None:
    """Make a key that follows the key ID: the same name, scopes and length of life."""
    from fairgate.domain.audit import Kind
    from fairgate.entrypoints import keys_command

    made = keys_command.rotate(ring.keys, ring.now, key_id, grace)
    _show_made(made)
    _warn(keys_command.note(ring, Kind.KEY_ROTATED, key_id, made=made.key.id))


@keys.command("revoke")
@click.argument("key_id", metavar="ID")
@_with_keys
def keys_revoke(ring: Keyring, key_id: str) -> None:
    """End the key ID at once."""
    from fairgate.domain.audit import Kind
    from fairgate.entrypoints import keys_command

    click.echo(keys_command.revoke(ring.keys, ring.now, key_id))
    _warn(keys_command.note(ring, Kind.KEY_REVOKED, key_id))


def _warn(words: str) -> None:
    """Say on stderr what did not work beside what did."""
    if words:
        click.echo(words, err=True)


def _show_made(made: Made) -> None:
    """Print a key's text alone on stdout, so that it can be piped to where secrets are kept."""
    click.echo(made.words, err=True)
    click.echo(made.text)


@main.group()
def people() -> None:
    """Let people in at the desk, show them, and change what they may do."""


def _with_people(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which people; it gets them."""

    @_CONFIG
    @click.option("--data", type=_FOLDER, help="Where log, keys and records are kept.")
    @wraps(command)
    def with_people(config: Path | None, data: Path | None, **rest: object) -> None:
        from fairgate.backends.embedded.clock import SystemClock
        from fairgate.entrypoints.people_command import Staff
        from fairgate.settings import settings_of
        from fairgate.wiring import open_keys, open_records

        settings = settings_of(config, _given(data=data))
        with open_keys(settings) as keys, open_records(settings.data) as records:
            command(Staff(records.people, keys, SystemClock().now(), getpass.getuser()), **rest)

    return with_people


_PASSWORD_STDIN = click.option("--password-stdin", is_flag=True, help="Read the password from the input's first line.")


def _password(*, from_stdin: bool) -> Callable[[], str]:
    """What asks for a new password: twice, without showing it, or for the first line of the input."""

    def asked() -> str:
        if from_stdin:
            return sys.stdin.readline(10_000).rstrip("\r\n")
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return typed

    return asked


@people.command("add")
@click.argument("name")
@click.option("--role", required=True, help="reader, reviewer, lead, investigator, engineer or admin.")
@click.option("--oidc", is_flag=True, help="They log in by the provider of identities, and have no password.")
@_PASSWORD_STDIN
@_with_people
def people_add(staff: Staff, name: str, role: str, *, oidc: bool, password_stdin: bool) -> None:
    """Let NAME in. From the first person on, door and desk are no longer open to everyone on this machine."""
    from fairgate.entrypoints import people_command

    click.echo(people_command.add(staff, name, role, None if oidc else _password(from_stdin=password_stdin)))


@people.command("list")
@_with_people
def people_list(staff: Staff) -> None:
    """Show everybody, by name."""
    from fairgate.entrypoints import people_command

    click.echo(people_command.as_table(staff))


@people.command("role")
@click.argument("name")
@click.argument("role")
@_with_people
def people_role(staff: Staff, name: str, role: str) -> None:
    """Give NAME another ROLE. Their sessions end."""
    from fairgate.entrypoints import people_command

    click.echo(people_command.change_role(staff, name, role))


@people.command("off")
@click.argument("name")
@_with_people
def people_off(staff: Staff, name: str) -> None:
    """Let NAME no longer log in. Their sessions end."""
    from fairgate.entrypoints import people_command

    click.echo(people_command.switch_off(staff, name))


@people.command("on")
@click.argument("name")
@_with_people
def people_on(staff: Staff, name: str) -> None:
    """Let NAME log in again."""
    from fairgate.entrypoints import people_command

    click.echo(people_command.switch_on(staff, name))


@people.command("password")
@click.argument("name")
@_PASSWORD_STDIN
@_with_people
def people_password(staff: Staff, name: str, *, password_stdin: bool) -> None:
    """Give NAME another password. Their sessions end."""
    from fairgate.entrypoints import people_command

    click.echo(people_command.set_password(staff, name, _password(from_stdin=password_stdin)))


@people.command("totp-reset")
@click.argument("name")
@_with_people
def people_totp_reset(staff: Staff, name: str) -> None:
    """Take the one-time codes of NAME away, such as when a phone is lost. Their sessions end."""
    from fairgate.entrypoints import people_command

    click.echo(people_command.reset_totp(staff, name))


@main.command()
@click.argument("folder", type=_FOLDER, default=Path())
@click.option("--pack", default="ai_api", show_default=True, help="The pack to copy: a folder, or one that ships.")
def init(folder: Path, pack: str) -> None:
    """Make settings, a copy of the pack, a secret and a first API key in FOLDER (default: here)."""
    from fairgate.entrypoints import init_command

    sys.exit(init_command.run(folder, pack, click.echo))


@main.command()
@_CONFIG
@click.option("--pack", help="The pack that is live.")
@click.option("--data", type=_FOLDER, help="Where log and keys are kept.")
@click.option("--with-secret", is_flag=True, help="Put the secret in, too: whoever has the backup reads everything.")
@click.argument("destination", type=_FOLDER)
def backup(config: Path | None, pack: str | None, data: Path | None, destination: Path, *, with_secret: bool) -> None:
    """Copy all that a service needs to the new folder DESTINATION, while it runs."""
    from fairgate.entrypoints import backup_command
    from fairgate.settings import settings_of

    settings = settings_of(config, _given(pack=pack, data=data))
    sys.exit(backup_command.back_up(settings, config, destination, click.echo, with_secret=with_secret))


@main.command()
@click.argument("folder", metavar="BACKUP", type=_FOLDER)
@click.argument("destination", metavar="FOLDER", type=_FOLDER)
def restore(folder: Path, destination: Path) -> None:
    """Check every file of BACKUP, and make the new FOLDER of it that a service can be started in."""
    from fairgate.entrypoints import backup_command

    sys.exit(backup_command.restore(folder, destination, click.echo))


@main.command()
@_CONFIG
@click.option("--pack", help="The pack that is live.")
@click.option("--data", type=_FOLDER, help="Where log and keys are kept.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(config: Path | None, pack: str | None, data: Path | None, *, as_json: bool) -> None:
    """Say what is wrong with a service, running or not, and what to do about it."""
    from fairgate.entrypoints import doctor_command

    sys.exit(doctor_command.run(config, _given(pack=pack, data=data), click.echo, as_json=as_json))


@main.command()
@_CONFIG
@click.option("--data", type=_FOLDER, help="Where log and lake are kept.")
@click.option("--form", default="table", show_default=True, type=click.Choice(["table", "csv", "json"]))
@click.option("--personal", is_flag=True, help="Show personal values instead of their tokens, with --why.")
@click.option("--why", default="", help="Why personal values are to be shown; kept in the audit log.")
@click.argument("query")
def sql(config: Path | None, data: Path | None, form: Form, why: str, query: str, *, personal: bool) -> None:
    """Answer QUERY (one SELECT; `-` reads it) over all events with their features, decisions and labels.

    There is a table for each event type (api_request for api.request), and `decisions`, `rules` and `labels` over all.
    """
    from fairgate.entrypoints import sql_command
    from fairgate.settings import settings_of

    text = sys.stdin.read() if query == "-" else query
    settings = settings_of(config, _given(data=data))
    if personal:
        from fairgate.backends.embedded.clock import SystemClock
        from fairgate.entrypoints.audit_command import note_query

        note_query(settings.data, getpass.getuser(), why, text, SystemClock().now())
    sys.exit(sql_command.run(settings, text, form, click.echo, personal=personal))


@main.group()
def audit() -> None:
    """Check and show the audit log: who did and read what, when and why."""


@audit.command("verify")
@_CONFIG
@click.option("--data", type=_FOLDER, help="Where log and records are kept.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def audit_verify(config: Path | None, data: Path | None, *, as_json: bool) -> None:
    """Find rows that were changed, removed, reordered or cut off; exit with 1 where there are any."""
    from fairgate.entrypoints import audit_command
    from fairgate.settings import settings_of

    sys.exit(audit_command.verify(settings_of(config, _given(data=data)).data, click.echo, as_json=as_json))


@audit.command("list")
@_CONFIG
@click.option("--data", type=_FOLDER, help="Where log and records are kept.")
@click.option("--by", help="Only what this key or person did.")
@click.option("--what", multiple=True, help="Only rows of this kind, such as list.put; may be repeated.")
@click.option("--about", nargs=2, metavar="KIND VALUE", help="Only rows about this; the token where it is personal.")
@click.option("--since", type=click.DateTime(), help="Only from this time (UTC) on.")
@click.option("--until", type=click.DateTime(), help="Only before this time (UTC).")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000), help="Rows at most.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def audit_list(
    config: Path | None,
    data: Path | None,
    by: str | None,
    what: tuple[str, ...],
    about: tuple[str, str] | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    *,
    as_json: bool,
) -> None:
    """Show rows, the newest first."""
    from fairgate.entrypoints import audit_command
    from fairgate.settings import settings_of

    sought = audit_command.sought(by, what, about, since, until)
    folder = settings_of(config, _given(data=data)).data
    click.echo(audit_command.shown(folder, sought, limit, as_json=as_json))


@audit.command("acknowledge")
@_as_operator
def audit_acknowledge(operator: Operator) -> None:
    """Say that rows are gone which the event log vouches for, as after a backup was restored."""
    from fairgate.entrypoints import audit_command

    sys.exit(audit_command.acknowledge(operator))


@main.command()
@_CONFIG
@click.option("--data", type=_FOLDER, help="Where log and keys are kept.")
@click.option("--remove-old", is_flag=True, help="Remove the log of the older format, which is kept otherwise.")
def upgrade(config: Path | None, data: Path | None, *, remove_old: bool) -> None:
    """Turn a data folder of an older Fairgate into one of this version. No door may be running on it."""
    from fairgate.entrypoints import upgrade_command
    from fairgate.settings import settings_of

    sys.exit(upgrade_command.run(settings_of(config, _given(data=data)), click.echo, remove_old=remove_old))


@main.group()
def secret() -> None:
    """Look after the secret that tokens and seals are made with."""


@secret.command("rotate")
@_CONFIG
@click.option("--data", type=_FOLDER, help="Where log and keys are kept.")
def secret_rotate(config: Path | None, data: Path | None) -> None:
    """Add a version of the secret. The next start counts all again under it; the older ones go on opening."""
    from fairgate.secret_file import rotate_secret
    from fairgate.settings import settings_of
    from fairgate.wiring import was_cut

    folder = settings_of(config, _given(data=data)).data
    version = rotate_secret(folder)
    click.echo(f"version {version} of the secret is used from the next start on; keep the older ones, and back it up")
    if was_cut(folder):
        click.echo("the log's old records are dropped: what looks back for ever begins anew with that start")


@main.group()
def share() -> None:
    """Divide scarce compute between people instead of accounts."""


@share.command("serve")
@_CONFIG
@click.option("--data", type=_FOLDER, help="Where keys are kept, and what is set by hand.")
@click.option("--host", help="Address to listen at (default 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen at (default 8082).")
def share_serve(config: Path | None, data: Path | None, host: str | None, port: int | None) -> None:
    """Share compute out to gateways over HTTP: POST /v1/share/acquire, charge and settle."""
    from fairgate.entrypoints import share_command

    sys.exit(share_command.serve(config, _given(data=data, **{"share.host": host, "share.port": port})))


@share.command("simulate")
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--policy", "policies", multiple=True, help="A policy to replay it under; again for several [all].")
@click.option("--accounts", default=200, show_default=True, type=click.IntRange(1, 100_000), help="Honest accounts.")
@click.option("--load", default=1.1, show_default=True, type=click.FloatRange(0.01, 100), help="What those ask for.")
@click.option("--farm", default=1_000, show_default=True, type=click.IntRange(0, 100_000), help="An abuser's accounts.")
@click.option("--links", default=0.8, show_default=True, type=click.FloatRange(0, 1), help="Part of its links known.")
@click.option("--auc", default=0.97, show_default=True, type=click.FloatRange(0.5, 0.999), help="How well trust tells.")
@click.option("--churn", default=0.0, show_default=True, type=click.FloatRange(0, 1_000), help="New accounts a second.")
@click.option("--ceil", type=click.FloatRange(0, 1), help="The most of the capacity for what is known of the farm.")
@click.option("--nat", default=20, show_default=True, type=click.IntRange(0), help="Honest ones behind one address.")
@click.option("--false-links", default=5, show_default=True, type=click.IntRange(0), help="Those linked to the farm.")
@click.option("--newcomers", default=10, show_default=True, type=click.IntRange(0), help="Those never seen before.")
@click.option("--seconds", default=600.0, show_default=True, type=click.FloatRange(10, 86_400), help="Simulated time.")
@click.option("--seed", default=7, show_default=True, type=click.IntRange(0), help="Another seed, other accounts.")
@click.option("--json", "as_json", type=_FILE, help="Write the report here, too.")
@click.option("--png", type=_FILE, help="Draw charts here, too; needs fairgate[charts].")
def share_simulate(
    trace: Path, policies: tuple[str, ...], as_json: Path | None, png: Path | None, **plan: object
) -> None:
    """Replay TRACE under policies of sharing, with abusers among those who ask, and say who gets what.

    TRACE is a file of `client,req_time,prompt_len,output_len`, one of the Azure LLM inference traces, or a folder that
    `fairgate simulate` wrote.
    """
    from fairgate.entrypoints import share_simulate_command

    asked = share_simulate_command.Asked(trace, policies, plan, as_json, png)
    if png is None:
        sys.exit(share_simulate_command.run(asked))
    try:
        from fairgate.entrypoints.share_charts import draw
    except ModuleNotFoundError as error:
        raise BadRequest("Charts need matplotlib: pip install 'fairgate[charts]'.") from error
    sys.exit(share_simulate_command.run(asked, draw))


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
