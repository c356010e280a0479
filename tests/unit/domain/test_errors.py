"""The error tree is as its module draws it."""

import re
from collections.abc import Iterator

from fairgate.domain import errors
from fairgate.domain.errors import FairgateError
from fairgate.language.problems import PackError

_LINE = re.compile(r"(?P<bars>(?:\|   )*)\+-- (?P<name>\w+)")


def drawn() -> Iterator[tuple[str, str]]:
    """Each error in the drawing, with the one above it."""
    above = [FairgateError.__name__]
    for line in (errors.__doc__ or "").splitlines():
        found = _LINE.match(line)
        if found:
            depth = len(found["bars"]) // 4
            above[depth + 1 :] = [found["name"]]
            yield found["name"], above[depth]


def there(base: type[FairgateError] = FairgateError) -> Iterator[tuple[str, str]]:
    """Each error of this program, with the one that it is a kind of."""
    for each in base.__subclasses__():
        if each.__module__ in {errors.__name__, PackError.__module__}:
            yield each.__name__, base.__name__
            yield from there(each)


def test_the_drawing_shows_every_error_where_it_is() -> None:
    shown = list(drawn())
    assert sorted(shown) == sorted(there())
    assert len(shown) > 50
