"""What is wrong with a pack, shown as a compiler shows it: file, line, column, the line itself, a caret, a hint."""

import difflib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fairgate.domain.errors import FairgateError
from fairgate.domain.pack import Place

#: Known words that a hint names where none is near.
_MOST_NAMED = 20
#: Characters of a line that are shown before a fault; with those after it, twice as many.
_MOST_SHOWN = 90


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: where, what, how many characters it spans, and what to do about it."""

    place: Place
    what: str
    width: int = 1
    hint: str = ""


@dataclass
class Problems:
    """Faults gathered while checking goes on, so that several are told at once."""

    found: list[Problem] = field(default_factory=list)

    def add(self, place: Place, what: str, *, width: int = 1, hint: str = "") -> None:
        """Note a fault."""
        self.found.append(Problem(place, what, width, hint))

    def raise_if_any(self, files: Mapping[str, str]) -> None:
        """Refuse the pack whole, if anything was found."""
        if self.found:
            raise PackError(tuple(self.found), files)


class PackError(FairgateError):
    """The pack has faults and is refused whole.

    `problems` are ordered by their place; `files` are the pack's texts, for `render`.
    """

    def __init__(self, problems: tuple[Problem, ...], files: Mapping[str, str]) -> None:
        self.problems = in_order(problems)
        self.files = files
        super().__init__("\n\n".join(render(problem, files) for problem in self.problems))


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """By file, line and column, each once."""
    places = sorted(dict.fromkeys(problems), key=lambda each: (each.place.file, each.place.line, each.place.column))
    return tuple(places)


def render(problem: Problem, files: Mapping[str, str]) -> str:
    """The fault as text, with the line it is in. What can't be printed is shown as �, so that no terminal obeys it."""
    place = problem.place
    shown = [f"{place.file}:{place.line}:{place.column}: {_printable(problem.what)}"]
    lines = files.get(place.file, "").split("\n")
    if place.line <= len(lines) and lines[place.line - 1].strip():
        number, source = str(place.line), lines[place.line - 1].rstrip("\r")
        before, under, after = _parts(source, place.column - 1, problem.width)
        pad = "".join("\t" if character == "\t" else " " * _columns(character) for character in before)
        carets = "^" * max(1, sum(_columns(character) for character in under))
        shown += [f"  {number} | {_printable(before + under + after)}", f"  {' ' * len(number)} | {pad}{carets}"]
    if problem.hint:
        shown.append(f"  hint: {_printable(problem.hint)}")
    return "\n".join(shown)


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint naming the known word that is most like this one, or empty."""
    spelled = {each.lower(): each for each in sorted(known, reverse=True)}
    close = difflib.get_close_matches(word.lower(), list(spelled), n=1, cutoff=0.6)
    return f"did you mean `{spelled[close[0]]}`?" if close else ""


def one_of(word: str, known: Iterable[str]) -> str:
    """A hint naming the nearest known word, else all of them."""
    names = sorted(known)
    more = ", ..." if len(names) > _MOST_NAMED else ""
    return nearest(word, names) or (f"known: {', '.join(names[:_MOST_NAMED])}{more}" if names else "there are none")


def with_article(word: str) -> str:
    """`a phone`, `an email`."""
    return f"an {word}" if word.startswith(("a", "e", "i", "o")) else f"a {word}"


def _parts(source: str, start: int, width: int) -> tuple[str, str, str]:
    """A line before, under and after its carets; of a long line only what is near them."""
    before, under, after = source[:start], source[start : start + width], source[start + width :]
    if len(before) > _MOST_SHOWN:
        before = f"...{before[3 - _MOST_SHOWN :]}"
    room = 2 * _MOST_SHOWN - len(before)
    if len(under) > room:
        return before, under[:room], "..."
    room -= len(under)
    return before, under, after if len(after) <= room else f"{after[:room]}..."


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() or character == "\t" else "�" for character in text)


def _columns(character: str) -> int:
    """How many columns of a terminal a character takes."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
