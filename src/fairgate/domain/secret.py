"""What is kept secret, and what is made from it: salts, and tokens that stand for personal texts.

All of it comes from one number of up to 256 bits by keyed BLAKE2b (RFC 7693), each purpose with its own
personalisation, so that what one use gives away tells nothing about another.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

#: Bits of a secret.
SECRET_BITS = 256
#: The highest version: it stands in one byte.
MOST_VERSIONS = 255
TOKEN_BYTES = 16
_MOST_HELD = 1 << 17
_TOKEN = re.compile(r"t[1-9][0-9]*:[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secret by version: the newest is used, the older ones open what was sealed under them."""

    versions: Mapping[int, int]

    @property
    def newest(self) -> int:
        """The version that new records are written under."""
        return max(self.versions)

    @property
    def current(self) -> int:
        """The newest secret."""
        return self.versions[self.newest]

    def before(self, version: int) -> Mapping[int, int]:
        """The versions that are older than one."""
        return {at: secret for at, secret in self.versions.items() if at < version}


def derived(secret: int, purpose: str, size: int = 32) -> bytes:
    """Bytes for a purpose (at most 16 ASCII characters)."""
    key = secret.to_bytes(SECRET_BITS // 8, "big")
    return blake2b(digest_size=size, key=key, person=purpose.encode("ascii")).digest()


def salt_of(secret: int, purpose: str) -> int:
    """A 64-bit salt for a purpose."""
    return int.from_bytes(derived(secret, purpose, 8), "little")


class _Tokens(dict[str | None, bytes | None]):
    """Text to its token, made when first asked for. Missing has none."""

    def __init__(self, secret: int) -> None:
        super().__init__()
        self._mac = blake2b(digest_size=TOKEN_BYTES, key=derived(secret, "tokens"))

    def __missing__(self, text: str | None) -> bytes | None:
        if text is None:
            return None
        if len(self) >= _MOST_HELD:
            self.clear()
        mac = self._mac.copy()
        mac.update(text.encode())
        token = self[text] = mac.digest()
        return token


class _Keys(dict[str | None, int]):
    """Text to the 64-bit key of its token, made when first asked for. Missing has 0."""

    def __init__(self, tokens: _Tokens) -> None:
        super().__init__()
        self._tokens = tokens

    def __missing__(self, text: str | None) -> int:
        if len(self) >= _MOST_HELD:
            self.clear()
        key = self[text] = key_of(self._tokens[text])
        return key


class Tokens:
    """Tokens of texts under one secret: 128-bit MACs, equal where the texts are, that say nothing else about them.

    `of[text]` is a text's token and `key[text]` the key that feature rows know it by, never 0; both know `None`. They
    are kept for the texts of late, in clear: `forget` drops them.
    """

    def __init__(self, secret: int, version: int = 1) -> None:
        self.version = version
        self.of = _Tokens(secret)
        self.key = _Keys(self.of)

    def text(self, text: str) -> str:
        """The token as people and queries write it, such as `t1:0f3a...`, with the secret's version."""
        return token_text(self.version, self.of[text] or b"")

    def forget(self) -> None:
        """Hold no text any more."""
        self.key.clear()
        self.of.clear()


def key_of(token: bytes | None) -> int:
    """The 64-bit key of a token: its first eight bytes; 0 where there is none, and only there."""
    return (int.from_bytes(token[:8], "little") or 1) if token is not None else 0


def token_text(version: int, token: bytes) -> str:
    """A token as people and queries write it."""
    return f"t{version}:{token.hex()}"


def is_token_text(text: str) -> bool:
    """Whether a text is written like a token."""
    return _TOKEN.fullmatch(text) is not None
