"""What the desk takes and gives about people and sessions, as its OpenAPI shows it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from fairgate.domain.access import Role
from fairgate.domain.people import LONGEST_NAME, is_name
from fairgate.entrypoints.passwords import LONGEST_PASSWORD, SHORTEST_PASSWORD


def _named(text: str) -> str:
    if not is_name(text):
        raise ValueError("must be printable characters, with no spaces around them")
    return text


Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, description="A name.", examples=["Ann Archer"])]
Given = Annotated[str, Field(max_length=LONGEST_PASSWORD, description="A password.", examples=["seven grey herons"])]
New = Annotated[
    str,
    Field(
        min_length=SHORTEST_PASSWORD,
        max_length=LONGEST_PASSWORD,
        description="A new password.",
        examples=["seven grey herons"],
    ),
]
Code = Annotated[str, Field(pattern="^([0-9]{6})?$", description="A one-time code.", examples=["123456"])]


class LogIn(BaseModel):
    """Who logs in. `code` is asked of those who have one-time codes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    password: Given
    code: Code = ""


class PasswordChange(BaseModel):
    """One's own password, and the new one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    old: Given
    new: New


class PasswordAsked(BaseModel):
    """One's own password, to show that it is oneself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    password: Given


class CodeAsked(BaseModel):
    """A code of the secret that was begun with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Annotated[str, Field(pattern="^[0-9]{6}$", description="A one-time code.", examples=["123456"])]


class PersonAsked(BaseModel):
    """Somebody who is to be let in. Without a password they log in by the provider of identities."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[Name, AfterValidator(_named)]
    role: Role
    password: New | None = None


class PersonChange(BaseModel):
    """What is to change about somebody; what is left out stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Role | None = None
    active: Annotated[bool | None, Field(strict=True, description="Whether they may log in.")] = None
    password: New | None = None
    reset_totp: Annotated[bool, Field(strict=True, description="Take their one-time codes away.")] = False


@dataclass(frozen=True, slots=True)
class SessionAnswer:
    """Who is logged in. `csrf` goes into the header `Fairgate-CSRF` of what changes anything.

    Where `must_enrol` is true they may do nothing yet but take one-time codes, which their role needs.
    """

    name: str
    role: Role | None
    scopes: list[str]
    csrf: str
    must_enrol: bool


@dataclass(frozen=True, slots=True)
class TotpAnswer:
    """The secret of one-time codes, shown this once, and the same as an authenticator app reads it."""

    secret: str
    uri: str


@dataclass(frozen=True, slots=True)
class PersonAnswer:
    """Somebody who may log in, or might once. `by_oidc` says that the provider of identities knows them."""

    id: str
    name: str
    role: Role
    active: bool
    created: datetime
    created_by: str
    has_password: bool
    has_totp: bool
    by_oidc: bool


@dataclass(frozen=True, slots=True)
class PeopleAnswer:
    """Everybody, by name."""

    people: list[PersonAnswer]
