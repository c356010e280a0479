"""Desk and clerk kept running by the door: started, watched, started again, and stopped when the door stops."""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Self

from fairgate.entrypoints.desk.lifeline import settings_line
from fairgate.settings import Settings

_log = logging.getLogger(__name__)

#: Starts a desk that takes its settings from its standard input. `-P`: a folder `fairgate` in the working directory
#: must not be taken for the program.
DESK = (sys.executable, "-P", "-m", "fairgate.entrypoints.desk_command")
#: A clerk likewise.
CLERK = (sys.executable, "-P", "-m", "fairgate.entrypoints.clerk.clerk_command")


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient a supervisor is, in seconds.

    `first` is waited after a child's end, then twice as long after each further one up to `longest`; a child that lived
    for `healthy` starts the count anew. `stop` is what a child gets to end by itself.
    """

    first: float = 1.0
    longest: float = 60.0
    healthy: float = 60.0
    stop: float = 10.0


@dataclass(frozen=True, slots=True)
class ChildState:
    """How the child is: its process id, None while there is none; how often it was started; what it ended with last.

    `ended` is an exit code, the negative number of a signal, or None where no child has ended yet.
    """

    pid: int | None
    starts: int
    ended: int | None


class Supervisor:
    """Keeps one child process running until it is told to stop. All of it happens in a thread, which no error ends.

    `greeting` is the first line of the child's standard input. The pipe then stays open for as long as this process
    lives, so that a child that watches it never outlives this process, whatever ends it. The child shares the standard
    error, leads a process group (a Ctrl-C at the terminal reaches this process alone), but no session: Linux weighs
    niceness only among the processes of one session.
    """

    def __init__(self, command: Sequence[str], greeting: bytes, pace: Pace | None = None, name: str = "desk") -> None:
        # Texts that are filled in are not shown, so these are whole.
        self._has_ended = f"the {name} ended with code %d, and is started again in %g s; the door runs on"
        self._no_start = f"the {name} can't be started; it is tried again, and the door runs on"
        self._command = tuple(command)
        self._greeting = greeting
        self._pace = pace or Pace()
        self._stopping = threading.Event()
        self._guard = threading.Lock()  # makes starting a child and stopping exclude each other
        self._child: subprocess.Popen[bytes] | None = None
        self._state = ChildState(None, 0, None)
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    @property
    def state(self) -> ChildState:
        """How the child is now. Any thread may ask."""
        return self._state

    def start(self) -> None:
        """Start the child, now and whenever it has ended. Returns at once; may be called once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the child and return when it has ended: by SIGTERM, and where that isn't enough in time, by SIGKILL."""
        with self._guard:
            self._stopping.set()
            child = self._child
        if child is not None:
            child.terminate()
            self._thread.join(self._pace.stop)
            child.kill()
        self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _watch(self) -> None:
        wait = self._pace.first
        while not self._stopping.is_set():
            began = monotonic()
            code = self._run()
            if self._stopping.is_set():
                return
            if monotonic() - began >= self._pace.healthy:
                wait = self._pace.first
            if code is not None:
                _log.error(self._has_ended, code, wait)
            self._stopping.wait(wait)
            wait = min(2 * wait, self._pace.longest)

    def _run(self) -> int | None:
        """Run one child to its end; returns what it ended with, None where it could not be started."""
        reader, writer = os.pipe()
        with os.fdopen(writer, "wb", buffering=0) as lifeline:
            try:
                child = self._started(reader)
            except OSError:
                _log.exception(self._no_start)
                return None
            finally:
                os.close(reader)
            if child is None:
                return None
            with suppress(BrokenPipeError):  # it has ended already: told below
                lifeline.write(self._greeting)
            code = child.wait()
        self._state = ChildState(None, self._state.starts, code)
        return code

    def _started(self, reader: int) -> subprocess.Popen[bytes] | None:
        """A child that was started; None where a stop came first."""
        with self._guard:
            if self._stopping.is_set():
                return None
            self._state = ChildState(None, self._state.starts + 1, self._state.ended)
            self._child = subprocess.Popen(self._command, stdin=reader, process_group=0)  # noqa: S603 - this program
            self._state = ChildState(self._child.pid, self._state.starts, self._state.ended)
            return self._child


def supervised_desk(settings: Settings) -> Supervisor:
    """The supervisor of a desk with the same settings as this process."""
    return Supervisor(DESK, settings_line(settings))


def supervised_clerk(settings: Settings) -> Supervisor:
    """The supervisor of a clerk likewise."""
    return Supervisor(CLERK, settings_line(settings), name="clerk")
