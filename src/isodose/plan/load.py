"""Load a plan from whatever file holds it."""

from __future__ import annotations

from pathlib import Path

from pydicom.uid import RTIonPlanStorage

from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.patient.dicom_object import dicom_files, names
from isodose.plan.dicom_ion_plan import read_ion_plan
from isodose.plan.plan import Plan
from isodose.plan.yaml_plan import read_plan

_PREAMBLE = 128
_DICOM_MARK = b"DICM"


def load_plan(path: str | Path, machine: Machine | str | None = None) -> Plan:
    """Plan of a DICOM RT Ion Plan or a YAML file, told apart by content.

    Parameters
    ----------
    path
        The file, or a folder in which exactly one file is an RT Ion Plan.
    machine
        Machine to read a DICOM plan with, as in `read_ion_plan`.

    Raises
    ------
    InputError
        If the file cannot be read as either.
    """
    path = Path(path)
    if path.is_dir():
        path = _plan_in(path)
    try:
        with path.open("rb") as stream:
            head = stream.read(_PREAMBLE + len(_DICOM_MARK))
    except OSError as error:
        raise InputError("plan", error.strerror or str(error), "a readable file", path) from error
    if head[_PREAMBLE:] == _DICOM_MARK or path.suffix.lower() == ".dcm":
        return read_ion_plan(path, machine)
    return read_plan(path)


def _plan_in(folder: Path) -> Path:
    found = dicom_files(folder).get(str(RTIonPlanStorage), [])
    if len(found) != 1:
        what = names(found) if found else "no RT Ion Plan"
        raise InputError("plan", what, "exactly one RT Ion Plan in the folder", folder)
    return found[0]
