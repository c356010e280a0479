"""From text to Python's syntax tree, and from its positions back to the pack's file."""

import ast
import re

from fairgate.domain.pack import Place, Text
from fairgate.language.problems import Problems

#: Longer expressions are refused before Python's parser sees them.
LONGEST = 4_000
#: Deeper ones before anything else does, so that no step after this one can run out of stack.
DEEPEST = 50

_SPLIT = "split it into rules that name each other"
_HIDDEN = re.compile(r"[^\n\t -~]")
#: Texts, comments, brackets, a quote that no other one closes, signs of other languages, digits with letters on them.
_TOKEN = re.compile(
    r"""(?P<raw>[rR](?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))|(?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
    r"""|#[^\n]*|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<quote>["'])|(?P<foreign>&&|\|\||<>|!(?!=))"""
    r"""|(?P<stuck>(?:\d[\d_]*+\.?[\d_]*+|\.\d[\d_]*+)(?:[eE][+-]?\d++)?+[A-Za-z_]\w*)|\w+|."""
)
_PAIRS = {")": "(", "]": "[", "}": "{"}
_HEX = "[0-9A-Fa-f]"
#: Escapes in a text, the good ones by name: halves of a character (surrogates) are none.
_ESCAPE = re.compile(
    rf"""\\(?:(?P<good>[\\'"ntr]|x{_HEX}{{2}}|u(?![dD][89a-fA-F]){_HEX}{{4}}"""
    rf"""|U(?!0000[dD][89a-fA-F])00(?:0{_HEX}|10){_HEX}{{4}})|.)"""
)
#: A character of a TOML string with escapes, as the file spells it; `glue` is a line's end that is no character at all.
_SPELLED = re.compile(r"(?P<glue>\\[ \t]*\n[ \t\n]*)|\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)|.", re.DOTALL)
#: Signs of other languages, and how this one writes them.
_FOREIGN = {"&&": "write `and`", "||": "write `or`", "<>": "write !=", "!": "write `not`"}
_CAPITALS = re.compile(r"\b(and|or|not|in)\b", re.IGNORECASE)


def parse(text: Text, problems: Problems) -> ast.expr | None:
    """The syntax tree of one expression, no deeper than `DEEPEST`, or None with the fault noted."""
    if len(text.source) > LONGEST:
        what = f"the expression has {len(text.source):,} characters; at most {LONGEST:,} are read"
        problems.add(text.place, what, hint=_SPLIT)
        return None
    if not text.source.strip():
        problems.add(text.place, "the expression is empty")
        return None
    if not _well_formed(text, problems):
        return None
    tree = _parsed(text, problems)
    if tree is not None and _depth(tree) > DEEPEST:
        problems.add(text.place, f"the expression is nested more than {DEEPEST} deep", hint=_SPLIT)
        return None
    return tree


def place_of(text: Text, node: ast.expr) -> Place:
    """Where a node stands in the file."""
    return _place(text, _offset(text, node.lineno, node.col_offset))


def width_of(text: Text, node: ast.expr) -> int:
    """How many characters of its first line a node spans, as the file spells it."""
    start = _offset(text, node.lineno, node.col_offset)
    end = _offset(text, node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
    return _width(text, start, end)


def slice_of(text: Text, start: int, end: int) -> Text:
    """A part of a text, with its own place."""
    written = text.written[_spelled(text, start) : _spelled(text, end)] if text.written else ""
    return Text(text.source[start:end], _place(text, start), written)


def _well_formed(text: Text, problems: Problems) -> bool:
    """Whether characters, quotes, escapes and brackets are in order. Python's parser would say it less clearly."""
    before = len(problems.found)
    _check_hidden(text, problems)
    opened: list[re.Match[str]] = []
    for token in _TOKEN.finditer(text.source):
        match token.lastgroup:
            case "open":
                opened.append(token)
            case "close" if opened and opened[-1][0] == _PAIRS[token[0]]:
                opened.pop()
            case "close":
                _note(text, problems, token.span(), f"this `{token[0]}` closes nothing")
                return False
            case "quote":
                _note(text, problems, token.span(), "this text has no closing quote on its line")
                return False
            case "foreign":
                _note(text, problems, token.span(), f"`{token[0]}` is not in the rule language", _FOREIGN[token[0]])
            case "stuck":
                hint = "write 42, 0.5 or 1e6, and a space after it"
                _note(text, problems, token.span(), f"`{token[0]}` is no number", hint)
            case "text":
                _check_escapes(text, problems, token)
    for token in opened:
        _note(text, problems, token.span(), f"this `{token[0]}` is never closed")
    return len(problems.found) == before


def _check_hidden(text: Text, problems: Problems) -> None:
    for hidden in _HIDDEN.finditer(text.source):
        if not hidden[0].isprintable():
            what = f"there is a hidden character here (U+{ord(hidden[0]):04X})"
            _note(text, problems, hidden.span(), what, "delete it, or write it as an escape in a text")


def _check_escapes(text: Text, problems: Problems, token: re.Match[str]) -> None:
    """Refuse escapes that surprise: Python reads that of b as a backspace, and that of d as it stands."""
    for escape in _ESCAPE.finditer(token[0]):
        if not escape["good"]:
            start, end = escape.span()
            what = f"`{escape[0]}` is no escape in a text"
            hint = f"for a regular expression write r{token[0][0]}...{token[0][0]}, for a backslash \\\\"
            _note(text, problems, (token.start() + start, token.start() + end), what, hint)
            return


def _parsed(text: Text, problems: Problems) -> ast.expr | None:
    try:
        return ast.parse(f"({text.source}\n)", mode="eval").body
    except SyntaxError as error:
        start, end = _span(text, error)
        what, hint = _explained(error.msg, text.source[start:end])
        _note(text, problems, (start, end), what, hint)
    except (ValueError, RecursionError, MemoryError) as error:  # what Python's parser can't take
        problems.add(text.place, f"this can't be parsed: {error or 'it is nested too deeply'}", hint=_SPLIT)
    return None


def _explained(message: str, found: str) -> tuple[str, str]:
    """What a syntax error says and hints, in the words of the rule language where it has some."""
    capitals = next((word[0] for word in _CAPITALS.finditer(found) if not word[0].islower()), "")
    hint = f"write `{capitals.lower()}` in lower case" if capitals else ""
    if not found.strip():
        return "the expression stops too early", ""
    if "comma" in message:
        return "an operator is missing in here", hint
    if "==" in message:
        return "`=` does not compare", "write =="
    if message == "invalid syntax":
        return f"`{found}` is not expected here", hint
    return f"this is not an expression: {message}", hint


def _span(text: Text, error: SyntaxError) -> tuple[int, int]:
    """From where to where in the source an error reaches; where Python gives a start only, to the end of the word."""
    start = _characters(text, error.lineno or 1, (error.offset or 1) - 1)
    end = _characters(text, error.end_lineno or 0, (error.end_offset or 0) - 1) if error.end_offset else 0
    if end <= start:
        token = _TOKEN.match(text.source, start)
        end = token.end() if token else start
    return start, end


def _characters(text: Text, line: int, column: int) -> int:
    """The offset in the source of a line (from 1) and a column in characters; the first line has a bracket of ours."""
    lines = text.source.split("\n")
    if line > len(lines):
        return len(text.source)
    within = max(0, min(column - (line == 1), len(lines[line - 1])))
    return sum(len(each) + 1 for each in lines[: line - 1]) + within


def _offset(text: Text, line: int, column: int) -> int:
    """The same of a column in bytes of UTF-8, as syntax trees have it."""
    lines = text.source.split("\n")
    start = lines[line - 1].encode()[: max(0, column - (line == 1))] if line <= len(lines) else b""
    return _characters(text, line, len(start.decode()) + (line == 1))


def _spelled(text: Text, offset: int) -> int:
    """An offset in the source as one in the file's spelling of it."""
    if not text.written:
        return offset
    for each in _SPELLED.finditer(text.written):
        if each.lastgroup != "glue":
            if offset == 0:
                return each.start()
            offset -= 1
    return len(text.written)


def _place(text: Text, offset: int) -> Place:
    """Where an offset in the source stands in the file."""
    before = (text.written or text.source)[: _spelled(text, offset)]
    line, column = before.count("\n"), len(before) - (before.rfind("\n") + 1)
    start = text.place.column if line == 0 else 1
    return Place(text.place.file, text.place.line + line, start + column)


def _width(text: Text, start: int, end: int) -> int:
    shown = (text.written or text.source)[_spelled(text, start) : _spelled(text, end)]
    return max(1, len(shown.split("\n")[0].rstrip()))


def _note(text: Text, problems: Problems, span: tuple[int, int], what: str, hint: str = "") -> None:
    problems.add(_place(text, span[0]), what, width=_width(text, *span), hint=hint)


def _depth(tree: ast.expr) -> int:
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting += [(child, depth + 1) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
    return deepest
