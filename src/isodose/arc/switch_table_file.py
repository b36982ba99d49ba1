"""Switch tables of a machine from files, as measured.

YAML holds these keys::

    source: commissioning, May 2025          # may be left out
    energies_mev_u: [70.0, 100.0, 130.0]     # ascending
    seconds:                                 # a row from each energy, a column to each
      - [0.0, 4.1, 5.2]
      - [0.5, 0.0, 4.3]
      - [0.8, 0.6, 0.0]

CSV holds the energies in its first line, behind a cell that does not matter, and then a line from each
energy: the energy itself, and the seconds to each. Lines that begin with ``#`` say what they like.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from isodose.arc.switch_table import SWITCH_PRESETS, SwitchTable
from isodose.errors import InputError
from isodose.machine.yaml_schema import Number, Strict, Text, read_yaml

SUFFIXES = (".yaml", ".yml", ".csv")
_COMMENT = "#"


class _TableFile(Strict):
    source: Text | None = None
    energies_mev_u: tuple[Number, ...]
    seconds: tuple[tuple[Number | None, ...], ...]


def read_switch_table(path: str | Path) -> SwitchTable:
    """Switch table of a YAML or CSV file.

    Raises
    ------
    InputError
        Naming the file and the field: if it cannot be read, energies are not positive and ascending, the
        table is not square, or a time is missing, not finite or negative.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv":
        energies, rows = _of_csv(path)
        return _checked(path, energies, rows, path.name)
    entry = read_yaml(path, _TableFile)
    return _checked(path, entry.energies_mev_u, entry.seconds, entry.source or path.name)


def table_file(switching: str) -> Path | None:
    """File that a configuration's ``arc.switching`` names, or None for one of `SWITCH_PRESETS`.

    Raises
    ------
    InputError
        If it is neither.
    """
    if switching in SWITCH_PRESETS:
        return None
    path = Path(switching)
    if path.suffix.lower() in SUFFIXES and path.is_file():
        return path
    expected = f"one of {', '.join(SWITCH_PRESETS)}, or a file that ends in {', '.join(SUFFIXES)}"
    raise InputError("arc.switching", repr(switching), expected)


def _checked(
    path: Path, energies: Sequence[float], rows: Sequence[Sequence[float | None]], source: str
) -> SwitchTable:
    count = len(energies)
    if len(rows) != count:
        raise InputError("seconds", f"{len(rows)} rows", f"{count}, one from each energy", path)
    for i, row in enumerate(rows):
        if len(row) != count:
            raise InputError(f"seconds[{i}]", f"{len(row)} numbers", f"{count}, one to each energy", path)
        for j, value in enumerate(row):
            if value is None or not (np.isfinite(value) and value >= 0.0):
                field = f"seconds[{i}][{j}], from {energies[i]:g} to {energies[j]:g} MeV/u"
                found = "nothing" if value is None else f"{value:g}"
                raise InputError(field, found, "a finite time of at least 0 s for every pair", path)
    try:
        return SwitchTable(np.array(energies), np.array(rows, dtype=np.float64), source)
    except InputError as error:
        raise InputError(error.field, error.found, error.expected, path) from error


def _of_csv(path: Path) -> tuple[list[float], list[list[float | None]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            lines = [
                (number, [cell.strip() for cell in cells])
                for number, cells in enumerate(csv.reader(stream), start=1)
                if any(cell.strip() for cell in cells) and not cells[0].lstrip().startswith(_COMMENT)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError("file", error, "a readable table of comma-separated values", path) from error
    if not lines:
        raise InputError("file", "no line", "energies in the first line, and a line from each of them", path)
    energies = [_energy(path, lines[0][0], cell) for cell in lines[0][1][1:]]
    rows: list[list[float | None]] = []
    for i, (number, cells) in enumerate(lines[1:]):
        start = _energy(path, number, cells[0])
        if i < len(energies) and start != energies[i]:
            expected = f"{energies[i]:g}, as in the first line"
            raise InputError(f"line {number}, column 1", f"{start:g}", expected, path)
        rows.append([_number(path, number, k, cell) for k, cell in enumerate(cells[1:], start=2)])
    return energies, rows


def _energy(path: Path, line: int, cell: str) -> float:
    value = _number(path, line, 1, cell)
    if value is None:
        raise InputError(f"line {line}", "an empty cell for an energy", "energies in MeV/u", path)
    return value


def _number(path: Path, line: int, column: int, cell: str) -> float | None:
    if not cell:
        return None
    try:
        return float(cell)
    except ValueError as error:
        raise InputError(f"line {line}, column {column}", repr(cell), "a number", path) from error
