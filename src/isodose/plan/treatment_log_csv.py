"""Treatment logs as tables of comma-separated values, one row a spot.

The first row names the columns, in any order; others are passed over::

    fraction      number of the fraction, from 1
    beam          name of the beam, as in the plan
    layer         place of the layer in the plan's beam, from 0
    spot          place of the spot in the plan's layer, from 0
    energy_mev_u  nominal energy in MeV/u
    x_mm, y_mm    measured position on the isocentre plane, IEC gantry X and Y
    particles     delivered; 0 for a spot that was not
    sigma_x_mm    measured standard deviation (not full width) at the isocentre in air; may be left out
    sigma_y_mm    the same in y
    date          of the fraction, as 2026-03-27; may be left out
    plan          name of the plan; may be left out

Every planned spot has a row in each fraction that the file holds; the order of the rows does not matter.
Lines that begin with ``#`` are comments.
"""

from __future__ import annotations

import csv
import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.patient.files import atomic_path
from isodose.plan.plan import Spots
from isodose.plan.treatment_log import LoggedBeam, LoggedFraction, LoggedLayer, TreatmentLog

REQUIRED = ("fraction", "beam", "layer", "spot", "energy_mev_u", "x_mm", "y_mm", "particles")
SIZES = ("sigma_x_mm", "sigma_y_mm")
OPTIONAL = (*SIZES, "date", "plan")
_WHOLE = ("fraction", "layer", "spot")
_LARGEST = 10_000_000


@dataclass(frozen=True, slots=True)
class _Rows:
    """Columns of a file with the line that each row stands on."""

    path: Path
    line: NDArray[np.int64]
    numbers: dict[str, NDArray[np.float64]]
    texts: dict[str, list[str]]

    def error(self, row: int, field: str, found: object, expected: str) -> InputError:
        return InputError(f"line {self.line[row]}, {field}", found, expected, self.path)


def read_csv_log(path: str | Path) -> TreatmentLog:
    """Read a treatment log from a table with the columns above.

    Raises
    ------
    InputError
        Naming the file, the line and the column: a column that is missing, a number that is none, a spot or
        layer that is missing or given twice, energies, dates or plans that change where they must not.
    """
    path = Path(path)
    rows = _read(path)
    by_fraction = _groups(rows.numbers["fraction"], np.arange(rows.line.size))
    fractions = tuple(_fraction(rows, int(number), members) for number, members in by_fraction)
    plan = _shared(rows, "plan", np.arange(rows.line.size), "one plan in the file")
    return TreatmentLog(fractions, plan)


def _read(path: Path) -> _Rows:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            numbered = [
                (n, line) for n, line in enumerate(stream, 1) if line.strip() and not line.startswith("#")
            ]
        table = list(csv.reader([line for _, line in numbered], strict=True, skipinitialspace=True))
    except OSError as error:
        raise InputError("file", error.strerror or error, "a readable file", path) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError("file", str(error)[:200], "comma-separated values in UTF-8", path) from error
    if len(table) != len(numbered):
        raise InputError("file", "a value that runs over a line's end", "one row a line", path)
    if len(table) < 2:
        raise InputError("file", f"{len(table)} rows", "a row of column names and rows of spots", path)
    names = [name.strip() for name in table[0]]
    for name in REQUIRED:
        if names.count(name) != 1:
            found = f"columns {', '.join(names)}"[:200]
            raise InputError(f"column {name}", found, f"one of that name, beside {', '.join(REQUIRED)}", path)
    for name in OPTIONAL:
        if names.count(name) > 1:
            raise InputError(f"column {name}", "given twice", "at most one", path)
    if (SIZES[0] in names) != (SIZES[1] in names):
        raise InputError("columns", "one spot size", f"{' and '.join(SIZES)}, or neither", path)
    line = np.array([n for n, _ in numbered[1:]], dtype=np.int64)
    for n, row in zip(line, table[1:], strict=True):
        if len(row) != len(names):
            raise InputError(f"line {n}", f"{len(row)} values", f"{len(names)}, as there are columns", path)
    columns: dict[str, list[str]] = dict(
        zip(names, ([v.strip() for v in c] for c in zip(*table[1:], strict=True)), strict=True)
    )
    texts: dict[str, list[str]] = {n: columns[n] for n in ("beam", "date", "plan") if n in columns}
    numeric = [n for n in (*REQUIRED, *SIZES) if n != "beam" and n in columns]
    numbers = {name: _numbers(name, columns[name], line, path) for name in numeric}
    return _Rows(path, line, numbers, texts)


def _numbers(name: str, texts: list[str], line: NDArray[np.int64], path: Path) -> NDArray[np.float64]:
    """Numbers of a column; an empty spot size is not a number."""
    optional = name in SIZES
    values = np.empty(len(texts))
    for i, text in enumerate(texts):
        try:
            values[i] = float(text) if text or not optional else np.nan
        except ValueError:
            raise InputError(f"line {line[i]}, {name}", repr(text), "a number", path) from None
    wrong, expected = ~np.isfinite(values), "a finite number"
    if optional:
        wrong, expected = (
            ~((values > 0) & (values < np.inf)) & np.array([t != "" for t in texts]),
            "above zero",
        )
    elif name in _WHOLE:
        lowest = 1 if name == "fraction" else 0
        wrong |= (values < lowest) | (values > _LARGEST) | (values % 1 != 0)
        expected = f"a whole number of at least {lowest}"
    elif name == "particles":
        wrong, expected = wrong | (values < 0), "a number of at least 0"
    elif name == "energy_mev_u":
        wrong, expected = wrong | (values <= 0), "an energy above zero"
    if wrong.any():
        first = int(np.argmax(wrong))
        raise InputError(f"line {line[first]}, {name}", texts[first], expected, path)
    return values


def _groups(
    values: NDArray[np.float64], members: NDArray[np.int64]
) -> Iterator[tuple[float, NDArray[np.int64]]]:
    """Rows of each distinct value, in increasing order; the rows keep their order."""
    chosen = values[members]
    order = np.argsort(chosen, kind="stable")
    distinct, start = np.unique(chosen[order], return_index=True)
    yield from zip(distinct.tolist(), np.split(members[order], start[1:]), strict=True)


def _shared(rows: _Rows, column: str, members: NDArray[np.int64], expected: str) -> str:
    """Text that rows share; empty where there is no such column."""
    if column not in rows.texts:
        return ""
    texts = rows.texts[column]
    first = texts[int(members[0])]
    for row in members.tolist():
        if texts[row] != first:
            raise rows.error(row, column, repr(texts[row]), f"{first!r}, as there is {expected}")
    return first


def _fraction(rows: _Rows, number: int, members: NDArray[np.int64]) -> LoggedFraction:
    date = _shared(rows, "date", members, "one date a fraction")
    try:
        when = datetime.date.fromisoformat(date) if date else None
    except ValueError:
        raise rows.error(int(members[0]), "date", repr(date), "a date such as 2026-03-27") from None
    beams: dict[str, list[int]] = {}
    for row in members:
        beams.setdefault(rows.texts["beam"][row], []).append(int(row))
    made = tuple(LoggedBeam(name, _layers(rows, np.array(mine))) for name, mine in beams.items())
    return LoggedFraction(number, made, when, rows.path)


def _layers(rows: _Rows, members: NDArray[np.int64]) -> tuple[LoggedLayer, ...]:
    layers = []
    for place, (index, mine) in enumerate(_groups(rows.numbers["layer"], members)):
        if index != place:
            raise rows.error(int(mine[0]), "layer", f"{index:g}", f"{place}, which is missing")
        layers.append(_layer(rows, mine))
    return tuple(layers)


def _layer(rows: _Rows, members: NDArray[np.int64]) -> LoggedLayer:
    members = members[np.argsort(rows.numbers["spot"][members], kind="stable")]
    spots = rows.numbers["spot"][members]
    off = np.flatnonzero(spots != np.arange(spots.size))
    if off.size:
        place = int(off[0])
        found, missing = int(spots[place]), f"{place}, which is missing"
        twice = found < place
        expected = "each spot of a layer once" if twice else missing
        raise rows.error(int(members[place]), "spot", f"{found}{' again' if twice else ''}", expected)
    energies = rows.numbers["energy_mev_u"][members]
    if np.any(energies != energies[0]):
        row = int(members[np.argmax(energies != energies[0])])
        energy = rows.numbers["energy_mev_u"][row]
        raise rows.error(row, "energy_mev_u", f"{energy:g}", f"{energies[0]:g}, as before in this layer")
    x, y, particles = (rows.numbers[name][members] for name in ("x_mm", "y_mm", "particles"))
    return LoggedLayer(float(energies[0]), Spots(x, y, particles), _sizes(rows, members))


def _sizes(rows: _Rows, members: NDArray[np.int64]) -> NDArray[np.float64] | None:
    if SIZES[0] not in rows.numbers:
        return None
    sizes = np.stack([rows.numbers[name][members] for name in SIZES], axis=1)
    missing = np.isnan(sizes)
    if missing.all():
        return None
    if missing.any():
        row, column = np.argwhere(missing)[0]
        raise rows.error(
            int(members[row]), SIZES[column], "nothing", "a size, as of other spots of the layer"
        )
    return sizes


def write_csv_log(log: TreatmentLog, path: str | Path) -> None:
    """Write a treatment log as a table that `read_csv_log` reads back with the same numbers.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with atomic_path(Path(path)) as beside, beside.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow((*REQUIRED, *OPTIONAL))
        for fraction in log.fractions:
            date = "" if fraction.date is None else fraction.date.isoformat()
            for beam in fraction.beams:
                for j, layer in enumerate(beam.layers):
                    place, label = (fraction.number, beam.name, j), (date, log.plan)
                    writer.writerows((*place, *row, *label) for row in _spot_rows(layer))


def _spot_rows(layer: LoggedLayer) -> Iterator[tuple[object, ...]]:
    spots = layer.spots
    sizes = [("", "")] * len(spots) if layer.sigma_mm is None else layer.sigma_mm.tolist()
    measured = zip(spots.x_mm.tolist(), spots.y_mm.tolist(), spots.particles.tolist(), sizes, strict=True)
    for k, (x, y, particles, size) in enumerate(measured):
        yield (k, layer.energy_mev_u, x, y, particles, *size)
