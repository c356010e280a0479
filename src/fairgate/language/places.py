"""Where each table, key and element of a TOML text stands: `tomllib` reads the values but keeps no positions."""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
#: What stands under this in a path is no value, but the key that the path leads to.
KEY = -1

_NAMES = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
_DOTTED = rf"({_NAMES}(?:[ \t]*\.[ \t]*{_NAMES})*)"
_NAME = re.compile(_NAMES)
_HEADER = re.compile(rf"(\[\[?)[ \t]*{_DOTTED}[ \t]*\]\]?")
_KEY = re.compile(rf"{_DOTTED}[ \t]*=[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_STRING = re.compile(
    r"""'''(?:\r?\n)?(?P<lines>.*?'{0,2})'''(?!')|\"""(?:\r?\n)?(?P<escaped_lines>(?:\\.|[^\\])*?"{0,2})\"""(?!")"""
    r"""|'(?P<line>[^'\n]*)'|"(?P<escaped_line>(?:\\.|[^"\\\n])*)\"""",
    re.DOTALL,
)
#: Numbers, true and false, times; a date and its time may have one space between them.
_SCALAR = re.compile(r"[^\s,\]}#]+(?: \d\d:[^\s,\]}#]+)?")


class Spot(NamedTuple):
    """Line and column, from 1, and how far the thing reaches in that line.

    `written` is what stands between the quotes of a string, else empty.
    """

    line: int
    column: int
    width: int = 1
    written: str = ""


def positions(text: str) -> Mapping[Path, Spot]:
    """The spot of every table (its header or brace), key, value and array element; of a string, its first character.

    The text must be valid TOML. RecursionError where it is nested too deeply.
    """
    scanner = _Scanner(text)
    scanner.document()
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    spots = {}
    for path, (start, end, is_string) in scanner.found.items():
        line, spelled = bisect_right(starts, start), text[start:end].replace("\r\n", "\n")
        width = max(1, len(spelled.split("\n")[0]))
        spots[path] = Spot(line, start - starts[line - 1] + 1, width, spelled if is_string else "")
    return spots


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Path, tuple[int, int, bool]] = {}
        self.counts: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        self.blank()
        while self.at < len(self.text):
            header = _HEADER.match(self.text, self.at)
            if header:
                table = self.enter(_names(header[2]), is_array=header[1] == "[[")
                self.found[table] = (self.at, header.end(), False)
                self.at = header.end()
            else:
                self.pair(table)
            self.blank()

    def enter(self, names: tuple[str, ...], *, is_array: bool) -> Path:
        """The path of a header, with the index of the array element it is in."""
        path: Path = ()
        for index, name in enumerate(names):
            path = (*path, name)
            self.found.setdefault(path, (self.at, self.at, False))
            if is_array and index == len(names) - 1:
                self.counts[path] = self.counts.get(path, -1) + 1
            if path in self.counts:
                path = (*path, self.counts[path])
        return path

    def pair(self, table: Path) -> None:
        """A key and its value."""
        key = _KEY.match(self.text, self.at)
        if key is None:
            msg = f"positions of a text that is not TOML, at {self.at}"
            raise AssertionError(msg)
        path = table
        for name in _names(key[1]):
            path = (*path, name)
            self.found.setdefault(path, (self.at, self.at, False))
        self.found[*path, KEY] = (*key.span(1), False)
        self.at = key.end()
        self.value(path)

    def value(self, path: Path) -> None:
        start = self.at
        self.found[path] = (start, start, False)
        opening = self.text[start]
        if opening == "[":
            self.array(path)
        elif opening == "{":
            self.inline_table(path)
        elif opening in "\"'":
            string = _STRING.match(self.text, start)
            if string and string.lastgroup:
                self.found[path] = (*string.span(string.lastgroup), True)
            self.skip(_STRING)
        else:
            self.skip(_SCALAR)
            self.found[path] = (start, self.at, False)

    def array(self, path: Path) -> None:
        index = 0
        while self.inside("]"):
            self.value((*path, index))
            index += 1

    def inline_table(self, path: Path) -> None:
        while self.inside("}"):
            self.pair(path)

    def inside(self, closing: str) -> bool:
        """Step over an opening bracket or a comma; whether an element follows, else step over the closing one."""
        for expected in ("[{,", closing):
            self.blank()
            if self.text[self.at] in expected:
                self.at += 1
                if expected == closing:
                    return False
        self.blank()
        return True

    def blank(self) -> None:
        self.skip(_BLANK)

    def skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else len(self.text)


def _names(dotted: str) -> tuple[str, ...]:
    return tuple(_unquoted(name) for name in _NAME.findall(dotted))


def _unquoted(name: str) -> str:
    if name[0] == '"' and "\\" in name:
        return str(tomllib.loads(f"name = {name}")["name"])
    return name.strip(name[0]) if name[0] in "\"'" else name
