"""People who use Fairgate, and the sessions in which they do."""

import unicodedata

import msgspec

from fairgate.domain.access import Role

LONGEST_NAME = 64


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may log in. Times are microseconds since 1970 UTC.

    `password` is a hash of it, None for who has none. `totp` is the sealed secret of their one-time codes, `totp_new`
    one that they have not confirmed yet, and `step` the last step whose code was used. `oidc` is who they are to the
    provider of identities, None while that is not known; `mapped` says that their role is the provider's to say. Who is
    switched off stays, so that a name is never given again.
    """

    id: str
    name: str
    role: Role
    created: int
    created_by: str
    password: str | None = None
    totp: bytes | None = None
    totp_new: bytes | None = None
    step: int = 0
    oidc: str | None = None
    mapped: bool = False
    off: int | None = None


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which somebody is logged in. What its cookie holds is not kept: `token` is the SHA-256 of it."""

    id: str
    token: bytes
    person: str
    began: int
    seen: int
    by_oidc: bool = False


def folded(name: str) -> str:
    """What two names have in common that people would take for one."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).strip()


def is_name(name: str) -> bool:
    """Whether a text can be a person's name: 1 to 64 characters that can be printed, without spaces at its ends."""
    return 0 < len(name) <= LONGEST_NAME and name.isprintable() and name == name.strip() and bool(folded(name))
