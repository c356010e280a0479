"""Where API keys are kept."""

from collections.abc import Mapping
from typing import Protocol

from fairgate.domain.access import ApiKey


class ApiKeys(Protocol):
    """The API keys of one installation, shared by the processes that use them. Any thread may call.

    What a method has changed is durable, and seen by every process, when it returns. Each raises `KeysUnavailable`
    where the store can't be read or written.
    """

    def all(self) -> list[ApiKey]:
        """Every key that was ever made, in the order in which they were made."""
        ...

    def add(self, key: ApiKey) -> None:
        """Keep a new key. Raises `KeysUnavailable` where its id is taken."""
        ...

    def rotate(self, old: str, new: ApiKey, until: int) -> None:
        """Keep `new`, the follower of the key with the id `old`, and let the old one end at `until` at the latest.

        Both or neither happen. Raises `NoSuchKey`, and `KeyEnded` where the old one has been revoked, has expired when
        the new one is made, or has been rotated before.
        """
        ...

    def revoke(self, key_id: str, now: int) -> None:
        """End a key at once. Raises `NoSuchKey`, and `KeyEnded` where it has been revoked before."""
        ...

    def used(self, times: Mapping[str, int]) -> None:
        """Note when keys were last used, by id; an earlier time than the noted one changes nothing."""
        ...

    def version(self) -> tuple[int, int]:
        """Something that is another after any change, by whatever process, and is cheap to ask for (10 us)."""
        ...
