"""`fairgate backup` and `fairgate restore`."""

import tomllib
from collections.abc import Callable
from pathlib import Path

from fairgate import __version__
from fairgate.backends.embedded import backup
from fairgate.backends.embedded.backup import DATA, PACK, SETTINGS, Backup
from fairgate.backends.embedded.clock import SystemClock
from fairgate.domain.errors import BadRequest
from fairgate.domain.event import moment
from fairgate.entrypoints import log_command
from fairgate.language.pack_file import load_pack
from fairgate.language.places import KEY, positions
from fairgate.pipeline.records import FORMAT
from fairgate.secret_file import SECRET_VARIABLE
from fairgate.settings import Settings
from fairgate.wiring import RECORDS, pack_folder

Echo = Callable[[str], object]


def back_up(settings: Settings, config: Path | None, destination: Path, echo: Echo, *, with_secret: bool) -> int:
    """Copy log, snapshot, records, keys, lake, pack and settings of a service, running or not, to a new folder; 0.

    Raises `PackError`, `BadRequest`, `CopyFailed`, and what opening the log raises.
    """
    if with_secret and not (settings.data / "secret").exists():
        raise BadRequest(f"There is no {settings.data / 'secret'}: keep {SECRET_VARIABLE} yourself.")
    about = Backup(backup.FORMAT, __version__, FORMAT, SystemClock().now(), 0, has_secret=False, files={})
    texts = {f"{PACK}/{name}": text for name, text in load_pack(pack_folder(settings.pack)).files.items()}
    texts[SETTINGS] = moved(config.read_text("utf-8") if config is not None else "")
    made = backup.back_up(settings.data, destination, about, texts, with_secret=with_secret)
    echo(f"{destination}: {_contents(made)}")
    for name in backup.left_out(settings.data):
        echo(f"{settings.data / name} is left out")
    echo(
        "THE SECRET IS IN THE BACKUP: whoever has it reads all that is personal in it."
        if with_secret
        else f"THE SECRET IS NOT IN THE BACKUP. Keep {SECRET_VARIABLE} or {settings.data / 'secret'} somewhere else: "
        "without it nobody reads what is personal in the backup, and no service goes on from it."
    )
    return 0


def restore(folder: Path, destination: Path, echo: Echo) -> int:
    """Check a backup, copy it to a new folder, and check the log there; 0 where that is sound.

    Raises `BackupUnusable` or `CopyFailed`, having made nothing at `destination`.
    """
    found = backup.check_backup(folder)
    echo(f"{folder}, made {moment(found.made):%Y-%m-%d %H:%M} UTC: {_contents(found)}, all as they were written")
    if found.records_format > FORMAT:
        raise BadRequest(
            f"Fairgate {found.fairgate} made it, which writes a newer log: use that version or a later one."
        )
    backup.restore(folder, found, destination)
    code = log_command.verify(destination / DATA, echo)
    if not found.has_secret:
        echo(
            f"THE SECRET WAS NOT IN THE BACKUP: put it into {destination / DATA / 'secret'}, or {SECRET_VARIABLE}, "
            "before you start anything here."
        )
    if f"{DATA}/{RECORDS}" in found.files:
        echo(
            "Webhooks that had not arrived when the backup was made will be sent again from here, under the same ids. "
            "With `clerk.enabled = false`, none is."
        )
    echo(f"Next: fairgate doctor --config {destination / SETTINGS}")
    return code


def moved(text: str) -> str:
    """The text of a settings file for the folder of a backup, in which pack and data have places of their own."""
    values, spots = tomllib.loads(text), positions(text)
    lines = text.splitlines(keepends=True)
    for name, place in (("data", DATA), ("pack", PACK)):
        line = f"{name} = {place!r}\n".replace("'", '"')
        if name in values:
            lines[spots[name, KEY].line - 1] = line
        else:
            lines.insert(0, line)
    return "".join(lines)


def _contents(found: Backup) -> str:
    return f"{found.end:,} records, {len(found.files):,} files, {found.bytes:,} bytes"
