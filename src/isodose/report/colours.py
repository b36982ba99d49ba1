"""Isodose levels and the colour maps of the report's pictures."""

from __future__ import annotations

from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize

ISODOSES: tuple[tuple[float, str], ...] = (
    (20, "#6f4bd8"),
    (50, "#2f5bff"),
    (80, "#16b4ff"),
    (90, "#12d6b0"),
    (95, "#35e03c"),
    (100, "#fff02a"),
    (105, "#ff9a1f"),
    (110, "#ff2b2b"),
)
"""Levels in percent of the reference dose, with their colours: blue below, yellow at 100 %, red above."""

TOP_PERCENT = 115.0
"""End of the dose colour bar, in percent of the reference dose."""

INK = "#1c2430"
"""Colour of text and axes."""

FAINT = "#8a94a3"
"""Colour of ticks, grids and secondary text."""

BEAM_COLOURS: tuple[str, ...] = ("#1f77d0", "#e0563b", "#2a9d6f", "#8a5cc7", "#c99a1c", "#d6559a")
"""Colours of beams, particle classes and other series that have none of their own."""


HELD, MISSED = "#2a9d6f", "#c0392b"
"""Colours of what is within its limits and what is not."""


def dose_wash() -> tuple[Colormap, Normalize]:
    """Colour map that passes through the isodose colours at their levels, and its scale in percent."""
    nodes = (
        [(0.0, "#2a1a66")]
        + [(level / TOP_PERCENT, colour) for level, colour in ISODOSES]
        + [(1.0, "#b00020")]
    )
    return LinearSegmentedColormap.from_list("isodose", nodes), Normalize(0.0, TOP_PERCENT)
