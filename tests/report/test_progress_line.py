"""Progress in words."""

from __future__ import annotations

import io
import math

from rich.console import Console

from isodose.dose.progress import Progress
from isodose.report.progress_line import clock, progress_line, report


def test_a_line_says_how_far_and_how_certain():
    text = report(Progress(2_500, 10_000, 65.0, 195.0, 0.0231))
    assert (
        text
        == "25.0 %, 2 500 of 10 000 histories, uncertainty 2.31 %, 1:05 min gone, about 3:15 min left".rjust(
            len(text)
        )
    )
    assert "uncertainty" not in report(Progress(1, 10, 1.0, math.inf, math.nan))


def test_clock():
    assert clock(59.6) == "1:00 min"
    assert clock(3 * 3600 + 125) == "3 h 02 min"


def test_without_a_terminal_lines_are_rare_but_the_last_one_comes():
    out = io.StringIO()
    with progress_line(Console(file=out, width=200)) as line:
        for done in range(1, 101):
            line(Progress(done, 100, done, 100 - done, 0.1))
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert "100.0 %" in lines[-1]
