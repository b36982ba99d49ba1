"""Figures and tables of the arc paper: ``python benchmarks/arc_paper.py FOLDER --robust FOLDER``.

FOLDER is what ``benchmarks/arc_selectors.py`` kept, that of ``--robust`` what ``benchmarks/arc_robust.py``
kept. Tables and figures are those of Yang et al. (arXiv 2506.15803) for isodose's selectors against its own
particle swarm: dose (table 1), switches of the energy (table 2), metrics against the volume of the target
(figure 2), and of some cases the energies along the arc (figure 3a), the dose on a CT slice (3b), and the
histograms of dose over scenarios and of the deviation from their mean (3c). Doses are per fraction.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from arc_paper_figures import dose_maps, metrics_by_volume, robustness, sequences
from arc_results import BASELINE, Case, chance, column, common_selectors, read_cases

Rows = list[list[str]]

METRICS = (
    ("Target HI = 100 (D2 - D98) / Dp", "hi_2_98", 2),
    ("Target HI = (D5 - D95) / Dp", "hi", 3),
    ("Target CI", "ci", 3),
    ("Target D2 / Gy", "d2_gy", 3),
    ("Target D98 / Gy", "d98_gy", 3),
    ("Brainstem max / Gy", "stem_max_gy", 3),
    ("Brainstem mean / Gy", "stem_gy", 3),
)
SWITCHES = (
    ("Switches up", "up", 1),
    ("Switches down", "down", 1),
    ("Unchanged", "unchanged", 1),
    ("Switching time / s", "switching_s", 1),
)
DRAWN_CASES = 3
DOTS_PER_INCH = 150


def table(cases: Sequence[Case], selectors: Sequence[str], rows: Sequence[tuple[str, str, int]]) -> Rows:
    """Mean and standard deviation by selector, and the probability that it is the baseline's."""
    out = [["", *selectors]]
    for label, key, digits in rows:
        base = column(cases, BASELINE, key)
        cells = [label]
        for name in selectors:
            values = column(cases, name, key)
            spread = f" ± {values.std(ddof=1):.{digits}f}" if values.size > 1 else ""
            cell = f"{values.mean():.{digits}f}{spread}"
            p = chance(values, base)
            cells.append(cell if name == BASELINE or np.isnan(p) else f"{cell} (p {p:.2g})")
        out.append(cells)
    return out


def relative_time(cases: Sequence[Case], selectors: Sequence[str]) -> list[str]:
    """Row of switching times relative to the baseline's mean."""
    base = column(cases, BASELINE, "switching_s").mean()
    cells = [f"{100.0 * (column(cases, s, 'switching_s').mean() / base - 1.0):+.1f} %" for s in selectors]
    return ["Switching time to the swarm's", *cells]


def as_markdown(rows: Rows) -> str:
    head, *body = rows
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in body)])


def as_text(rows: Rows) -> str:
    widths = [max(len(row[k]) for row in rows) + 2 for k in range(len(rows[0]))]
    return "\n".join("".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows)


def spread_out(cases: Sequence[Case], wanted: int) -> list[Case]:
    """So many cases from the smallest target to the largest."""
    index = np.unique(np.linspace(0, len(cases) - 1, min(wanted, len(cases))).round().astype(int))
    return [cases[i] for i in index]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="of benchmarks/arc_selectors.py")
    parser.add_argument("--robust", type=Path, help="folder of benchmarks/arc_robust.py")
    parser.add_argument("--out", type=Path, help="where to write; by default FOLDER/paper")
    parser.add_argument("--selector", default="joint, 51 s", help="drawn beside the swarm")
    parser.add_argument("--robust-selector", default="robust joint", help="drawn beside it over scenarios")
    parser.add_argument("--cases", nargs="*", default=[], help="parts of the names of the cases of figure 3")
    options = parser.parse_args(arguments)
    cases = read_cases(options.folder, options.robust)
    selectors = common_selectors(cases)
    if options.selector not in selectors:
        raise SystemExit(f"--selector {options.selector!r}: not one of {', '.join(selectors)}")
    out = options.out or options.folder / "paper"
    out.mkdir(parents=True, exist_ok=True)
    tables = {
        "table_1": table(cases, selectors, METRICS),
        "table_2": [*table(cases, selectors, SWITCHES), relative_time(cases, selectors)],
    }
    for name, rows in tables.items():
        (out / f"{name}.md").write_text(as_markdown(rows) + "\n", encoding="utf-8")
        print(f"{name.replace('_', ' ')}, {len(cases)} cases\n{as_text(rows)}\n")
    chosen = [case for case in cases if any(part in case.name for part in options.cases)]
    chosen = chosen or spread_out(cases, DRAWN_CASES)
    both = (BASELINE, options.selector)
    figures = {
        "figure_2": metrics_by_volume(cases, both),
        "figure_3a": sequences(chosen, both),
        "figure_3b": dose_maps(chosen, both),
        "figure_3c": robustness(chosen, (BASELINE, options.robust_selector)),
    }
    for name, figure in figures.items():
        if figure is None:
            print(f"{name}.png: nothing stored to draw it from")
            continue
        figure.savefig(out / f"{name}.png", dpi=DOTS_PER_INCH)
        print(out / f"{name}.png")


if __name__ == "__main__":
    main()
