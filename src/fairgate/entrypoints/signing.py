"""Signatures of webhooks, as Standard Webhooks 1.0 has them: HMAC-SHA256 over id, time and body. For both sides."""

import base64
import os
import re
import secrets
from collections.abc import Mapping
from enum import StrEnum
from hmac import compare_digest, digest
from typing import Final

from fairgate.domain.errors import BadSettings
from fairgate.domain.windows import SECOND
from fairgate.ports.clock import Clock

#: Before the name of a webhook, in capitals: the variable that has its secret.
VARIABLE: Final = "FAIRGATE_WEBHOOK_"
#: Seconds that a message may have been sent before, or after, the receiver's own time.
TOLERANCE: Final = 300
_PREFIX = "whsec_"
#: Bytes of a secret: at least, of a new one, and at most.
_LEAST, _NEW, _MOST = 24, 32, 64
_ID, _TIME, _SIGNATURE = b"webhook-id", b"webhook-timestamp", b"webhook-signature"
#: No dot: it ends the id in what is signed, so that what was signed can't be cut into other parts.
_AN_ID = re.compile(rb"[!-\-/-~]{1,256}")
_A_TIME = re.compile(rb"[0-9]{1,12}")
_VERSION = b"v1"


class Flaw(StrEnum):
    """Why a message is not taken for what it says it is."""

    HEADERS = "headers"
    TIME = "time"
    SIGNATURE = "signature"


class Unsigned(Exception):
    """A message whose sender is not known: nothing in it may count."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw)
        self.flaw = flaw


class Signer:
    """Signs what is sent to one receiver."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def headers(self, message: str, seconds: int, body: bytes) -> Mapping[str, str]:
        """The headers of a body that is sent at a time, in whole seconds since 1970."""
        signed = _signed(self._key, message.encode(), str(seconds).encode(), body)
        return {
            "content-type": "application/json",
            "webhook-id": message,
            "webhook-timestamp": str(seconds),
            "webhook-signature": f"v1,{signed.decode()}",
        }


class Verifier:
    """Checks what comes from one sender, by a clock of the receiver's own."""

    def __init__(self, key: bytes, clock: Clock) -> None:
        self._key = key
        self._clock = clock

    def message(self, headers: Mapping[bytes, bytes], body: bytes) -> str:
        """The id of a message that was signed with the key, no longer than `TOLERANCE` before or after now.

        Names of headers are lower case. One good signature among several is enough: a sender that changes its key
        signs with both. Raises `Unsigned`.
        """
        name, time = headers.get(_ID, b""), headers.get(_TIME, b"")
        signatures = headers.get(_SIGNATURE, b"")
        if not (_AN_ID.fullmatch(name) and _A_TIME.fullmatch(time) and signatures):
            raise Unsigned(Flaw.HEADERS)
        if abs(self._clock.now() - int(time) * SECOND) > TOLERANCE * SECOND:
            raise Unsigned(Flaw.TIME)
        wanted = _signed(self._key, name, time, body)
        for each in signatures.split(b" "):
            version, _, given = each.partition(b",")
            if version == _VERSION and compare_digest(given, wanted):
                return name.decode()
        raise Unsigned(Flaw.SIGNATURE)


def new_secret() -> str:
    """A secret for a receiver, to be given to both sides."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_NEW)).decode()


def signer_of(name: str) -> Signer:
    """The signer of a webhook, with its secret from the environment. Raises `BadSettings`."""
    variable = variable_of(name)
    key = key_in(variable)
    if key is None:
        what = f"The webhook `{name}` needs a secret in the environment variable {variable}"
        raise BadSettings(f"{what}: `fairgate webhooks secret` makes one.")
    return Signer(key)


def key_in(variable: str) -> bytes | None:
    """The key in an environment variable that has a secret; None where there is none. Raises `BadSettings`."""
    text = os.environ.get(variable)
    if text is None:
        return None
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except ValueError:  # no base64, or no ASCII
        key = b""
    if not _LEAST <= len(key) <= _MOST:
        what = f"The environment variable {variable} holds no secret of a webhook"
        raise BadSettings(
            f"{what}: `whsec_` and {_LEAST} to {_MOST} bytes in base64, as `fairgate webhooks secret` makes."
        )
    return key


def variable_of(name: str) -> str:
    """The environment variable that has a webhook's secret."""
    return VARIABLE + name.upper().replace("-", "_")


def _signed(key: bytes, message: bytes, time: bytes, body: bytes) -> bytes:
    """The signature in base64."""
    return base64.b64encode(digest(key, b".".join((message, time, body)), "sha256"))
