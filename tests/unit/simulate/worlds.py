"""A small world for tests, as its file tells it."""

from pathlib import Path

from fairgate.simulate.honest_people import SEGMENTS
from fairgate.simulate.opponents import archetypes
from fairgate.simulate.world_file import Known, Loaded, read_world

KNOWN = Known(
    segments=tuple(SEGMENTS),
    challenges=("person", "intruder", "robot"),
    opponents={name: (each.prices, each.figures) for name, each in archetypes().items()},
)
TEXT = """
name = "test"
about = "for tests"
begins = "2026-09-07"
honest = 10
growth = 0.02

[service]
trial_dollars = { low = 5, high = 5 }
referral_dollars = { low = 5, high = 10 }
review_hours = { low = 2, high = 2 }
review_dollars = { low = 4, high = 4 }
review_misses = 0
review_wrongs = 0
appeals = 1
throttled_hours = 24
throttled_hourly = 2
challenge_hours = 48

[challenge.person]
passes = 1
seconds = { low = 30, high = 30 }
dollars = { low = 0, high = 0 }

[challenge.intruder]
passes = 0
seconds = { low = 30, high = 30 }
dollars = { low = 0, high = 0 }

[challenge.robot]
passes = 0.5
seconds = { low = 10, high = 40 }
dollars = { low = 0.001, high = 0.003 }

[price.mailbox]
low = 0.01
high = 0.2
source = "Thomas et al. 2013"
date = "2013-08"
supply = 1000

[price.phone]
low = 0.08
high = 4.93
source = "a price list"
date = "2025-11"
supply = 500
dearer = 2

[price.profile]
low = 0.2
high = 1
source = "assumed"
date = "2026"
supply = 5000

[price.server]
low = 3
high = 8
source = "assumed"
date = "2026"
supply = 5000

[price.traffic]
low = 0.89
high = 5
source = "a price list"
date = "2025-11"
supply = 5000

[segment.hobbyist]
share = 0.9
daily = { low = 2, high = 30 }
days = 0.3

[segment.family]
share = 0.1
daily = { low = 2, high = 30 }
days = 0.3

[opponent.credit_farm]
operators = 1
budget = { low = 200, high = 2000 }
skill = { low = 0.2, high = 0.9 }
resale = { low = 0.4, high = 0.6, source = "assumed", date = "2026" }

[opponent.credit_farm.more]
accounts = { low = 5, high = 20, source = "assumed", date = "2026" }
"""


def world_of(folder: Path, text: str = TEXT) -> Loaded:
    """The world of a text."""
    path = folder / "world.toml"
    path.write_text(text)
    return read_world(path, KNOWN)
