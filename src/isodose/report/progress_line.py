"""How far an engine is, on a terminal or line by line in a log."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from isodose.dose.progress import Progress

SECONDS_BETWEEN_LINES = 10.0
"""Where there is no terminal, a line is printed this often."""


class _Line:
    """Receives progress; what it says depends on where it is shown."""

    def __init__(self, console: Console, bar: Bar | None) -> None:
        self._console, self._bar = console, bar
        self._task = None if bar is None else bar.add_task("starting", total=None, report="")
        self._last = -math.inf

    def __call__(self, progress: Progress) -> None:
        text = report(progress)
        if self._bar is not None and self._task is not None:
            self._bar.update(
                self._task,
                description="computing",
                completed=progress.done,
                total=progress.total,
                report=text,
            )
        elif time.monotonic() - self._last >= SECONDS_BETWEEN_LINES or progress.done >= progress.total:
            self._last = time.monotonic()
            self._console.print(f"  {text}", highlight=False)


def report(progress: Progress) -> str:
    """One line: percent, work done, uncertainty, time so far and left."""
    percent = 100.0 * progress.done / max(1, progress.total)
    parts = [
        f"{percent:5.1f} %",
        f"{progress.done:,} of {progress.total:,} {progress.unit}".replace(",", " "),
    ]
    if math.isfinite(progress.uncertainty):
        parts.append(f"uncertainty {100.0 * progress.uncertainty:.2f} %")
    parts.append(f"{clock(progress.elapsed_s)} gone")
    if math.isfinite(progress.remaining_s):
        parts.append(f"about {clock(progress.remaining_s)} left")
    return ", ".join(parts)


def clock(seconds: float) -> str:
    """Minutes and seconds, or hours and minutes."""
    whole = max(0, round(seconds))
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60}:{whole % 60:02d} min"


@contextmanager
def progress_line(console: Console) -> Iterator[_Line]:
    """Show progress while an engine works.

    Parameters
    ----------
    console
        Where; on a terminal a bar moves, elsewhere a line is printed now and then.

    Yields
    ------
    callable
        To be given to the engine.
    """
    if not console.is_terminal:
        yield _Line(console, None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[report]}"))
    with Bar(*columns, console=console, transient=True) as bar:
        yield _Line(console, bar)
