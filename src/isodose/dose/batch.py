"""Many plans in one run: a folder of plans, or a table of patients and plans."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from isodose.errors import InputError

_PLAN_SUFFIXES = (".dcm", ".yaml", ".yml")
_COLUMNS = ("patient", "plan")


@dataclass(frozen=True, slots=True)
class TableRow:
    """One computation of a table.

    Parameters
    ----------
    name
        Of the folder for its results; unique in the table.
    patient, plan
        As on the command line.
    """

    name: str
    patient: str
    plan: Path


def run_table(patient: str, plans: Path | None) -> tuple[TableRow, ...]:
    """Rows of a batch.

    Parameters
    ----------
    patient
        The patient of all plans or, without plans, a CSV file with columns ``patient``, ``plan`` and, if
        wanted, ``name``; its relative paths count from its own folder.
    plans
        Folder of plans, if any.

    Raises
    ------
    InputError
        Naming the file and row, if the table cannot be used.
    """
    if plans is not None:
        found = sorted(p for p in plans.iterdir() if p.suffix.lower() in _PLAN_SUFFIXES)
        if not found:
            raise InputError("PLAN", f"folder {plans} without plans", f"files {', '.join(_PLAN_SUFFIXES)}")
        return _unique([TableRow(p.stem, patient, p) for p in found], plans)
    path = Path(patient)
    if path.suffix.lower() != ".csv":
        raise InputError(
            "PLAN", "nothing", "a plan, a folder of plans, or a table (.csv) in place of the patient"
        )
    return _unique(_rows(path), path)


def _rows(path: Path) -> list[TableRow]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            missing = [c for c in _COLUMNS if c not in (reader.fieldnames or ())]
            if missing:
                found = ", ".join(reader.fieldnames or ()) or "nothing"
                raise InputError("columns", found, f"{', '.join(_COLUMNS)} and, if wanted, name", path)
            lines = [(i, row) for i, row in enumerate(reader, start=2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError("file", error, "a readable CSV file", path) from error
    rows = []
    for number, row in lines:
        values = {key: (row.get(key) or "").strip() for key in (*_COLUMNS, "name")}
        for key in _COLUMNS:
            if not values[key]:
                raise InputError(f"row {number}, column {key}", "nothing", "a value", path)
        plan, beside = Path(values["plan"]), path.parent / values["patient"]
        rows.append(
            TableRow(
                values["name"] or f"{Path(values['patient']).name}_{plan.stem}",
                str(beside) if beside.exists() else values["patient"],
                plan if plan.is_absolute() else path.parent / plan,
            )
        )
    if not rows:
        raise InputError("rows", "none", "at least one", path)
    return rows


def _unique(rows: list[TableRow], file: Path) -> tuple[TableRow, ...]:
    seen: set[str] = set()
    for row in rows:
        if row.name in seen:
            raise InputError("name", f"{row.name!r} twice", "a name for each row of its own", file)
        seen.add(row.name)
    return tuple(rows)
