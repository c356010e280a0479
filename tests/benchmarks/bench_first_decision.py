"""From `git clone` to the first decision by curl: what the README says is typed, on a machine with git, make and curl.

The clone is of the last commit. The environment has nothing but the path, the home and the settings of pip, which may
find in its cache what it has downloaded before.
"""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.bench_http import BUILD
from tests.benchmarks.rows import Row
from tests.e2e.doors import ROOT, free_port

_PATIENCE = 900
_PORT = 8080


@dataclass(frozen=True, slots=True)
class Told:
    """What a README says is to be typed, and the answer that it shows."""

    set_up: str
    serve: str
    ask: str
    shown: str

    @property
    def enter(self) -> str:
        """What a shell needs to know the program."""
        [line] = [line for line in self.set_up.splitlines() if line.endswith("/activate")]
        return line


def run() -> list[Row]:
    """Seconds until a decision is there, and how they are spent."""
    with tempfile.TemporaryDirectory(dir=BUILD) as name:
        clone = Path(name) / "fairgate"
        began = time.perf_counter()
        _type(f"git clone --quiet {shlex.quote(str(ROOT))} {shlex.quote(str(clone))}", Path(name))
        told = told_in((clone / "README.md").read_text("utf-8"))
        _type(told.set_up, clone)
        ready = time.perf_counter()
        port = _PORT if _is_free(_PORT) else free_port()
        with _served(told, clone, port) as server:
            answer = _answer(told.ask.replace(f":{_PORT}", f":{port}"), clone, server)
            ended = time.perf_counter()
    if json.loads(answer) != json.loads(told.shown):
        raise RuntimeError(f"the README shows {told.shown}, and the answer was {answer}")
    return [
        Row("from `git clone` to the first decision by curl", ended - began, "s", op="<=", target=300),
        Row("of that, until all is installed and a pack is checked", ready - began, "s"),
        Row("of that, from `fairgate serve` to the answer", ended - ready, "s"),
    ]


def told_in(page: str) -> Told:
    """The way to a decision in the text of a README."""
    serve, *ask, shown = _block(page, "fairgate serve").splitlines()
    return Told(_block(page, "make setup"), serve, "\n".join(ask), shown)


def _block(page: str, containing: str) -> str:
    """The one indented piece of code that has this in it."""
    [found] = [each for each in re.findall(r"(?:^ {4}.*\n)+", page, re.MULTILINE) if containing in each]
    return textwrap.dedent(found).strip()


def _environment() -> dict[str, str]:
    mine = str(Path(sys.prefix) / "bin")
    path = os.pathsep.join(each for each in os.environ["PATH"].split(os.pathsep) if each != mine)
    kept = {name: value for name, value in os.environ.items() if name == "HOME" or name.startswith("PIP_")}
    return {**kept, "PATH": path}


def _shell(script: str) -> list[str]:
    return ["/bin/bash", "-euc", script]


def _type(script: str, folder: Path) -> None:
    """Type commands. Raises where one fails."""
    done = subprocess.run(
        _shell(script), cwd=folder, env=_environment(), capture_output=True, text=True, timeout=_PATIENCE, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{script}\n{done.stdout[-2_000:]}{done.stderr[-2_000:]}")


@contextmanager
def _served(told: Told, clone: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The server in another shell, at its own port where that is free. Raises where it does not end in good order."""
    serve = told.serve if port == _PORT else f"{told.serve} --port {port}"
    output = clone.parent / "output"
    with output.open("wb") as said:
        server = subprocess.Popen(
            _shell(f"{told.enter}\nexec {serve}"), cwd=clone, env=_environment(), stdout=said, stderr=said
        )
    try:
        yield server
    finally:
        server.terminate()
        try:
            code = server.wait(60)
        finally:
            server.kill()
    if code:
        raise RuntimeError(f"{serve} ended with {code}: {output.read_text()[-2_000:]}")


def _answer(ask: str, clone: Path, server: subprocess.Popen[bytes]) -> str:
    """What curl prints, asked again until somebody answers."""
    until = time.monotonic() + _PATIENCE
    while True:
        done = subprocess.run(_shell(ask), cwd=clone, env=_environment(), capture_output=True, text=True, check=False)
        if not done.returncode:
            return done.stdout
        if server.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"no answer: {(clone.parent / 'output').read_text()[-2_000:]}")
        time.sleep(0.1)


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
