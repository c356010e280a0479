"""A worker process of the desk: `python -m fairgate.entrypoints.desk.worker`, told what to do over its input.

The first line is the settings, each further one a task; answers go to the output. It ends when its input does.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import BinaryIO

import msgspec

from fairgate.domain.errors import FairgateError
from fairgate.entrypoints.desk.lifeline import kill, lines_of, settings_of_line
from fairgate.entrypoints.desk.tasks import Done, Refused, Task, Told
from fairgate.entrypoints.desk.work import Work, refused_of
from fairgate.entrypoints.desk.workers import KEEPS_UP
from fairgate.monitor.logs import configure

#: Beside the desk's own niceness.
_NICER = 9
_OUT_OF_MEMORY = Path("/proc/self/oom_score_adj")
_log = logging.getLogger(__name__)
_decode = msgspec.json.Decoder(Task).decode
_encode = msgspec.json.Encoder().encode


def main() -> None:
    """Do tasks until the input ends; that ends the process at once, whatever it is doing."""
    _step_back(far=sys.argv[1:] != [KEEPS_UP])
    answers, lines = _own_output(), lines_of(sys.stdin.fileno())
    settings = settings_of_line(next(lines))
    configure(settings.telemetry.log_level, json=settings.telemetry.log_json)
    tasks: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_listen, args=(lines, tasks), name="lifeline", daemon=True).start()
    work = Work(settings)
    while True:
        serve(work.do, tasks.get(), answers)


def serve(do: Callable[[Task, Callable[[str], None]], tuple[Done, bytes]], line: bytes, answers: BinaryIO) -> None:
    """Do the task of a line, and write down what came of it."""

    def told(words: str) -> None:
        answers.write(_encode(Told(words)) + b"\n")
        answers.flush()

    reply: Done | Refused
    try:
        done, body = do(_decode(line), told)
        reply = msgspec.structs.replace(done, bytes=len(body))
    except (FairgateError, MemoryError) as error:
        reply, body = refused_of(error), b""
    except Exception:  # noqa: BLE001 - whatever it is, who waits must hear of it
        _log.exception("a task failed")
        reply, body = Refused(500, "failed", "something in Fairgate is broken: its log says what"), b""
    answers.write(_encode(reply) + b"\n" + body)
    answers.flush()


def _step_back(*, far: bool) -> None:
    """Let the door come first: for the processor, and where memory runs out let the system end this process instead.

    Niceness alone is not enough: Linux lets a nice process finish its turn of some milliseconds before one that wakes
    up, and a decision wakes up several times. One that is idle by its policy gives way at once.
    """
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE if far else os.SCHED_BATCH, os.sched_param(0))
        _OUT_OF_MEMORY.write_text("500", "ascii")
    elif far:
        os.nice(_NICER)


def _own_output() -> BinaryIO:
    """The pipe that answers go to. What else is printed, by whatever library, goes to stderr instead."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def _listen(lines: Iterator[bytes], tasks: SimpleQueue[bytes]) -> None:
    for line in lines:
        tasks.put(line)
    kill()


if __name__ == "__main__":
    main()
