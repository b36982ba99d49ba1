"""The folder that a command writes: results as files, and ``run.json``, which says how they came about."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from isodose import __version__
from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.dose.spectra import Spectra
from isodose.errors import InputError, OutputError
from isodose.patient.dicom_dose import DoseType, DoseUnits, write_dose
from isodose.patient.files import atomic_path
from isodose.patient.images import write_image
from isodose.patient.patient import DicomIdentity, Patient
from isodose.patient.volume import Volume
from isodose.plan.plan import Plan

RUN_FILE = "run.json"
CHECKPOINT_FILE = "checkpoint.npz"
IMAGE_SUFFIX: dict[str, str] = {"mha": ".mha", "nrrd": ".nrrd", "nifti": ".nii.gz"}
"""Formats beside DICOM that results can be written in."""


@contextmanager
def opened(folder: Path, resume: bool = False) -> Iterator[None]:
    """Make a folder for a run; if the run fails before its ``run.json`` is there, what it wrote goes again.

    A checkpoint stays. An earlier run's folder is accepted; its results are replaced once the new ones are
    there.

    Parameters
    ----------
    folder
        Where the run is to write.
    resume
        Whether the folder must hold an interrupted run.

    Raises
    ------
    InputError
        If it holds other things, or if there is nothing to resume.
    OutputError
        If it cannot be made.
    """
    try:
        content = {entry.name for entry in folder.iterdir()} if folder.exists() else set()
        if content and not content & {RUN_FILE, CHECKPOINT_FILE}:
            raise InputError(
                "--out", f"{folder} with other files in it", "a new folder, or that of an earlier run"
            )
        if resume and CHECKPOINT_FILE not in content:
            raise InputError(
                "--resume", f"no {CHECKPOINT_FILE} in {folder}", "the folder of an interrupted run"
            )
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: no folder for results ({error.strerror})") from error
    try:
        yield
    except BaseException:
        if not (folder / RUN_FILE).exists():
            _remove(entry for entry in folder.iterdir() if entry.name not in {*content, CHECKPOINT_FILE})
        raise
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()


def _remove(entries: Iterable[Path]) -> None:
    for entry in list(entries):
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def write_results(
    folder: Path,
    patient: Patient,
    plan: Plan,
    dose: Dose,
    formats: tuple[str, ...] = ("dicom",),
    plan_uid: str = "",
) -> list[str]:
    """Write every quantity of a dose, its uncertainty and its spectra.

    Doses of a plan of several fractions are written for all of them, as DICOM's PLAN dose wants it, and named
    ``..._total``; so are cluster doses, which DICOM has no unit for: they are relative, with quantity and
    unit in the comment.

    Parameters
    ----------
    folder
        An existing folder.
    patient, plan
        What the dose belongs to.
    dose
        Per fraction.
    formats
        Of ``dicom``, ``mha``, ``nrrd``, ``nifti``.
    plan_uid
        SOP Instance UID of the plan, if it is a DICOM one.

    Returns
    -------
    list of str
        Names of the files.
    """
    names: list[str] = []
    for quantity, values in dose.values.items():
        several = quantity.adds_up and plan.fractions > 1
        factor = np.float32(plan.fractions if quantity.adds_up else 1)
        stem = f"{quantity.stem}_total" if several else quantity.stem
        comment = _comment(quantity, plan.fractions)
        units = DoseUnits.GY if quantity.unit.startswith("Gy") else DoseUnits.RELATIVE
        kind = DoseType.EFFECTIVE if quantity is Quantity.RBE_DOSE else DoseType.PHYSICAL
        write = partial(_write, folder, formats, patient.identity, plan_uid, units)
        names += write(stem, Volume(dose.grid, factor * values), comment, kind)
        if quantity in dose.uncertainty:
            deviation = Volume(dose.grid, factor * dose.uncertainty[quantity])
            comment = f"Uncertainty (1 sd): {comment}"
            names += write(f"{stem}_uncertainty", deviation, comment, DoseType.ERROR)
    for quantity, spectra in dose.spectra.items():
        names.append(f"{quantity.key}.npz")
        write_spectra(folder / names[-1], dose, spectra)
    return names


def _comment(quantity: Quantity, fractions: int) -> str:
    """Say what the numbers are, and of how many fractions where they add up."""
    text = f"{quantity.label}, {quantity.unit}"
    return f"{text}, {fractions} fraction{'s' if fractions > 1 else ''}" if quantity.adds_up else text


def _write(
    folder: Path,
    formats: tuple[str, ...],
    identity: DicomIdentity,
    plan_uid: str,
    units: DoseUnits,
    stem: str,
    volume: Volume,
    comment: str,
    dose_type: DoseType,
) -> list[str]:
    """Write a volume in every format; return the names of the files."""
    names = []
    for kind in formats:
        if kind == "dicom":
            names.append(f"{stem}.dcm")
            write_dose(
                folder / names[-1],
                volume,
                identity,
                units=units,
                dose_type=dose_type,
                comment=comment,
                plan_uid=plan_uid,
            )
        else:
            names.append(f"{stem}{IMAGE_SUFFIX[kind]}")
            write_image(folder / names[-1], volume)
    return names


def write_spectra(path: Path, dose: Dose, spectra: Spectra) -> None:
    """Write spectra as a compressed NumPy archive that carries its grid, classes and energy edges."""
    with atomic_path(path) as file, file.open("wb") as stream:
        np.savez_compressed(
            stream,
            classes=np.array(spectra.classes),
            energy_edges_mev=spectra.energy_edges_mev,
            key=spectra.key,
            value=spectra.value,
            variance=spectra.variance,
            origin_mm=dose.grid.origin_mm,
            spacing_mm=dose.grid.spacing_mm,
            shape=dose.grid.shape,
        )


def write_record(
    folder: Path,
    verb: str,
    inputs: Mapping[str, Any],
    options: Mapping[str, Any],
    started: datetime,
    files: list[str],
    provenance: Mapping[str, Any],
) -> Path:
    """Write ``run.json`` and remove files of an earlier run that this one did not write again.

    Parameters
    ----------
    folder
        Of the run.
    verb
        The command.
    inputs, options
        What it was given.
    started
        When it began, with its time zone.
    files
        What it wrote, relative to the folder.
    provenance
        What the engine says it did.

    Returns
    -------
    Path
        The file.
    """
    path = folder / RUN_FILE
    earlier = read_record(folder).get("files", []) if path.exists() else []
    record = {
        "isodose": __version__,
        "verb": verb,
        "inputs": dict(inputs),
        "options": dict(options),
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "partial": bool(provenance.get("partial", False)),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "provenance": dict(provenance),
        "files": files,
    }
    with atomic_path(path) as file:
        file.write_text(json.dumps(record, indent=2, default=_plain) + "\n", encoding="utf-8")
    for name in set(earlier) - set(files):
        (folder / Path(name).name).unlink(missing_ok=True)
    return path


def read_record(folder: Path) -> dict[str, Any]:
    """Read ``run.json`` of a folder.

    Raises
    ------
    InputError
        If it is not there or damaged.
    """
    path = folder / RUN_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(RUN_FILE, str(error), "the record that every command writes", path) from error
    if not isinstance(record, dict):
        raise InputError(RUN_FILE, type(record).__name__, "a record with keys", path)
    return record


def dose_file(path: Path) -> Path:
    """File of the dose itself: of a run's folder or, where it is a file already, that."""
    if path.is_dir():
        for key in (Quantity.DOSE.key, f"{Quantity.DOSE.key}_total"):
            for suffix in (".dcm", *IMAGE_SUFFIX.values()):
                if (path / f"{key}{suffix}").exists():
                    return path / f"{key}{suffix}"
        raise InputError("dose", f"no dose file in {path}", "a dose file, or the folder of a run")
    if not path.exists():
        raise InputError("dose", f"{path}, which does not exist", "a dose file, or the folder of a run")
    return path


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return str(value)
