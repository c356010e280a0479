"""Letters that look alike: which scripts a word mixes, and its twin in Latin letters.

The table is Fairgate's own and small: lower-case Cyrillic and Greek letters, and three odd Latin ones, each with the
Latin letter that it, or its capital, is taken for; where the two look like different letters the small one counts.
It leaves out other scripts, accents, letter pairs (rn for m) and digits (1 for l).
"""

import unicodedata

_CYRILLIC = {
    "A": "a", "VE": "b", "SOFT SIGN": "b", "ES": "c", "KOMI DE": "d", "IE": "e", "EN": "h", "SHHA": "h",
    "BYELORUSSIAN-UKRAINIAN I": "i", "JE": "j", "KA": "k", "PALOCHKA": "l", "EM": "m", "PE": "n", "O": "o",
    "ER": "p", "QA": "q", "GHE": "r", "DZE": "s", "TE": "t", "IZHITSA": "v", "WE": "w", "HA": "x", "U": "y",
    "STRAIGHT U": "y",
}  # fmt: skip
_GREEK = {
    "ALPHA": "a", "BETA": "b", "EPSILON": "e", "IOTA": "i", "KAPPA": "k", "ETA": "n", "OMICRON": "o", "RHO": "p",
    "TAU": "t", "UPSILON": "u", "MU": "u", "NU": "v", "OMEGA": "w", "CHI": "x", "GAMMA": "y", "ZETA": "z",
}  # fmt: skip
_LATIN = {"ALPHA": "a", "SCRIPT G": "g", "DOTLESS I": "i"}

_TWINS = {
    ord(unicodedata.lookup(f"{script} SMALL LETTER {name}")): twin
    for script, letters in (("CYRILLIC", _CYRILLIC), ("GREEK", _GREEK), ("LATIN", _LATIN))
    for name, twin in letters.items()
}

# Chinese, Japanese and Korean are written in several of these at once, and beside Latin words too.
_EAST_ASIAN = frozenset({"BOPOMOFO", "CJK", "HANGUL", "HIRAGANA", "IDEOGRAPHIC", "KATAKANA", "KATAKANA-HIRAGANA"})
_NO_SCRIPT = frozenset({"MODIFIER"})


def latin_twin(text: str) -> str:
    """Lower-case text with every letter of the table replaced; the rest, and so the length, stays."""
    return text if text.isascii() else text.translate(_TWINS)


def mixes_scripts(text: str) -> bool:
    """Whether the letters come from more than one script, other than East Asian ones with or without Latin.

    A letter's script is the first word of its Unicode name; marks, digits and symbols have none.
    """
    if text.isascii():
        return False
    scripts = {
        unicodedata.name(char, "").partition(" ")[0] for char in text if unicodedata.category(char).startswith("L")
    } - _NO_SCRIPT
    if not scripts.isdisjoint(_EAST_ASIAN):
        scripts = scripts - _EAST_ASIAN - {"LATIN"} | {"EAST ASIAN"}
    return len(scripts) > 1
