"""What a child process gets from its parent over its standard input: the same settings, and a lifeline.

The first line is the settings. The parent then never closes its end of the pipe while it lives; whatever ends the
parent, `kill -9` too, ends the pipe, and with it the child. Unlike a signal asked of the kernel it works on every Unix,
and whatever thread started the child.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator

import msgspec

from fairgate.settings import Settings, convert

_PIECE = 1 << 20


def settings_line(settings: Settings) -> bytes:
    """The line that hands settings to a child. It holds no secret: those are in the environment."""
    return msgspec.json.encode(settings, enc_hook=str) + b"\n"


def settings_of_line(line: bytes) -> Settings:
    """The settings of such a line."""
    return convert(msgspec.json.decode(line))


def lines_of(descriptor: int) -> Iterator[bytes]:
    """The lines of a pipe as they come, without their ends, until its other end is closed.

    It is read as a descriptor: a buffered reader that a thread waits on can't be closed when the interpreter ends.
    """
    rest = b""
    while piece := os.read(descriptor, _PIECE):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole


def on_end(lines: Iterator[bytes], then: Callable[[], None]) -> None:
    """Call `then`, in a thread of its own, when there are no more lines; what still comes is dropped."""

    def wait() -> None:
        for _ in lines:
            pass
        then()

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def stop_then_kill(seconds: float) -> None:
    """Ask this process to stop, and kill it where it still is there so many seconds later."""
    # As a daemon, so that it keeps no process alive that ends in good order.
    killer = threading.Timer(seconds, kill)
    killer.daemon = True
    killer.start()
    os.kill(os.getpid(), signal.SIGTERM)


def kill() -> None:
    """End this process at once, whatever its threads are doing."""
    os.kill(os.getpid(), signal.SIGKILL)
