"""Who tries to log in too often waits, longer each time: by name, and by address."""

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from fairgate.domain.people import folded
from fairgate.domain.windows import HOUR, MINUTE, SECOND

#: Failures before anybody waits.
FREE_BY_NAME: Final = 5
FREE_BY_ADDRESS: Final = 20
#: After the first that is too many it is a second, then twice as long each time.
_FIRST, _LONGEST = SECOND, 15 * MINUTE
#: How long failures are remembered.
_MEMORY = 24 * HOUR
#: Names and addresses that are remembered, each.
_MOST = 50_000


@dataclass(slots=True)
class _Tries:
    failures: int
    last: int
    until: int


class _Counter:
    """Failures by key. The one that was not met for longest is forgotten first."""

    def __init__(self, free: int) -> None:
        self._free = free
        self._known: OrderedDict[bytes, _Tries] = OrderedDict()

    def wait(self, key: bytes, now: int) -> int:
        found = self._known.get(key)
        return 0 if found is None or now - found.last > _MEMORY else max(0, found.until - now)

    def failed(self, key: bytes, now: int) -> None:
        found = self._known.pop(key, None)
        if found is None or now - found.last > _MEMORY:
            found = _Tries(0, now, now)
        found.failures, found.last = found.failures + 1, now
        beyond = found.failures - self._free
        found.until = now + min(_LONGEST, _FIRST << min(beyond, 20)) if beyond >= 0 else now
        self._known[key] = found
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

    def succeeded(self, key: bytes, *, all_of_them: bool) -> None:
        found = self._known.get(key)
        if found is not None:
            found.failures = 0 if all_of_them else max(0, found.failures - 1)
            found.until = found.last


class Throttle:
    """Counts each try as a failure until it has succeeded, so that many at once are not let by.

    It knows nothing of who there is: a name that nobody has waits as others do. It is kept in memory alone, and for one
    thread.
    """

    def __init__(self) -> None:
        self._names = _Counter(FREE_BY_NAME)
        self._addresses = _Counter(FREE_BY_ADDRESS)

    def tries(self, name: str, address: str, now: int) -> int:
        """Count a try and return 0; or the microseconds to wait before the next, without counting one."""
        by_name, by_address = _key(folded(name)), _key(address)
        wait = max(self._names.wait(by_name, now), self._addresses.wait(by_address, now))
        if not wait:
            self._names.failed(by_name, now)
            self._addresses.failed(by_address, now)
        return wait

    def succeeded(self, name: str, address: str) -> None:
        """Take a try back, and with it all failures under the name; those of the address stay, as others may be there.

        Else whoever has a name could try others' for ever.
        """
        self._names.succeeded(_key(folded(name)), all_of_them=True)
        self._addresses.succeeded(_key(address), all_of_them=False)


def _key(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
