"""What the sidecar takes and answers: the structs of bodies, with their limits."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from fairgate.entrypoints.door.http import Problem
from fairgate.share import Explanation

#: The longest that a request may wait, in milliseconds.
LONGEST_DEADLINE: Final = 600_000
#: Charges in one body.
MOST_CHARGES: Final = 1_000
_MOST: Final = 1_000_000_000

Name = Annotated[str, Meta(min_length=1, max_length=256)]
Tokens = Annotated[int, Meta(ge=0, le=_MOST)]
Part = Annotated[float, Meta(ge=0, le=1)]
Amount = Annotated[float, Meta(ge=0, le=_MOST)]
Words = Annotated[str, Meta(min_length=1, max_length=1_000)]


class Acquire(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Compute is asked for. `deadline_ms` is how long it may wait: as the settings say, where it is left out."""

    account: Name
    model: Name
    input_tokens: Tokens
    max_output: Tokens
    deadline_ms: Annotated[int, Meta(ge=0, le=LONGEST_DEADLINE)] | None = None


class Granted(msgspec.Struct, gc=False):
    """Leave to use compute. `estimate` is what it is expected to cost, in the pool's unit."""

    grant: str
    estimate: float


class Charge(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What a grant has written so far, in all. Several in an array are as good as one by one."""

    grant: Name
    output: Tokens


class Charged(msgspec.Struct, gc=False):
    """Whether that was news of a grant that goes on. Where it says `stop`, what is written must, and the grant end."""

    charged: bool
    stop: bool = False


class ChargedMany(msgspec.Struct):
    """How many were news of a grant that goes on; the rest were old, or of grants that have ended.

    What is written under the grants in `stop` must stop, and they end: their accounts may use nothing any more.
    """

    charged: int
    stop: list[str] = []


class Settle(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What a grant has used, `cached` being part of `input`."""

    grant: Name
    input: Tokens
    output: Tokens
    cached: Tokens = 0
    gpu_seconds: Amount = 0.0


class Settled(msgspec.Struct, gc=False):
    """Whether this has ended the grant; false where it had ended before."""

    settled: bool


class Abort(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A grant came to an early end, after so much output if that is known."""

    grant: Name
    output: Tokens | None = None


class Aborted(msgspec.Struct, gc=False):
    """Whether this has ended the grant; false where it had ended before."""

    aborted: bool


class Principal(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is known of an account from now on; what is left out is not known. See `fairgate.share.Standing`.

    `version` decides between two that arrive out of order: the larger stays. Without one, this is the newest.
    """

    account: Name
    cluster: Name | None = None
    p_link: Part = 1.0
    trust: Part = 0.5
    paid: Amount = 0.0
    ceil: Part | None = None
    newcomer: bool = False
    verified: bool = False
    version: Annotated[int, Meta(ge=0, le=1 << 53)] | None = None
    reason: Words


class PrincipalAnswer(msgspec.Struct):
    """Whether it is in place, which is that of `version`; false where something newer was, which stays."""

    account: str
    applied: bool
    version: int


class Capacity(msgspec.Struct, forbid_unknown_fields=True):
    """A pool has another capacity from now on, in cost units a second; it may be 0."""

    pool: Name
    capacity: Annotated[float, Meta(ge=0, le=1e15)]
    reason: Words


class CapacityAnswer(msgspec.Struct):
    """The capacity that is in place."""

    pool: str
    capacity: float


class Decision(msgspec.Struct, frozen=True):
    """What decisions came to for an account: the gravest action that stands, by which message, made when.

    `ceil` is what that means here, None for no ceiling; it binds where it `counts`: it is not switched off.
    """

    action: str
    ceil: float | None
    counts: bool
    since: datetime
    message: str


class Explained(Explanation, frozen=True):
    """Why an account gets what it gets, with what decisions came to; None where no message was about it."""

    decision: Decision | None = None


class Heeded(msgspec.Struct, gc=False):
    """Whether a message has changed anything; false for a repeat, an older one, and what is none of the share's."""

    applied: bool


class Later(msgspec.Struct, frozen=True):
    """The body of an answer that is an error, where it is worth asking again after `retry_after` seconds."""

    error: Problem
    retry_after: float
