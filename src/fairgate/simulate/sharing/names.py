"""The policies by name."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from fairgate.simulate.sharing.clusters import Clusters
from fairgate.simulate.sharing.fair import Fair
from fairgate.simulate.sharing.fcfs import FirstCome
from fairgate.simulate.sharing.policy import Capacity, Policy
from fairgate.simulate.sharing.token_bucket import TokenBuckets
from fairgate.simulate.sharing.vtc import VirtualTokenCounter

POLICIES: Final[Mapping[str, Callable[[Capacity, Random], Policy]]] = {
    "fcfs": lambda capacity, _: FirstCome(capacity),
    "token_bucket": lambda capacity, _: TokenBuckets(capacity),
    "vtc": lambda capacity, _: VirtualTokenCounter(capacity),
    "clusters": lambda capacity, _: Clusters(capacity),
    "fair": Fair,
}
#: What each is, in a few words.
ABOUT: Final[Mapping[str, str]] = {
    "fcfs": "first come, first served",
    "token_bucket": "a limit for each account, as gateways have it",
    "vtc": "virtual token counter for each account (OSDI '24)",
    "clusters": "the same for each known cluster",
    "fair": "Fairgate's share",
}
