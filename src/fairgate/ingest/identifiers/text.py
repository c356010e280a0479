"""Characters that have no business in an identifier: those one can't see, and those that change how others are read."""

import re
import unicodedata

from fairgate.ingest.identifiers.value import BadValue

# Printable by their category, and yet drawn as nothing: joiners, fillers, variation selectors, the empty braille cell.
_BLANK = re.compile(
    "[\N{COMBINING GRAPHEME JOINER}\N{HANGUL CHOSEONG FILLER}\N{HANGUL JUNGSEONG FILLER}\u17b4\u17b5"
    "\u180b-\u180d\u180f\N{BRAILLE PATTERN BLANK}\N{HANGUL FILLER}\ufe00-\ufe0f\N{HALFWIDTH HANGUL FILLER}"
    "\U000e0100-\U000e01ef]"
)
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NAMES = {
    "Cc": "a control character",
    "Cf": "an invisible character",
    "Cn": "a character Unicode has not assigned",
    "Co": "a private-use character",
    "Cs": "a lone surrogate",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
    "Zs": "a space",
}


def refuse_hidden(text: str) -> None:
    """Raise `BadValue` if a character is invisible, unassigned, a control, a surrogate or any space but U+0020."""
    if not text.isprintable():
        raise BadValue(f"has {describe(next(char for char in text if not char.isprintable()))}")
    if not text.isascii() and (blank := _BLANK.search(text)):
        raise BadValue(f"has an invisible character ({code_point(blank[0])})")


def code_point(char: str) -> str:
    """The character by its number, safe to show: U+202E."""
    return f"U+{ord(char):04X}"


def describe(char: str) -> str:
    """A character that isn't printable, in words and by its number."""
    name = "a bidirectional control" if char in _BIDI else _NAMES[unicodedata.category(char)]
    return f"{name} ({code_point(char)})"
