"""The house rules hold, and whatever holds them catches a planted fault."""

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "fairgate"
MAY_IMPORT_LATE = {SOURCES / "__init__.py", SOURCES / "wiring.py", SOURCES / "entrypoints" / "cli.py"}


# ------------------------------------------------------------------------------------------------------------ contracts


@dataclass(frozen=True, slots=True)
class Fault:
    """Modules that break one contract: path below the package -> text, and how the linter must name the culprit.

    `also` are contracts that can't but be broken with it.
    """

    contract: str
    files: dict[str, str]
    named: str
    also: frozenset[str] = frozenset()


FAULTS = {
    "a lower layer imports a higher one": Fault(
        "Layers",
        # Nothing there needs the kernel, so that no cycle is planted as well.
        {"kernel/planted.py": "import fairgate.insight.target\n", "insight/target.py": ""},
        "fairgate.kernel.planted -> fairgate.insight.target",
    ),
    "a detector reads the truth about a simulated world": Fault(
        "Layers",
        {"detect/planted.py": "import fairgate.simulate.target\n", "simulate/target.py": ""},
        "fairgate.detect.planted -> fairgate.simulate.target",
        also=frozenset({"No cycles among modules of one package"}),  # for the simulator plays against the detectors
    ),
    "siblings import each other": Fault(
        "Layers",
        {"features/planted.py": "import fairgate.detect.target\n", "detect/target.py": ""},
        "fairgate.features.planted -> fairgate.detect.target",
    ),
    "a package stands outside the layers": Fault("Layers", {"planted/__init__.py": ""}, "fairgate.planted"),
    "a cycle within a package": Fault(
        "No cycles among modules of one package",
        {
            "domain/planted/one.py": "import fairgate.domain.planted.two\n",
            "domain/planted/two.py": "import fairgate.domain.planted.one\n",
        },
        "fairgate.domain.planted",
    ),
    "a backend imports a stage": Fault(
        "Backends import only domain, kernel and ports",
        {"backends/planted/open.py": "import fairgate.features.target\n", "features/target.py": ""},
        "fairgate.backends.planted.open -> fairgate.features.target",
    ),
    "the backends package itself imports a stage": Fault(
        "Backends import only domain, kernel and ports",
        {"backends/__init__.py": "import fairgate.features.target\n", "features/target.py": ""},
        "fairgate.backends -> fairgate.features.target",
    ),
    "a vendor imports the kernel": Fault(
        "Vendors import only domain and ports",
        {"vendors/planted.py": "import fairgate.kernel.target\n", "kernel/target.py": ""},
        "fairgate.vendors.planted -> fairgate.kernel.target",
    ),
    "a stage imports a driver": Fault(
        "Drivers are imported by backends alone",
        {"detect/planted.py": "import sqlite3\n"},
        "fairgate.detect.planted -> sqlite3",
    ),
    "an entry point imports a driver under a condition": Fault(
        "Drivers are imported by backends alone",
        {"entrypoints/planted.py": "try:\n    import redis\nexcept ImportError:\n    raise\n"},
        "fairgate.entrypoints.planted -> redis",
    ),
    "one backend imports another": Fault(
        "Backend packages know nothing of each other",
        {"backends/planted/open.py": "import fairgate.backends.target.rows\n", "backends/target/rows.py": ""},
        "fairgate.backends.planted.open -> fairgate.backends.target.rows",
    ),
}

ALLOWED = {
    "a backend imports its driver, a port, the kernel and the domain": {
        "backends/planted/open.py": "import sqlite3\n"
        "import fairgate.domain.target\nimport fairgate.kernel.target\nimport fairgate.ports.target\n",
        "domain/target.py": "",
        "kernel/target.py": "",
        "ports/target.py": "import fairgate.kernel.target\n",
    },
    "wiring opens a backend that has a driver": {
        "wiring.py": "import fairgate.backends.planted.open\n",
        "backends/planted/open.py": "import duckdb\n",
    },
    "a vendor uses a port that uses the kernel": {
        "vendors/planted.py": "import fairgate.ports.target\n",
        "ports/target.py": "import fairgate.kernel.target\n",
        "kernel/target.py": "",
    },
}


def lint(folder: Path, files: dict[str, str]) -> tuple[set[str], str]:
    """The names of the contracts that a copy of the sources, with these files in it, breaks; and what was printed."""
    package = folder / "src" / "fairgate"
    shutil.copytree(SOURCES, package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", folder)
    for name, text in files.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for parent in path.relative_to(package).parents:
            (package / parent / "__init__.py").touch()
        path.write_text(text)
    run = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache", "--no-logo"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(package.parent), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    broken = set(re.findall(r"^(.+) BROKEN", run.stdout, re.MULTILINE))
    assert run.returncode == (1 if broken else 0), run.stdout + run.stderr
    return broken, run.stdout


def test_the_sources_keep_every_contract(tmp_path: Path) -> None:
    broken, printed = lint(tmp_path, {})
    assert not broken, printed
    assert f"{len(contract_names())} kept" in printed


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_planted_fault_breaks_its_contract_and_is_named(tmp_path: Path, fault: Fault) -> None:
    broken, printed = lint(tmp_path, fault.files)
    assert broken == {fault.contract} | fault.also, printed
    assert fault.named in printed


@pytest.mark.parametrize("files", ALLOWED.values(), ids=ALLOWED.keys())
def test_what_the_design_allows_breaks_nothing(tmp_path: Path, files: dict[str, str]) -> None:
    broken, printed = lint(tmp_path, files)
    assert not broken, printed


def contract_names() -> set[str]:
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter", encoding="utf-8")
    return {config[section]["name"] for section in config.sections() if section.startswith("importlinter:contract:")}


def test_every_contract_has_a_planted_fault() -> None:
    assert contract_names() == {fault.contract for fault in FAULTS.values()}


# ------------------------------------------------------------------------------------------------------- hidden imports


def names_type_checking(test: ast.expr) -> bool:
    return any(
        (isinstance(node, ast.Name) and node.id == "TYPE_CHECKING")
        or (isinstance(node, ast.Attribute) and node.attr == "TYPE_CHECKING")
        for node in ast.walk(test)
    )


def hidden_imports(source: str, *, late: bool, file: str = "<planted>") -> list[tuple[int, str]]:
    """Line and hiding place of each import under TYPE_CHECKING or in a function, unless `late` ones are allowed."""
    found: set[tuple[int, str]] = set()

    def collect(body: Iterator[ast.AST], place: str) -> None:
        found.update((node.lineno, place) for node in body if isinstance(node, ast.Import | ast.ImportFrom))

    for node in ast.walk(ast.parse(source, filename=file)) if not late else ():
        if isinstance(node, ast.If) and names_type_checking(node.test):
            collect(ast.walk(node), "TYPE_CHECKING")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            collect(ast.walk(node), node.name)
    return sorted(found)


def test_no_import_is_hidden() -> None:
    hidden = [
        f"{path.relative_to(ROOT)}:{line} in {place}"
        for path in sorted(SOURCES.rglob("*.py"))
        for line, place in hidden_imports(path.read_text("utf-8"), late=path in MAY_IMPORT_LATE, file=str(path))
    ]
    assert not hidden


@pytest.mark.parametrize(
    ("source", "late", "found"),
    [
        ("if TYPE_CHECKING:\n    import x\n", False, [(2, "TYPE_CHECKING")]),
        ("if typing.TYPE_CHECKING:\n    if y:\n        from x import z\n", False, [(3, "TYPE_CHECKING")]),
        ("if TYPE_CHECKING:\n    import x\n", True, []),
        ("if not TYPE_CHECKING:\n    y = 1\nelse:\n    import x\n", False, [(4, "TYPE_CHECKING")]),
        ("def f():\n    with y:\n        import x\n", False, [(3, "f")]),
        ("class C:\n    async def f(self):\n        from x import z\n", False, [(3, "f")]),
        ("def f():\n    import x\n", True, []),
        ("try:\n    import x\nexcept ImportError:\n    raise\n", False, []),
    ],
)
def test_a_hidden_import_is_found(source: str, late: bool, found: list[tuple[int, str]]) -> None:
    assert hidden_imports(source, late=late) == found


# ----------------------------------------------------------------------------------------------------- pins and records


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_requirement_is_pinned_by_version_alone() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pin = re.compile(r"([A-Za-z0-9._-]+)==[0-9][A-Za-z0-9.!+]*")
    pins = [pin.fullmatch(line) for line in lines if not line.startswith("#")]
    pinned = {canonical(match[1]) for match in pins if match}
    assert len(pinned) == len(pins), "a line of constraints.txt is not `name==version`, or a name is there twice"

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    assert {canonical(re.split(r"[\[<>=!~; ]", name)[0]) for name in required} <= pinned


def test_every_decision_record_has_its_line_in_the_index() -> None:
    folder = ROOT / "docs" / "adr"
    listed = re.findall(r"\((\d{4}-[a-z0-9-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted(path.name for path in folder.glob("[0-9]*.md"))


# ---------------------------------------------------------------------------------------------------------- skips in CI

NEEDS_SERVER = """
import pytest

@pytest.mark.server
def test_needs_one():
    pytest.skip("no broker on this machine")

def test_skips_for_another_reason():
    pytest.skip("not on this platform")
"""


@pytest.mark.parametrize(("ci", "outcome"), [("true", "1 failed, 1 skipped"), ("", "2 skipped")])
def test_a_missing_server_fails_in_ci_and_skips_elsewhere(tmp_path: Path, ci: str, outcome: str) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_planted.py").write_text(NEEDS_SERVER)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = server\n")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "CI": ci, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in run.stdout, run.stdout + run.stderr
    assert ("CI must have its server" in run.stdout) == (ci == "true")
