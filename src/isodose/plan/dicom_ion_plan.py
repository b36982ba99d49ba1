"""DICOM RT Ion Plans in and out."""

from isodose.plan.ion_plan_reader import read_ion_plan
from isodose.plan.ion_plan_writer import write_ion_plan
from isodose.plan.meterset import MetersetUnit

__all__ = ["MetersetUnit", "read_ion_plan", "write_ion_plan"]
