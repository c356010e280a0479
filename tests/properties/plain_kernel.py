"""The kernel as plain Python, with a mistake planted in it: quick to make, slow to run, the same in every other way."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np

from fairgate.kernel.rows import Rows

_PACKAGE = "fairgate.kernel"
_MODULES = ("layout", "program", "held", "keys", "rings", "sets", "advance", "arena", "carry", "rows")


@dataclass(frozen=True)
class Mutant:
    """A mistake: in which module of the kernel, and what is written there instead of what."""

    module: str
    right: str
    wrong: str


def plain_rows(mutant: Mutant | None = None) -> type[Rows]:
    """`Rows` over functions that numba never sees. Raises where the mutant's text isn't found exactly once."""
    compiled = ModuleType(f"{_PACKAGE}.compiled")
    vars(compiled).update(part=lambda function: function, entry=lambda function: function, settle=lambda: True)
    with _modules_kept():
        sys.modules[compiled.__name__] = compiled
        for name in _MODULES:
            made = _module(name, mutant if mutant and mutant.module == name else None)
    plain: type[Rows] = made.Rows
    return plain


def _module(name: str, mutant: Mutant | None) -> ModuleType:
    spec = find_spec(f"{_PACKAGE}.{name}")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text(encoding="utf-8")
    if mutant is not None:
        assert source.count(mutant.right) == 1, f"{name} has {source.count(mutant.right)} times: {mutant.right}"
        source = source.replace(mutant.right, mutant.wrong)
    made = ModuleType(spec.name)
    sys.modules[spec.name] = made
    setattr(sys.modules[_PACKAGE], name, made)
    exec(compile(source, f"<plain {name}>", "exec"), vars(made))  # noqa: S102 - the kernel's own source
    return made


@contextmanager
def _modules_kept() -> Iterator[None]:
    """Everybody else goes on with the kernel they have."""
    kept = {f"{_PACKAGE}.{name}": sys.modules[f"{_PACKAGE}.{name}"] for name in (*_MODULES, "compiled")}
    try:
        yield
    finally:
        sys.modules.update(kept)
        for name, module in kept.items():
            setattr(sys.modules[_PACKAGE], name.rpartition(".")[2], module)


@contextmanager
def wrapping() -> Iterator[None]:
    """Let 64-bit words wrap around without a warning, as they do in compiled code."""
    with np.errstate(over="ignore"):
        yield
