"""Queries in a worker process: over the lake, and over what the log has beyond it."""

import os
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

from fairgate.domain.errors import QueryTooBig
from fairgate.entrypoints.desk.rows import file_rows, json_rows
from fairgate.entrypoints.desk.tasks import Done, Export, Query
from fairgate.ports.lake import SqlLimits
from fairgate.settings import Settings
from fairgate.wiring import open_live_lake

#: Rows of an export. Memory is the limit that is met before.
_ALL = 1 << 40


class Queries:
    """Answers queries; what is personal can be read where a query may."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self._settings = settings
        self._lake = stack.enter_context(open_live_lake(settings.data))

    def answer(self, task: Query) -> tuple[Done, bytes]:
        """A query's rows. Raises `QueryError`, and what opening log and lake raises."""
        began = perf_counter()
        desk = self._settings.desk
        limits = SqlLimits(desk.sql_seconds, desk.sql_megabytes, _threads(), task.rows)
        asked = self._lake.ask(task.text, limits, personal=task.personal)
        answer, left_out = asked.answer, asked.left_out
        if task.format == "json":
            seconds = perf_counter() - began
            body = json_rows(answer.frame, answer.types, truncated=answer.cut, left_out=left_out, seconds=seconds)
        else:
            body = file_rows(answer.frame, task.format)
        return Done(rows=answer.frame.height, truncated=answer.cut, left_out=left_out), body

    def export(self, task: Export) -> Done:
        """Write a query's rows to a file. Raises as `answer`, and `QueryTooBig` for a file that is too large."""
        desk = self._settings.desk
        limits = SqlLimits(desk.job_seconds, desk.sql_megabytes, _threads(), _ALL)
        answer = self._lake.ask(task.text, limits, personal=task.personal).answer
        content = file_rows(answer.frame, task.format)
        if len(content) > desk.export_megabytes << 20:
            what = f"The file has {len(content) >> 20:,} MB: ask for fewer rows, or raise desk.export_megabytes."
            raise QueryTooBig(what)
        Path(task.file).write_bytes(content)
        return Done(rows=answer.frame.height)


def _threads() -> int:
    """A query's threads, so that all that may run together find a core."""
    return max(1, (os.cpu_count() or 1) // 2)
