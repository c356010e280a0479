"""What may be asked: one SELECT over the views, told by DuckDB's own parse of it.

DuckDB's type of a statement doesn't say it: a COPY can stand in a SELECT's WITH, and table functions read files. So the
whole parse tree is looked through, and whatever isn't known to be harmless is refused. Behind this stands the locked
configuration of `lake_sql`.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

import duckdb
import msgspec

from fairgate.domain.errors import QueryFailed, QueryRefused

#: Characters of a query.
LONGEST: Final = 100_000
_EXPLAIN: Final = re.compile(r"\s*explain\s+(?P<analyze>analyze\s+)?", re.IGNORECASE)
_NODES: Final = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_SOURCES: Final = frozenset(
    {"BASE_TABLE", "EMPTY", "EXPRESSION_LIST", "JOIN", "PIVOT", "SHOW_REF", "SUBQUERY", "TABLE_FUNCTION"}
)
_TABLE_FUNCTIONS: Final = frozenset({"range", "generate_series", "unnest", "json_each", "json_tree"})
_NO_FUNCTIONS: Final = frozenset({"current_setting", "getenv", "getvariable", "write_log"})
_ABOUT_TABLES: Final = frozenset({"tables", "columns"})


@dataclass(frozen=True, slots=True)
class Query:
    """A query that may be asked: its SELECT, what stands before it (EXPLAIN), and the views it reads, in lower case."""

    select: str
    before: str
    views: frozenset[str]


def checked(connection: duckdb.DuckDBPyConnection, query: str, views: Collection[str]) -> Query:
    """A query over some of these views. Raises `QueryRefused` or `QueryFailed`."""
    if len(query) > LONGEST:
        raise QueryRefused(f"It has {len(query):,} characters; {LONGEST:,} are the most.")
    if "\0" in query:
        raise QueryRefused("There is a NUL character in it.")
    explain = _EXPLAIN.match(query)
    before = ("EXPLAIN ANALYZE " if explain["analyze"] else "EXPLAIN ") if explain else ""
    select = query[explain.end() :] if explain else query
    tree = _parsed(connection, select)
    return Query(select, before, _read_by(tree, {name.lower() for name in views}))


def _parsed(connection: duckdb.DuckDBPyConnection, select: str) -> Any:  # noqa: ANN401 - whatever JSON there is
    try:
        statements = connection.extract_statements(select)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise QueryRefused("One SELECT, DESCRIBE, SHOW TABLES, SUMMARIZE or EXPLAIN may be asked, no more.")
        [(found,)] = connection.execute("SELECT json_serialize_sql(?)", [select]).fetchall()
    except duckdb.Error as error:
        raise QueryFailed(str(error)) from error
    tree = msgspec.json.decode(found)
    if tree["error"] or len(tree["statements"]) != 1:
        raise QueryRefused("Only a SELECT may be asked.")
    return tree


def _read_by(tree: Any, views: Collection[str]) -> frozenset[str]:  # noqa: ANN401 - as above
    nodes = list(_dicts(tree))
    named = {str(each["key"]).lower() for node in nodes for each in node.get("cte_map", {}).get("map", ())}
    found: set[str] = set()
    for node in nodes:
        if "cte_map" in node:
            _refuse_unless(node["type"] in _NODES, node["type"])
        elif "sample" in node and "type" in node:
            _refuse_unless(node["type"] in _SOURCES, node["type"])
            found.update(_source(node, views, named))
        elif node.get("class") == "FUNCTION":
            _refuse_unless(node["function_name"].lower() not in _NO_FUNCTIONS, node["function_name"])
    return frozenset(found)


def _source(node: dict[str, Any], views: Collection[str], named: Collection[str]) -> Collection[str]:
    """The views that a source of rows reads."""
    kind = node["type"]
    if kind == "TABLE_FUNCTION":
        name = node["function"]["function_name"].lower()
        _refuse_unless(name in _TABLE_FUNCTIONS, name)
    elif kind == "SHOW_REF" and node["query"] is None:
        _refuse_unless(node["table_name"].strip('"') == "tables", f"SHOW {node['table_name']}")
        return views
    elif kind == "BASE_TABLE":
        name, schema = node["table_name"].lower(), node["schema_name"].lower()
        if schema == "information_schema" and name in _ABOUT_TABLES:
            return views
        if not schema and name in named:
            return ()
        if name not in views or schema not in ("", "main") or node["catalog_name"].lower() not in ("", "memory"):
            near = get_close_matches(name, views, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(sorted(views))}."
            raise QueryFailed(f"There is no table `{node['table_name']}`. {hint}")
        return (name,)
    return ()


def _refuse_unless(fine: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not fine:
        raise QueryRefused(f"`{what}` is not allowed: a query reads the lake's tables, and nothing else.")


def _dicts(tree: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - as above
    """Every object in a tree, however deep."""
    waiting = [tree]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
