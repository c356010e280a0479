import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.language.places import KEY, Spot, positions

PACKS = sorted(Path(__file__).parents[3].glob("src/fairgate/packs/*/*.toml"))


@pytest.mark.parametrize(
    ("text", "path", "spot"),
    [
        ("a = 1", ("a",), Spot(1, 5)),
        ("a = 1", ("a", KEY), Spot(1, 1)),
        ('a = "xy"', ("a",), Spot(1, 6, 2, "xy")),
        ("\n\n[t]\n  a   =  'xy' # z", ("t", "a"), Spot(4, 11, 2, "xy")),
        ('a = """\nx\ny"""', ("a",), Spot(2, 1, 1, "x\ny")),
        ("a = '''\r\nx'''\r\nb = 1", ("b",), Spot(3, 5)),
        ('a = """x""""', ("a",), Spot(1, 8, 2, 'x"')),
        ("a = ''''x''''", ("a",), Spot(1, 8, 3, "'x'")),
        (r'a = "x\"y"', ("a",), Spot(1, 6, 4, r"x\"y")),
        ('a = ""', ("a",), Spot(1, 6)),
        ("a = [1, # c ]\n 'x' ,\n]", ("a", 1), Spot(2, 3, 1, "x")),
        ("a = [[1], [2, 3]]", ("a", 1, 1), Spot(1, 15)),
        ("a = { b.c = 1, d = [{ e = 2 }] }", ("a", "b", "c"), Spot(1, 13)),
        ("a = { b.c = 1, d = [{ e = 2 }] }", ("a", "d", 0, "e"), Spot(1, 27)),
        ("a = { d = [{ e = 2 }] }", ("a", "d", 0), Spot(1, 12)),
        ("a = 1979-05-27 07:32:00\nb = 2", ("b",), Spot(2, 5)),
        ("a = 1979-05-27 07:32:00", ("a",), Spot(1, 5, 19)),
        ("[[r]]\n[[r]]\nn = 1", ("r", 1, "n"), Spot(3, 5)),
        ("[[r]]\n[[r.s]]\n[[r]]\n[[r.s]]\n[[r.s]]\nn = 1", ("r", 1, "s", 1, "n"), Spot(6, 5)),
        ("[[r]]\n[r.s]\nn = 1", ("r", 0, "s"), Spot(2, 1, 5)),
        ('[e."a.b".c]\nd = 1', ("e", "a.b"), Spot(1, 1)),
        ('[e."a.b".c]\nd = 1\n[e."a.b"]\nf = 1', ("e", "a.b"), Spot(3, 1, 9)),
        ('"k\\u00e9y" = 1', ("kéy",), Spot(1, 14)),
        ("# [x]\n[ t . u ] # [y]\na = 1", ("t", "u", "a"), Spot(3, 5)),
    ],
)  # fmt: skip
def test_a_value_is_found(text: str, path: tuple[str | int, ...], spot: Spot) -> None:
    assert positions(text)[path] == spot


def leaves(value: object, path: tuple[str | int, ...] = ()) -> dict[tuple[str | int, ...], object]:
    """Every table, array and value by its path."""
    found = {path: value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        found |= leaves(each, (*path, key))
    return found


def everything_is_found(text: str) -> None:
    spots, lines = positions(text), text.split("\n")
    for path, value in leaves(tomllib.loads(text)).items():
        if path:
            spot = spots[path]
            here = lines[spot.line - 1][spot.column - 1 :]
            if isinstance(value, bool):
                assert here.startswith(str(value).lower())
            elif isinstance(value, int):
                assert re.match(rf"{value}\b", here)
            elif isinstance(value, str) and value == spot.written:
                assert here.startswith(value.split("\n")[0])


@pytest.mark.parametrize("file", PACKS, ids=lambda file: f"{file.parent.name}-{file.name}")
def test_everything_in_the_packs_that_ship_is_found(file: Path) -> None:
    everything_is_found(file.read_text("utf-8"))


names = st.sampled_from(["a", "b-c", '"d e"', "'f.g'", '"h\\"i"'])
scalars = st.one_of(
    st.integers(-99, 99).map(str),
    st.sampled_from(
        ["true", "false", '"x"', "''", "'''\ny # z\n'''", '"""a\\\n  b"""', '"]"', "'}'", "1e3", "12:30:00"]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[ {' , '.join(items)}{',' if items else ''}\n# ]\n]"),
        st.dictionaries(names, inner, max_size=3).map(
            lambda pairs: "{" + ", ".join(f"{key} = {value}" for key, value in pairs.items()) + " }"
        ),
    ),
    max_leaves=6,
)
tables = st.builds(
    lambda name, pairs, brackets: (
        f"{brackets}{name}.x{brackets.replace('[', ']')}\n"
        + "\n".join(f" {key} . y = {value} # c" for key, value in pairs.items())
    ),
    names,
    st.dictionaries(names, values, max_size=3),
    st.just("[["),
)


@given(st.lists(tables, max_size=4).map("\n".join))
def test_everything_in_any_document_is_found(text: str) -> None:
    everything_is_found(text)


def test_a_large_file_is_scanned_in_linear_time() -> None:
    rule = '[[rule]]\nname = "x"\nwhen = """\na and b\n"""\ntests = [{ fires = true, events = [{ a = 1 }] }]\n'
    assert len(positions(rule * 4_000)) > 4_000  # a quadratic scan would take minutes
