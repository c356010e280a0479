"""The lines of the sidecar's file: what was said of accounts and capacities by hand, and what decisions came to."""

from datetime import datetime
from typing import TypeAlias

import msgspec

from fairgate.share import Standing

FORMAT = 1


class Said(msgspec.Struct, frozen=True, tag="principal", tag_field="what"):
    """What is known of an account, said by somebody for a reason."""

    time: str
    by: str
    reason: str
    account: str
    version: int
    standing: Standing
    format: int = FORMAT


class Resized(msgspec.Struct, frozen=True, tag="capacity", tag_field="what"):
    """A pool's capacity, said by somebody for a reason, while the settings said `instead_of`."""

    time: str
    by: str
    reason: str
    pool: str
    capacity: float
    instead_of: float
    format: int = FORMAT


class Decided(msgspec.Struct, frozen=True, tag="decided", tag_field="what"):
    """How an account stands by decisions: what a message said that was made at `said`, and came at `time`.

    It is kept as it was told, so that what it comes to here is for the settings to say.
    """

    time: str
    message: str
    said: datetime
    account: str
    action: str
    use: bool
    rate: float
    format: int = FORMAT


class Switched(msgspec.Struct, frozen=True, tag="switched", tag_field="what"):
    """That an action (`action:ban`), or `all` enforcement, is switched off or on: by a message, likewise."""

    time: str
    message: str
    said: datetime
    switch: str
    off: bool
    format: int = FORMAT


Line: TypeAlias = Said | Resized | Decided | Switched
