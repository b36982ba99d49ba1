"""Load a treatment log from whatever files hold it."""

from __future__ import annotations

from pathlib import Path

from pydicom.uid import RTIonBeamsTreatmentRecordStorage

from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.patient.dicom_object import dicom_files
from isodose.plan.dicom_treatment_record import read_treatment_records
from isodose.plan.plan import Plan
from isodose.plan.treatment_log import TreatmentLog, joined
from isodose.plan.treatment_log_csv import read_csv_log
from isodose.plan.treatment_log_yaml import read_yaml_log

_READERS = {".csv": read_csv_log, ".yaml": read_yaml_log, ".yml": read_yaml_log}


def load_treatment_log(path: str | Path, plan: Plan, machine: Machine | None = None) -> TreatmentLog:
    """Treatment log of a plan: a CSV or YAML file, a DICOM treatment record, or a folder of one of these.

    Parameters
    ----------
    path
        A file, or a folder whose files (and for DICOM, those of its sub-folders) together are the log.
    plan
        What was delivered.
    machine
        Calibration of DICOM records in MU, by default the plan's machine.

    Raises
    ------
    InputError
        If there is nothing to read, several formats are mixed, or a file is wrong.
    """
    path = Path(path)
    if not path.is_dir():
        reader = _READERS.get(path.suffix.lower())
        return reader(path) if reader else read_treatment_records([path], plan, machine)
    tables = sorted(p for p in path.iterdir() if p.suffix.lower() in _READERS)
    records = dicom_files(path).get(str(RTIonBeamsTreatmentRecordStorage), [])
    if bool(tables) == bool(records):
        found = f"{len(tables)} CSV or YAML files and {len(records)} DICOM treatment records"
        raise InputError("treatment log", found, "files of one kind", path)
    if records:
        return read_treatment_records(records, plan, machine)
    return joined([_READERS[table.suffix.lower()](table) for table in tables])
