"""Where numba keeps what it compiled, seen from processes of their own over a copy of the kernel."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fairgate

COMPILE = """
import numpy as np
from fairgate.kernel.keys import fill
fill(np.zeros(8, np.int64), np.ones((1, 2), np.int64))
print("loaded" if fill.stats.cache_hits else "compiled")
"""
WHERE = "from fairgate.kernel.keys import fill; print(type(fill._cache).__name__, fill._cache.cache_path)"
WARM = """
import numpy as np
from fairgate.kernel.rows import Memory, warm
warm()
keys = np.ones((3, 2), np.uint64)
print(Memory().remember(keys[:, 0].copy(), 0).tolist())
Memory().remember(keys[:, 0], 0)
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with the kernel and what it needs, never compiled."""
    package = Path(fairgate.__file__).parent
    for name in ("domain", "kernel"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(package / name, tmp_path / "fairgate" / name, ignore=ignored)
    shutil.copy(package / "__init__.py", tmp_path / "fairgate")
    return tmp_path


def run(folder: Path, program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA", "XDG", "PYTHON"))}
    given = kept | {"PYTHONPATH": str(folder)} | environment
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=given, capture_output=True, text=True, check=False
    )


def test_a_second_process_loads_what_the_first_compiled_until_any_file_changes(copy: Path) -> None:
    assert [run(copy, COMPILE).stdout for _ in range(2)] == ["compiled\n", "loaded\n"]
    with (copy / "fairgate" / "kernel" / "sets.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert run(copy, COMPILE).stdout == "compiled\n"


def test_an_installation_that_cannot_be_written_uses_the_users_folder(copy: Path) -> None:
    (copy / "fairgate" / "kernel" / "__pycache__").write_text("not a folder")
    found = run(copy, WHERE, XDG_CACHE_HOME=str(copy / "mine"))
    assert found.stdout.startswith(f"_KernelCache {copy / 'mine'}")


def test_a_folder_can_be_named(copy: Path) -> None:
    found = run(copy, WHERE, NUMBA_CACHE_DIR=str(copy / "named"))
    assert found.stdout.startswith(f"_KernelCache {copy / 'named'}")


def test_where_nothing_can_be_written_it_compiles_each_time(copy: Path) -> None:
    (copy / "fairgate" / "kernel" / "__pycache__").write_text("not a folder")
    nowhere = {"XDG_CACHE_HOME": "/dev/null/nowhere", "HOME": "/dev/null/nowhere"}
    assert run(copy, WHERE, **nowhere).stdout == "NullCache None\n"
    assert [run(copy, COMPILE, **nowhere).stdout for _ in range(2)] == ["compiled\n", "compiled\n"]


def test_once_warm_nothing_is_compiled_any_more() -> None:
    source = Path(fairgate.__file__).parents[1]
    found = run(source, WARM)
    assert found.stdout == "[-1, 0, 0]\n"
    assert "No matching definition" in found.stderr


def test_the_program_needs_no_numba() -> None:
    source = Path(fairgate.__file__).parents[1]
    found = run(source, "import sys; sys.modules['numba'] = None; import fairgate.features.plan; print('there')")
    assert found.stdout == "there\n"
