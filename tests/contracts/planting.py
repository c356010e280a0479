"""Planted mutants: a copy of the program with a small fault in it, which a suite of tests must notice."""

import inspect
import sys
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import ModuleType
from unittest import mock


@dataclass(frozen=True, slots=True)
class Edit:
    """In the source of the function `name` of a class or module, `old` (which must be there) becomes `new`."""

    owner: type | ModuleType
    name: str
    old: str
    new: str


@contextmanager
def planted(*edits: Edit) -> Iterator[None]:
    """Run with these faults in the program."""
    with ExitStack() as stack:
        for edit in edits:
            function = inspect.getattr_static(edit.owner, edit.name)
            source = textwrap.dedent(inspect.getsource(getattr(function, "__func__", function)))
            assert edit.old in source, f"{edit.owner.__name__}.{edit.name} has no {edit.old!r} to make a mutant of"
            # Outside its class, a bare super() knows neither class nor instance.
            mutant = source.replace(edit.old, edit.new).replace("super()", f"super({edit.owner.__name__}, self)")
            home = edit.owner if isinstance(edit.owner, ModuleType) else sys.modules[edit.owner.__module__]
            scope = dict(vars(home))
            exec(mutant, scope)  # noqa: S102 - a mutant is source text
            stack.enter_context(mock.patch.object(edit.owner, edit.name, scope[edit.name]))
        yield
