"""What the desk takes and gives about challenges, as its OpenAPI shows it."""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from fairgate.domain.challenge import ChallengeState
from fairgate.entrypoints.desk.appeal_answers import LARGEST
from fairgate.ingest.wire import LONGEST_IDENTIFIER

_LONGEST_KIND, _LONGEST_REF, _LONGEST_ANSWER, _LONGEST_AGENT = 64, 300, 8_192, 2_048


def _visible(text: str) -> str:
    """A text with something to be seen in it, and nothing that can't be."""
    if not text.strip() or not text.isprintable():
        raise ValueError("must be printable characters, and not only spaces")
    return text


def _plain(text: str) -> str:
    """What a program or a keyboard gives for an answer."""
    if not (text.isascii() and text.isprintable()):
        raise ValueError("must be printable ASCII characters")
    return text


def _address(text: str) -> str:
    """An address as it is written."""
    try:
        ip_address(text)
    except ValueError:
        raise ValueError("must be an IP address") from None
    return text


Text = Annotated[str, Field(min_length=1, max_length=LONGEST_IDENTIFIER), AfterValidator(_visible)]
AccountNamed = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST_IDENTIFIER, description="The account that is asked.", examples=["acc_1"]),
    AfterValidator(_visible),
]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Circumstances(_Given):
    """What is known of whoever is asked, under the names that events have; all of it may be left out."""

    ip: Annotated[Text | None, AfterValidator(lambda ip: ip and _address(ip)), Field(examples=["203.0.113.9"])] = None
    device: Annotated[Text | None, Field(examples=["dev_7"])] = None
    asn: Annotated[Text | None, Field(examples=["64496"])] = None
    country: Annotated[Text | None, Field(examples=["NL"])] = None
    tls_fingerprint: Text | None = None
    timezone: Text | None = None
    user_agent: Annotated[str, Field(min_length=1, max_length=_LONGEST_AGENT), AfterValidator(_visible)] | None = None
    org: Text | None = None
    tier: Annotated[Text | None, Field(examples=["free"])] = None
    bot_score: Annotated[float, Field(ge=0, le=1)] | None = None

    def told(self) -> dict[str, str | float]:
        """Those that are given."""
        return self.model_dump(exclude_none=True)


class ChallengeAsked(_Given):
    """A challenge that is to be set."""

    account: AccountNamed
    kind: Annotated[
        str | None,
        Field(
            max_length=_LONGEST_KIND,
            description="captcha, email, phone, payment, identity, or another of the settings; without it, what the "
            "account's standing asks for.",
            examples=["captcha"],
        ),
    ] = None
    action: Annotated[
        int | None, Field(ge=0, le=LARGEST, description="The number of the action that asks for it.", examples=[17])
    ] = None
    ref: Annotated[
        str,
        Field(
            min_length=1,
            max_length=_LONGEST_REF,
            description="Your own name for it: the same again under one name is set once.",
            examples=["session-4711"],
        ),
        AfterValidator(_visible),
    ]
    about: Circumstances = Circumstances()


class ChallengeAnswerGiven(_Given):
    """An answer of whoever was asked: `response` of a captcha's widget or of a proof of work, or a `code`."""

    account: AccountNamed
    response: Annotated[
        str | None,
        Field(min_length=1, max_length=_LONGEST_ANSWER, description="What the widget or the solver gave."),
        AfterValidator(lambda text: text and _plain(text)),
    ] = None
    code: Annotated[
        str | None,
        Field(min_length=1, max_length=32, description="The digits that were typed.", examples=["042 117"]),
        AfterValidator(lambda text: text and _plain(text)),
    ] = None
    about: Circumstances = Circumstances()

    @model_validator(mode="after")
    def _one(self) -> "ChallengeAnswerGiven":
        if (self.response is None) == (self.code is None):
            raise ValueError("give either a response or a code")
        return self

    @property
    def text(self) -> str:
        """What was given."""
        return self.response or self.code or ""


class ResultGiven(_Given):
    """What came of a challenge that your own service carried out."""

    account: AccountNamed
    passed: Annotated[bool, Field(strict=True, description="Whether it was passed; if not, it has failed for good.")]
    about: Circumstances = Circumstances()


@dataclass(frozen=True, slots=True)
class ChallengeShown:
    """A challenge. `show` is what your page needs to show it, and empty once it is over.

    `code` is there once, in the answer that says that it is new: bring it to the mailbox or the telephone, and keep it
    nowhere. `ended` is when it was passed, failed or expired.
    """

    id: str
    kind: str
    account: str
    action: int | None
    state: ChallengeState
    made: datetime
    expires: datetime
    attempts_left: int
    show: dict[str, str | int]
    ended: datetime | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class ChallengeAnswered:
    """What an answer came to; `open` where it was wrong and another may be given.

    `verified` is false where nobody could judge the answer and the settings let it pass all the same. `recorded` says
    whether the log has it already, so that the account's standing is what it makes it; where it is false that follows
    by itself. Both are null where they say nothing.
    """

    id: str
    state: ChallengeState
    attempts_left: int
    verified: bool | None
    recorded: bool | None
