"""Two-field plans on a real head, and what is left of every number after a trip through DICOM.

A patient of OpenKBP gets a carbon and a proton plan on its PTV70, computed by Monte Carlo. CT, structures,
plan and results are then written as DICOM, opened with pydicom and SimpleITK, and read back.

    python benchmarks/real_input.py [HISTORIES]
"""

from __future__ import annotations

import runpy
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813
from beams import SHARED

from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.errors import IsodoseWarning
from isodose.evaluate.conformity import conformity, homogeneity_icru
from isodose.evaluate.dvh import dvh
from isodose.patient.dicom_dose import DoseType, DoseUnits, read_dose, write_dose
from isodose.patient.load import load_patient, read_patient_dicom, write_patient_dicom
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.plan.dicom_ion_plan import read_ion_plan, write_ion_plan
from isodose.plan.placement import Placement
from isodose.plan.plan import Plan
from isodose.plan.simple_plan import simple_plan
from isodose.transport.engine import MonteCarlo

OPENKBP = SHARED / "data" / "openkbp"
CASE = Path("validation") / "pt_201.kbp.xz"
TARGET = "PTV70"
ANGLES = (60.0, 300.0)
PRESCRIPTION_GY = 2.0
HISTORIES = 300_000
PLACEMENT = Placement(spot_spacing_mm=4.0, layer_spacing_mm=3.0)
"""Coarser than by default, which would lay 600,000 spots of carbon over this large target."""
QUANTITIES = (Quantity.DOSE, Quantity.LETD)


def real_patient(folder: Path) -> Patient:
    """Patient of OpenKBP, expanded into a folder."""
    expand = runpy.run_path(str(OPENKBP / "expand.py"))["expand"]
    expand(OPENKBP / CASE, folder / "pt_201")
    return load_patient(folder / "pt_201")


def compute(patient: Patient, ion: str, histories: int) -> tuple[Plan, Dose]:
    """Plan, compute and print what came out."""
    clock = time.perf_counter()
    plan = simple_plan(
        patient,
        TARGET,
        ion,
        gantry_angles=ANGLES,
        prescription_gy=PRESCRIPTION_GY,
        placement=PLACEMENT,
    )
    planned = time.perf_counter() - clock
    dose = MonteCarlo(histories).compute(patient, plan, QUANTITIES)
    p = dose.provenance
    print(
        f"\n{ion}: {len(plan.beams)} fields, {sum(len(b.layers) for b in plan.beams)} layers, "
        f"{sum(b.spot_count for b in plan.beams)} spots, {plan.particles:.3g} particles"
    )
    print(
        f"planned in {planned:.1f} s; {p['histories']} histories in {p['transport_seconds']:.1f} s on "
        f"{p['threads']} threads ({p['seconds']:.1f} s in all); uncertainty above half of the maximum "
        f"{100 * p['relative_uncertainty']:.1f} %"
    )
    evaluate(patient, dose)
    return plan, dose


def evaluate(patient: Patient, dose: Dose) -> None:
    """Print target and organ doses per fraction."""
    volume = dose.volume()
    target = dvh(volume, patient.structure(TARGET))
    index = conformity(volume, target, 0.95 * PRESCRIPTION_GY)
    figures = {"D98": target.d(98), "D50": target.d(50), "D2": target.d(2), "mean": target.mean}
    print(
        f"{TARGET}, prescribed {PRESCRIPTION_GY:g} Gy: "
        + ", ".join(f"{k} {v:.3f} Gy ({100 * v / PRESCRIPTION_GY:.1f} %)" for k, v in figures.items())
    )
    print(
        f"HI (D2 - D98) / D50 {homogeneity_icru(target):.3f}; CI (Paddick, 95 % isodose) {index.paddick:.3f}"
    )
    letd = dose.volume(Quantity.LETD)
    print(f"{'structure':15s}{'mean Gy':>9s}{'D2 Gy':>8s}{'mean LETd':>11s}")
    for structure in patient.structures.values():
        curve, let = dvh(volume, structure), dvh(letd, structure)
        print(f"{structure.name:15s}{curve.mean:9.3f}{curve.near_max:8.3f}{let.mean:7.1f} keV/um")


def round_trip(patient: Patient, plan: Plan, dose: Dose, folder: Path) -> None:
    """Write everything, open it with others' readers, read it back, print the largest differences."""
    study = folder / "study"
    write_patient_dicom(patient, study)
    back = read_patient_dicom(study)
    write_ion_plan(plan, study / "RTPLAN.dcm", back)
    image = _series(study)
    _row("CT, isodose", np.abs(back.ct.values - patient.ct.values).max(), "HU")
    _row("CT, SimpleITK", np.abs(sitk.GetArrayFromImage(image) - patient.ct.values).max(), "HU")
    _row("CT, position", np.abs(np.subtract(image.GetOrigin(), patient.grid.origin_mm)).max(), "mm")
    regions = pydicom.dcmread(study / "RTSTRUCT.dcm").StructureSetROISequence
    _row("RTSTRUCT, pydicom", len(patient.structures) - len(regions), "structures missing")
    voxels = [np.count_nonzero(s.mask != back.structure(n).mask) for n, s in patient.structures.items()]
    _row("RTSTRUCT, isodose", max(voxels), "voxels in the wrong place")
    _plan(plan, study / "RTPLAN.dcm")
    relative = (DoseUnits.RELATIVE, DoseType.PHYSICAL)
    for name, values, kind in (
        ("dose", dose.values[Quantity.DOSE], (DoseUnits.GY, DoseType.PHYSICAL)),
        ("uncertainty", dose.uncertainty[Quantity.DOSE], (DoseUnits.GY, DoseType.ERROR)),
        ("LETd", dose.values[Quantity.LETD], relative),
    ):
        path = study / f"{name}.dcm"
        units, dose_type = kind
        written = Volume(dose.grid, values)
        write_dose(path, written, back.identity, units=units, dose_type=dose_type, comment=name)
        _dose(name, written, path)


def _row(what: str, value: float, unit: str) -> None:
    print(f"{what:28s}{value:12.3g} {unit}")


def _series(folder: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sorted(str(f) for f in folder.glob("CT*.dcm")))
    return reader.Execute()


def _plan(plan: Plan, path: Path) -> None:
    """Compare a plan with its file; positions and weights are 32-bit floats there."""
    back, place, weight = read_ion_plan(path), 0.0, 0.0
    for a, b in zip(plan.beams, back.beams, strict=True):
        for layer, other in zip(a.layers, b.layers, strict=True):
            mine, theirs = layer.spots, other.spots
            place = max(place, np.abs(mine.x_mm - theirs.x_mm).max(), np.abs(mine.y_mm - theirs.y_mm).max())
            weight = max(weight, np.abs(theirs.particles / mine.particles - 1.0).max())
    points = [len(b.IonControlPointSequence) for b in pydicom.dcmread(path).IonBeamSequence]
    missing = 2 * sum(len(b.layers) for b in plan.beams) - sum(points)
    _row("RTPLAN, pydicom", missing, "control points missing")
    _row("RTPLAN, spot positions", place, "mm")
    _row("RTPLAN, spot weights", weight, "relative")


def _dose(name: str, written: Volume, path: Path) -> None:
    """Compare a dose with its file: beyond half a step only the rounding to float32 may differ."""
    dataset = pydicom.dcmread(path)
    step, back, image = float(dataset.DoseGridScaling), read_dose(path).volume, sitk.ReadImage(str(path))
    rounding = float(np.spacing(written.values.max())) / 2
    values = {
        "isodose": back.values,
        "pydicom": dataset.pixel_array * step,
        "SimpleITK": sitk.GetArrayFromImage(image) * float(image.GetMetaData("3004|000e")),
    }
    for reader, found in values.items():
        off = float(np.abs(found - written.values.astype(np.float64)).max())
        _row(f"{name}, {reader}", off, f"of {written.values.max():.3g} (allowed {step / 2 + rounding:.2g})")
    corner = np.abs(np.subtract(back.grid.upper_mm, written.grid.upper_mm)).max()
    _row(f"{name}, position", max(corner, _offset(image, written)), "mm")


def _offset(image: sitk.Image, written: Volume) -> float:
    last = np.add(image.GetOrigin(), np.multiply(image.GetSpacing(), np.subtract(image.GetSize(), 1)))
    wanted = written.grid.position_mm(np.subtract(written.grid.shape, 1))
    return float(np.abs(last - wanted).max())


def main() -> None:
    if not OPENKBP.is_dir():
        raise SystemExit(f"{OPENKBP} is not there: the patients of OpenKBP are not part of isodose")
    warnings.simplefilter("ignore", IsodoseWarning)
    histories = int(sys.argv[1]) if len(sys.argv) > 1 else HISTORIES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        patient = real_patient(folder)
        print(f"{patient.name}: CT of {patient.grid.shape} voxels of {patient.grid.spacing_mm} mm")
        results = {ion: compute(patient, ion, histories) for ion in ("carbon", "proton")}
        for ion, (plan, dose) in results.items():
            print(f"\nround trip of the {ion} plan through DICOM, largest differences")
            round_trip(patient, plan, dose, folder / ion)


if __name__ == "__main__":
    main()
