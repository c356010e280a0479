"""What the checker makes of sound expressions; its faults are in test_errors.py."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from fairgate.domain.pack import Place, Text
from fairgate.domain.windows import EVER, WINDOWS
from fairgate.ingest.identifiers import TYPES
from fairgate.language.check import check
from fairgate.language.pack_file import pack_from_texts
from fairgate.language.problems import Problems
from fairgate.language.scope import Names
from fairgate.language.syntax import parse as parse_source
from fairgate.language.syntax import place_of, slice_of, width_of
from fairgate.language.tree import (
    Arithmetic,
    Attr,
    Both,
    Compare,
    FeatureRef,
    Kind,
    Literal,
    Node,
    Not,
    Now,
    aggregates,
)

BASE = (Path(__file__).parents[2] / "packs" / "base.toml").read_text("utf-8")
PACK = pack_from_texts({"base.toml": BASE})
NAMES = Names(PACK.event_types, TYPES, frozenset(PACK.lists))
SIGNUP, REQUEST = "account.signup", "api.request"


def tree(source: str, on: tuple[str, ...] = (SIGNUP,), names: Names = NAMES) -> Node:
    problems = Problems()
    node = check(Text(source, Place("pack.toml", 1, 1)), on, names, problems)
    assert problems.found == []
    assert node is not None
    return node


def canonical(source: str, on: tuple[str, ...] = (SIGNUP,)) -> str:
    (found,) = aggregates(tree(source, on))
    return found.text


@pytest.mark.parametrize(
    ("source", "node"),
    [
        ("country", Attr("country", "", Kind.TEXT, None)),
        ("email", Attr("email", "", Kind.TEXT, "email")),
        ("email.digits", Attr("email", "digits", Kind.NUMBER, "email")),
        ("time", Now()),
        ("-5", Literal(-5, Kind.NUMBER)),
        ("- -5", Literal(5, Kind.NUMBER)),
        ("-tokens", Arithmetic("-", Literal(0, Kind.NUMBER), Attr("tokens", "", Kind.NUMBER, None))),
        ("country not in ('a',)", Not(tree("country in ['a']"))),
        ("1 < tokens <= 5", Both(every=True, items=(tree("1 < tokens"), tree("tokens <= 5")))),
        ("time - created > 60", Compare(">", tree("time - created"), Literal(60, Kind.NUMBER))),
        ("  (  \n verified # said the mailbox\n)", Attr("verified", "", Kind.BOOL, None)),
        ('country == "\\u00e9"', Compare("==", tree("country"), Literal("é", Kind.TEXT))),
        ('contains(country, "a)(b") ', tree("contains(country, 'a)(b')")),
    ],
)
def test_an_expression_is_this_tree(source: str, node: Node) -> None:
    assert tree(source) == node


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ('count("api.request", by=ip, over="60m")', 'count("api.request", by=ip, over="1h")'),
        ('count("api.request", over="1h", by=(ip,))', 'count("api.request", by=ip, over="1h")'),
        (
            'count(("api.request", "account.signup"), by=[ip, account], over="1d")',
            'count(("account.signup", "api.request"), by=(ip, account), over="24h")',
        ),
        ('total(tokens*2, by=ip, over="7d")', 'total(tokens * 2, on="account.signup", by=ip, over="7d")'),
        ('total(cost, by=ip, over="7d", on="api.request")', 'total(cost, on="api.request", by=ip, over="7d")'),
        ("last(country, by=ip)", 'last(country, on="account.signup", by=ip)'),
        (
            'rate(verified, where=country=="de", by=ip, over="168h")',
            'rate(verified, on="account.signup", by=ip, over="7d", where=country == \'de\')',
        ),
    ],
)
def test_an_aggregate_has_one_spelling(source: str, text: str) -> None:
    assert canonical(source) == text
    assert canonical(text) == text


def test_an_aggregate_gathers_what_it_says() -> None:
    (found,) = aggregates(tree('total(cost, by=ip, over="10m", on="api.request", where=model == "m")'))
    assert (found.name, found.on, found.over, found.kind) == ("total", (REQUEST,), WINDOWS["10m"], Kind.NUMBER)
    assert found.by == (Attr("ip", "", Kind.TEXT, "ip"),)
    assert (found.value, found.where) == (tree("cost", (REQUEST,)), tree('model == "m"', (REQUEST,)))


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("first(country, by=ip)", Kind.TEXT),
        ("last(created, by=ip)", Kind.TIME),
        ("first(tokens, by=ip)", Kind.NUMBER),
        ("is_new(email, by=ip)", Kind.BOOL),
        ('since("api.request", by=ip)', Kind.NUMBER),
        ("last(length(email), by=ip)", Kind.NUMBER),
        ("last(email.domain, by=ip)", Kind.TEXT),
    ],
)
def test_a_profile_needs_no_window(source: str, kind: Kind) -> None:
    (found,) = aggregates(tree(source))
    assert (found.kind, found.over) == (kind, EVER)


def test_the_gathered_types_do_not_depend_on_the_order_of_the_rules_own() -> None:
    source = 'distinct(account, by=ip, over="1h")'
    assert canonical(source, (SIGNUP, REQUEST)) == canonical(source, (REQUEST, SIGNUP))


def test_an_attribute_hides_a_feature_of_other_event_types() -> None:
    (count,) = aggregates(tree('count("api.request", by=ip, over="1h")', (REQUEST,)))
    names = replace(NAMES, features={"tokens": count, "often": count}, feature_types={"tokens": (REQUEST,)})
    assert tree("tokens", names=names) == Attr("tokens", "", Kind.NUMBER, None)
    assert tree("tokens", (REQUEST,), names) == FeatureRef(count)
    assert tree("often", names=names) == FeatureRef(count)


def spot(written: str, source: str, wanted: str) -> tuple[int, int, int]:
    """Line, column and width, in the file, of the one name in an expression."""
    problems = Problems()
    text = Text(source, Place("pack.toml", 10, 9), written)
    parsed = parse_source(text, problems)
    assert parsed is not None, problems.found
    node = next(each for each in ast.walk(parsed) if isinstance(each, ast.Name) and each.id == wanted)
    place = place_of(text, node)
    return place.line, place.column, width_of(text, node)


@pytest.mark.parametrize(
    ("written", "source", "place"),
    [
        ("", "xyz", (10, 9, 3)),
        ("", "'é東' == xyz", (10, 17, 3)),
        ("", "(\n  xyz)", (11, 3, 3)),
        ("\\u0078yz", "xyz", (10, 9, 8)),
        ('\\"a\\" == xyz', '"a" == xyz', (10, 18, 3)),
        ("a and \\\n   xyz", "a and xyz", (11, 4, 3)),
        ("a and \\\n \n  \\nxyz", "a and \nxyz", (12, 5, 3)),
    ],
)
def test_places_are_those_of_the_file(written: str, source: str, place: tuple[int, int, int]) -> None:
    assert spot(written, source, "xyz") == place


def test_a_slice_keeps_its_place() -> None:
    text = Text('say "{x}"', Place("pack.toml", 3, 5), 'say \\"{x}\\"')
    inner = slice_of(text, 6, 7)
    assert (inner.source, inner.place) == ("x", Place("pack.toml", 3, 12))
