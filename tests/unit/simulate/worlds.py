"""A small world for tests, as its file tells it."""

from pathlib import Path

from fairgate.simulate.simulation import KNOWN
from fairgate.simulate.world_file import Loaded, read_world

_HEAD = """
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
dispute_days = { low = 10, high = 10 }
classifier_finds = 1
classifier_wrongs = 0
notice_hours = { low = 5, high = 5 }

[habits]
refers = 0.3
second_hand = 0.3
shares_card = 0.1
disputes = 0.1
rotates = 0.05
invites = 0.05
forgets = 0.1

[challenge.person]
passes = 1
seconds = { low = 30, high = 30 }
dollars = { low = 0, high = 0 }

[challenge.company]
passes = 1
seconds = { low = 7200, high = 7200 }
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

[price.card]
low = 5
high = 40
source = "assumed"
date = "2026"
supply = 5000

[price.virtual_card]
low = 1
high = 4
source = "assumed"
date = "2026"
supply = 5000

[price.credential]
low = 0.5
high = 10
source = "assumed"
date = "2026"
supply = 5000

[price.leaked_key]
low = 5
high = 60
source = "assumed"
date = "2026"
supply = 5000

[price.aged_account]
low = 2
high = 15
source = "assumed"
date = "2026"
supply = 5000

[price.vpn]
low = 2
high = 10
source = "assumed"
date = "2026"
supply = 5000

[segment.hobbyist]
share = 0.9
daily = { low = 2, high = 30 }
days = 0.3

[segment.family]
share = 0.1
daily = { low = 2, high = 30 }
days = 0.3
"""
TEXT = "\n".join([_HEAD, *(each.read_text() for each in sorted((Path(__file__).parent / "opponents").glob("*.toml")))])


def world_of(folder: Path, text: str = TEXT) -> Loaded:
    """The world of a text."""
    path = folder / "world.toml"
    path.write_text(text)
    return read_world(path, KNOWN)
