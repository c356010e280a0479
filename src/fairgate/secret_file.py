"""The secret of a data folder: read from the environment or a file, made, and rotated."""

import os
import re
import secrets
from pathlib import Path

from fairgate.domain.errors import BadSettings
from fairgate.domain.secret import MOST_VERSIONS, SECRET_BITS, Secrets

SECRET_VARIABLE = "FAIRGATE_SECRET"  # noqa: S105 - the name of the variable
_VERSIONED = re.compile(r"(?:([1-9][0-9]{0,2}):)?([0-9a-fA-F]{16,64})")


def secrets_of(data: Path, *, make: bool = True) -> Secrets:
    """What keys hashes, tokens, seals and draws: from the environment, else from a file that only its owner can read.

    It is 16 to 64 hexadecimal digits, or several versions such as `1:...,2:...` with commas or lines between, of which
    the newest is used and the older open what was sealed under them. Without one in the environment it is made on the
    first start. Raises `BadSettings` where there is none and it isn't to be made.
    """
    given, path = os.environ.get(SECRET_VARIABLE), data / "secret"
    if given is None:
        if not path.exists() and not make:
            raise BadSettings(f"There is no {path}: set {SECRET_VARIABLE} to what it was when the log was written.")
        if not path.exists():
            _make_secret(path)
        try:
            given = path.read_text("ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise BadSettings(f"{path} can't be read: {error}.") from error
    matches = [_VERSIONED.fullmatch(each) for each in given.replace(",", " ").split()]
    found = {int(match[1] or 1): int(match[2], 16) for match in matches if match}
    if not found or len(found) != len(matches) or max(found) > MOST_VERSIONS:
        what = f"{SECRET_VARIABLE} must be 16 to 64 hexadecimal digits, or versions of it as 1:...,2:...."
        raise BadSettings(f"{what} At most {MOST_VERSIONS} versions are known.")
    return Secrets(found)


def rotate_secret(data: Path) -> int:
    """Add a version to the secret of a data folder, durably; returns its number. It is used from the next start on.

    Raises `BadSettings` where the secret is in the environment, or there is none.
    """
    secrets_now = secrets_of(data, make=False)
    version = secrets_now.newest + 1
    if SECRET_VARIABLE in os.environ:
        what = f"The secret is in {SECRET_VARIABLE}: add a version to it, as `,{version}:` and 64 hexadecimal digits."
        raise BadSettings(f"{what} Give all versions, the older ones with their numbers.")
    held = {**secrets_now.versions, version: secrets.randbits(SECRET_BITS)}
    partial = data / "secret.partial"
    with partial.open("w") as file:
        os.fchmod(file.fileno(), 0o600)
        file.writelines(f"{number}:{secret:064x}\n" for number, secret in sorted(held.items()))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(data / "secret")
    return version


def _make_secret(path: Path) -> None:
    """Write a new secret durably: the log that will be written under it is durable too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"1:{secrets.token_hex(SECRET_BITS // 8)}\n")
        file.flush()
        os.fsync(file.fileno())
