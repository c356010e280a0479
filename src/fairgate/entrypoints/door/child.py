"""Work in a copy of this process, which sees everything as it was at one moment while this one goes on."""

import os
import signal
from collections.abc import Callable

#: Descriptors that a child may have inherited: the log with its lock, and sockets that another start wants to have.
_MOST_FILES = 1 << 16
_NICE = 10


class Child:
    """A forked process that waits to be told to do its work, and ends. It owns nothing but memory, at first shared."""

    def __init__(self, work: Callable[[], object]) -> None:
        waits, self._tells = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _live(work, waits, self._tells)
        os.close(waits)

    def go(self) -> bool:
        """Let it work, and wait until it has ended; whether all went well. Blocks: to be called in a thread."""
        os.write(self._tells, b"1")
        return self._ended() == 0

    def stop(self) -> bool:
        """End it before it has begun to work; False, since nothing was done."""
        self._ended()
        return False

    def _ended(self) -> int:
        os.close(self._tells)
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)


def _live(work: Callable[[], object], waits: int, tells: int) -> None:
    """The child's whole life. Nothing of what its parent has open may outlive the parent here."""
    code = 1
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGINT, signal.SIGTERM})  # the parent's to act on
        os.nice(_NICE)
        os.close(tells)
        told = os.read(waits, 1)
        os.closerange(3, _MOST_FILES)
        if told:
            work()
            code = 0
    except Exception as error:  # noqa: BLE001 - told by the exit code, and by its kind alone: words may be personal
        os.write(2, f"a forked process failed: {type(error).__name__}\n".encode())
    finally:
        os._exit(code)
