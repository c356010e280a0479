import pytest

from fairgate.domain.errors import FairgateError
from fairgate.domain.pack import Place
from fairgate.language.problems import PackError, Problem, Problems, nearest, one_of, render, with_article


def shown(line: str, column: int, width: int = 1, what: str = "wrong") -> list[str]:
    return render(Problem(Place("f", 1, column), what, width), {"f": line}).split("\n")[1:]


@pytest.mark.parametrize(
    ("line", "column", "width", "carets"),
    [
        ("abc = x", 7, 1, "      ^"),
        ("a\tb", 3, 1, " \t^"),
        ("東京 x", 4, 1, "     ^"),
        ("東京 x", 1, 2, "^^^^"),
        ("e\u0301 x", 4, 1, "  ^"),
        ("ab", 3, 1, "  ^"),
        ("ab", 2, 9, " ^"),
    ],
)
def test_carets_stand_under_what_is_wrong(line: str, column: int, width: int, carets: str) -> None:
    assert shown(line, column, width) == [f"  1 | {line}", f"    | {carets}"]


def test_no_terminal_obeys_what_is_shown() -> None:
    problem = Problem(Place("f", 1, 1), "no \x1b[31m", hint="\x07")
    assert "\x1b" not in render(problem, {"f": "a\x1b[2J\u202e"})
    assert shown("a\x1b[2J", 1) == ["  1 | a�[2J", "    | ^"]


def test_of_a_long_line_the_part_around_the_fault_is_shown() -> None:
    line, carets = shown("x " * 500 + "here " + "y " * 500, 1_001, 4)
    assert len(line) < 200
    assert line[len(carets) - 4 :].startswith("here")


@pytest.mark.parametrize("place", [Place("f", 9, 1), Place("g", 1, 1), Place("f", 2, 1)])
def test_a_place_without_a_line_shows_none(place: Place) -> None:
    assert render(Problem(place, "wrong"), {"f": "a\n  \n"}) == f"{place.file}:{place.line}:{place.column}: wrong"


def test_problems_come_once_and_in_order() -> None:
    problems = Problems()
    for line, what in ((2, "b"), (1, "a"), (2, "b")):
        problems.add(Place("f", line, 1), what)
    with pytest.raises(PackError) as caught:
        problems.raise_if_any({})
    assert [each.what for each in caught.value.problems] == ["a", "b"]
    assert isinstance(caught.value, FairgateError)
    assert str(caught.value) == "f:1:1: a\n\nf:2:1: b"


def test_no_problems_raise_nothing() -> None:
    Problems().raise_if_any({})


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("contry", ["country", "count"], "did you mean `country`?"),
        ("COUNTRY", ["country"], "did you mean `country`?"),
        ("x", ["country"], ""),
        ("x", [], ""),
    ],
)
def test_the_nearest_word(word: str, known: list[str], hint: str) -> None:
    assert nearest(word, known) == hint


def test_all_words_where_none_is_near() -> None:
    assert one_of("x", ["b", "a"]) == "known: a, b"
    assert one_of("x", []) == "there are none"
    assert one_of("x", map(str, range(100, 130))).endswith("119, ...")


@pytest.mark.parametrize(
    ("word", "phrase"), [("email", "an email"), ("text", "a text"), ("user_agent", "a user_agent")]
)
def test_articles(word: str, phrase: str) -> None:
    assert with_article(word) == phrase
