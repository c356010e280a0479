"""The pack that is live, as the log has it: the pack's folder may be ahead of it."""

import threading
from pathlib import Path

from fairgate.backends.embedded.segments import open_log
from fairgate.domain.pack import Appeal, Pack
from fairgate.language.pack_file import pack_from_texts
from fairgate.pipeline.lookup import live_pack


class Terms:
    """What the pack says that is live in a data folder. Any thread may call."""

    def __init__(self, data: Path) -> None:
        self._log = data / "log"
        self._lock = threading.Lock()
        self._known: tuple[str, Pack] | None = None

    def appeal(self) -> Appeal | None:
        """Its `[appeal]`; None where it has none. Raises what opening and reading the log raises."""
        return self.pack().appeal

    def pack(self) -> Pack:
        """All of it. Raises what opening and reading the log raises."""
        with open_log(self._log, read_only=True) as log:
            live = live_pack(log, log.end() - 1)
        with self._lock:
            if self._known is None or self._known[0] != live.digest:
                self._known = live.digest, pack_from_texts(live.files)
            return self._known[1]
