"""Keys that can be forgotten: what is sealed under one is gone when the key is."""

from typing import Protocol


class SubjectKeys(Protocol):
    """Random 32-byte keys by number 0, 1, 2, ... Every number has one, from before it is first asked for.

    A key that was given out is durable: it survives the end of the process and the loss of power. Any number of readers
    may be open beside one writer.
    """

    def get(self, number: int) -> bytes | None:
        """The key of a number; None where it has been erased. Raises `KeysUnusable` where it can't be read or made."""
        ...

    def erase(self, numbers: list[int]) -> None:
        """Overwrite keys, durably, before this returns. Erasing twice is harmless. Raises `KeysUnusable`."""
        ...
