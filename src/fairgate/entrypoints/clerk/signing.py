"""Signatures of webhooks, as Standard Webhooks 1.0 has them: HMAC-SHA256 over id, time and body."""

import base64
import binascii
import os
import secrets
from collections.abc import Mapping
from hmac import digest
from typing import Final

from fairgate.domain.errors import BadSettings

#: Before the name of a webhook, in capitals: the variable that has its secret.
VARIABLE: Final = "FAIRGATE_WEBHOOK_"
_PREFIX = "whsec_"
#: Bytes of a secret: at least, of a new one, and at most.
_LEAST, _NEW, _MOST = 24, 32, 64


class Signer:
    """Signs what is sent to one receiver."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def headers(self, message: str, seconds: int, body: bytes) -> Mapping[str, str]:
        """The headers of a body that is sent at a time, in whole seconds since 1970."""
        signed = digest(self._key, f"{message}.{seconds}.".encode() + body, "sha256")
        return {
            "content-type": "application/json",
            "webhook-id": message,
            "webhook-timestamp": str(seconds),
            "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
        }


def new_secret() -> str:
    """A secret for a receiver, to be given to both sides."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_NEW)).decode()


def signer_of(name: str) -> Signer:
    """The signer of a webhook, with its secret from the environment. Raises `BadSettings`."""
    variable = variable_of(name)
    text = os.environ.get(variable)
    if text is None:
        what = f"The webhook `{name}` needs a secret in the environment variable {variable}"
        raise BadSettings(f"{what}: `fairgate webhooks secret` makes one.")
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not _LEAST <= len(key) <= _MOST:
        what = f"The environment variable {variable} holds no secret of a webhook"
        raise BadSettings(
            f"{what}: `whsec_` and {_LEAST} to {_MOST} bytes in base64, as `fairgate webhooks secret` makes."
        )
    return Signer(key)


def variable_of(name: str) -> str:
    """The environment variable that has a webhook's secret."""
    return VARIABLE + name.upper().replace("-", "_")
