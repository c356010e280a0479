"""How the kernel is compiled by numba, and where what was compiled is kept."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from numba import njit
from numba.core.caching import FunctionCache

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])

# IEEE division (0/0 is NaN), and Python's lock is let go of. `_nrt` are numba's reference counts, which took two thirds
# of the time. The arrays outlive each call, so none are needed; a compiled function can just not make any of its own.
_OPTIONS: Mapping[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}

_entries: list[Any] = []


def _digest() -> str:
    hashed = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        hashed.update(path.read_bytes())
    return hashed.hexdigest()


class _KernelCache(FunctionCache):
    """numba asks only whether a function's own file has changed; what it compiled has all the kernel's files in it."""

    _kernel = _digest()

    def _index_key(self, sig: object, codegen: object) -> tuple[object, ...]:
        return (*super()._index_key(sig, codegen), self._kernel)  # type: ignore[no-untyped-call]


def part(function: AnyFunction) -> AnyFunction:
    """A function that compiled functions call: its code becomes a part of theirs."""
    compiled: AnyFunction = njit(forceinline=True, **_OPTIONS)(function)
    return compiled


def entry(function: AnyFunction) -> AnyFunction:
    """A function that Python calls: compiled at its first call, or loaded from what an earlier process compiled.

    That is kept in `__pycache__` beside the kernel, in the user's cache folder where that can't be written, or in
    $NUMBA_CACHE_DIR. Where numba finds no folder that it can write to, every process compiles for itself.
    """
    compiled: AnyFunction = njit(**_OPTIONS)(function)
    try:
        # numba has no public way to say what else a result depends on.
        compiled._cache = _KernelCache(function)  # type: ignore[attr-defined,no-untyped-call]  # noqa: SLF001
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
    _entries.append(compiled)
    return compiled


def settle() -> bool:
    """Make any call that needs compiling a TypeError from now on. Returns whether all was loaded, nothing compiled."""
    for each in _entries:
        each.disable_compile()
    return all(each.stats.cache_hits.keys() >= set(each.signatures) for each in _entries)


def kept_in() -> str | None:
    """The folder that what was compiled is kept in; None where numba found none that it can write to."""
    caches = [each._cache for each in _entries]  # noqa: SLF001 - as above
    return next((str(cache.cache_path) for cache in caches if isinstance(cache, _KernelCache)), None)
