"""The composition root: reads the settings, opens the backends, puts the pieces together. Nothing else does."""

import gc
import os
import secrets
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from fairgate.backends.embedded.clock import SystemClock
from fairgate.backends.embedded.segments import open_log
from fairgate.backends.embedded.snapshots import FolderSnapshots
from fairgate.domain.errors import BadSettings
from fairgate.ingest.identifiers import TYPES
from fairgate.kernel.rows import Rows, warm
from fairgate.language.check_pack import check_pack
from fairgate.language.checked import CheckedPack
from fairgate.language.pack_file import load_pack, pack_from_texts
from fairgate.pipeline.engine import Engine
from fairgate.pipeline.online import Pipeline
from fairgate.ports.clock import Clock

#: The packs that ship with Fairgate, by name.
SHIPPED = Path(__file__).parent / "packs"
SECRET_VARIABLE = "FAIRGATE_SECRET"  # noqa: S105 - the name of the variable
_SECRET_BYTES = 8


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What `fairgate.toml` may say; every key has a default. Paths are relative to where Fairgate is started."""

    #: The pack that is live: a folder, or the name of one that ships with Fairgate.
    pack: str = "ai_api"
    #: Where log and snapshots are kept.
    data: Path = Path("fairgate-data")
    #: Where the door listens; beyond loopback only when told so.
    host: str = "127.0.0.1"
    port: int = 8080
    #: Keys that memory is set aside for at the start; it grows past that by itself, with a pause.
    expected_keys: int = 100_000
    #: Megabytes of one segment of the log.
    segment_megabytes: int = 256
    #: A snapshot is made after so many events, and at a graceful stop.
    snapshot_events: int = 1_000_000


def read_settings(path: Path | None) -> Settings:
    """The settings of a file; the defaults without one. Raises `BadSettings` naming the key."""
    if path is None:
        return Settings()
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), Settings, strict=False, dec_hook=_setting)
    except OSError as error:
        raise BadSettings(f"{path} can't be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadSettings(f"{path}: {error}.") from error


def _setting(kind: type, value: object) -> object:
    """A setting of a type that TOML does not have."""
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError(f"Expected `{kind.__name__.lower()}`, got `{type(value).__name__}`")


def settings_of(path: Path | None, given: Mapping[str, object]) -> Settings:
    """The settings of a file, overridden by those given, such as on the command line."""
    return msgspec.structs.replace(read_settings(path), **given)


def pack_folder(name: str) -> Path:
    """The folder of a pack: a path, or the name of one that ships."""
    folder = Path(name)
    return folder if folder.exists() or not (SHIPPED / name).is_dir() else SHIPPED / name


def load_checked(name: str) -> CheckedPack:
    """A pack by folder or name, checked; raises `PackError` with all its faults."""
    return check_pack(load_pack(pack_folder(name)), TYPES)


def checked_from(files: Mapping[str, str]) -> CheckedPack:
    """A pack from its files' texts, checked."""
    return check_pack(pack_from_texts(files), TYPES)


def new_engine(checked: CheckedPack, secret: int, expected_keys: int = 1 << 12) -> Engine:
    """An engine with rows in this process."""
    return Engine(checked, secret, lambda program: Rows(program, expected_rows=expected_keys))


def secret_of(data: Path, *, make: bool = True) -> int:
    """The secret that keys hashes and draws: from the environment, else from a file that only its owner can read.

    It must stay the same as long as the log does; without one in the environment it is made on the first start. Raises
    `BadSettings` where there is none and it isn't to be made.
    """
    given = os.environ.get(SECRET_VARIABLE)
    if given is None:
        path = data / "secret"
        if not path.exists() and not make:
            raise BadSettings(f"There is no {path}: set {SECRET_VARIABLE} to what it was when the log was written.")
        if not path.exists():
            _make_secret(path)
        given = path.read_text("ascii").strip()
    try:
        secret = int(given, 16)
    except ValueError:
        secret = -1
    if not 0 <= secret < 1 << 64:
        raise BadSettings(f"{SECRET_VARIABLE} must be 16 hexadecimal digits.")
    return secret


def _make_secret(path: Path) -> None:
    """Write a new secret durably: the log that will be written under it is durable too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(_SECRET_BYTES))
        file.flush()
        os.fsync(file.fileno())


def calm_collector() -> None:
    """Set Python's cyclic collector for a process that makes many short-lived objects and no cycles.

    What is there now is never looked at again, and the young are looked at rarely: reference counting frees them.
    Without it a batch of 4,000 events spends a tenth of its time in collections.
    """
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)


@contextmanager
def open_pipeline(settings: Settings, clock: Clock | None = None) -> Iterator[Pipeline]:
    """The live pipeline of these settings, brought up to its log's end. Its log is closed on leaving."""
    checked = load_checked(settings.pack)
    secret = secret_of(settings.data)
    engine = new_engine(checked, secret, settings.expected_keys)
    with open_log(settings.data / "log", segment_bytes=settings.segment_megabytes << 20) as log:
        pipeline = Pipeline(engine, log, FolderSnapshots(settings.data / "snapshots"), clock or SystemClock(), secret)
        warm()
        pipeline.recover()
        yield pipeline
