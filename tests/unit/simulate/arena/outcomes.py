"""Outcomes of runs for the tests of figures and reports."""

from typing import Any

import msgspec

from fairgate.simulate.arena.outcome import Honest, Opponents, Outcome

DAYS = 4
NOBODY = Opponents(
    operators=0, left=0, accounts=0, closed=0, noticed=0, hours=None, watched=0, week=0, banned=0, returned=0,
    asked=0.0, paid=0.0, earned=0.0, daily=(0.0,) * DAYS, costs=(0.0,) * DAYS, first={}, ways=({}, {}),
)  # fmt: skip
QUIET = Honest(
    accounts=100, requests=1000, stopped=0, denied=0, closed=0, challenged=0, throttled=0, victims=0, waited=0.0,
    daily=(100.0,) * DAYS,
)  # fmt: skip


def opponents(**changed: Any) -> Opponents:  # noqa: ANN401 - any field
    """An archetype's fate: nothing, but for what is given."""
    return msgspec.structs.replace(NOBODY, **changed)


def honest(**changed: Any) -> Honest:  # noqa: ANN401 - any field
    """A segment's fate: nothing happened to a hundred accounts, but for what is given."""
    return msgspec.structs.replace(QUIET, **changed)


def outcome(seed: int = 1, pack: str = "mine", **changed: Any) -> Outcome:  # noqa: ANN401 - any field
    """A run of four days."""
    base: dict[str, Any] = {
        "world": "test", "fingerprint": "f", "pack": pack, "seed": seed, "days": DAYS, "asked": DAYS, "events": 10,
        "seconds": 1.0, "opponents": {}, "honest": {"hobbyist": QUIET}, "rules": {}, "reviews": 0,
        "review_dollars": 0.0,
    }  # fmt: skip
    return Outcome(**{**base, **changed})
