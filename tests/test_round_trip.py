"""What isodose writes is what others and isodose itself read: the whole study of a computed plan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813

from isodose.dose.quantity import Quantity
from isodose.patient.builtin import builtin_patient
from isodose.patient.dicom_dose import DoseType, DoseUnits, read_dose, write_dose
from isodose.patient.load import load_patient, write_patient_dicom
from isodose.patient.volume import Volume
from isodose.plan.dicom_ion_plan import write_ion_plan
from isodose.plan.load import load_plan
from isodose.plan.placement import Placement
from isodose.plan.simple_plan import simple_plan
from isodose.transport.engine import MonteCarlo

KINDS = {
    "dose": (DoseUnits.GY, DoseType.PHYSICAL),
    "uncertainty": (DoseUnits.GY, DoseType.ERROR),
    "letd": (DoseUnits.RELATIVE, DoseType.PHYSICAL),
}
COARSE = Placement(spot_spacing_mm=15.0, layer_spacing_mm=15.0)


@pytest.fixture(scope="module")
def head():
    patient = builtin_patient("head", spacing_mm=6.0)
    # structures of whole voxels come back exactly; outlines of parts of voxels cannot
    whole = {name: replace(s, occupancy=s.mask.astype(np.float32)) for name, s in patient.structures.items()}
    return replace(patient, structures=whole)


@pytest.fixture(scope="module")
def plan(head):
    target = head.targets[0].name
    return simple_plan(head, target, "carbon", gantry_angles=(90.0, 270.0), placement=COARSE)


@pytest.fixture(scope="module")
def results(head, plan):
    dose = MonteCarlo(2000, seed=1, threads=2).compute(head, plan, (Quantity.DOSE, Quantity.LETD))
    values = {
        "dose": dose.values[Quantity.DOSE],
        "uncertainty": dose.uncertainty[Quantity.DOSE],
        "letd": dose.values[Quantity.LETD],
    }
    return {name: Volume(dose.grid, array) for name, array in values.items()}


@pytest.fixture(scope="module")
def study(head, plan, results, tmp_path_factory):
    folder = tmp_path_factory.mktemp("round_trip") / "study"
    write_patient_dicom(head, folder)
    patient = load_patient(folder)
    write_ion_plan(plan, folder / "RTPLAN.dcm", patient)
    for name, (units, dose_type) in KINDS.items():
        path = folder / f"{name}.dcm"
        write_dose(path, results[name], patient.identity, units=units, dose_type=dose_type, comment=name)
    return folder


def test_ct(study, head):
    back = load_patient(study)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sorted(str(path) for path in study.glob("CT*.dcm")))
    image = reader.Execute()
    # whole Hounsfield units are kept exactly
    assert np.array_equal(back.ct.values, head.ct.values)
    assert np.array_equal(sitk.GetArrayFromImage(image), head.ct.values)
    assert back.grid.matches(head.grid, tolerance_mm=1e-3)
    assert image.GetOrigin() == pytest.approx(head.grid.origin_mm, abs=1e-3)
    assert image.GetSpacing() == pytest.approx(head.grid.spacing_mm, abs=1e-5)
    assert pydicom.dcmread(study / "CT.0001.dcm").Rows == head.grid.shape[1]


def test_structures(study, head):
    back = load_patient(study)
    regions = pydicom.dcmread(study / "RTSTRUCT.dcm").StructureSetROISequence
    assert [roi.ROIName for roi in regions] == list(head.structures)
    for name, structure in head.structures.items():
        read = back.structure(name)
        assert read.role is structure.role
        assert np.array_equal(read.mask, structure.mask)
        assert read.volume_cm3 == pytest.approx(structure.volume_cm3, rel=1e-6)


def test_plan(study, plan):
    back = load_plan(study)
    beams = pydicom.dcmread(study / "RTPLAN.dcm").IonBeamSequence
    assert [len(b.IonControlPointSequence) for b in beams] == [2 * len(b.layers) for b in plan.beams]
    assert [b.gantry_angle_deg for b in back.beams] == [90.0, 270.0]
    for mine, theirs in zip(plan.beams, back.beams, strict=True):
        assert theirs.isocentre_mm == pytest.approx(mine.isocentre_mm, abs=1e-3)
        for layer, read in zip(mine.layers, theirs.layers, strict=True):
            assert read.energy_mev_u == pytest.approx(layer.energy_mev_u, rel=1e-13)
            # DICOM holds positions and weights as 32-bit floats
            for key in ("x_mm", "y_mm"):
                written = getattr(layer.spots, key).astype(np.float32)
                assert np.array_equal(getattr(read.spots, key).astype(np.float32), written)
            np.testing.assert_allclose(read.spots.particles, layer.spots.particles, rtol=2e-7)


@pytest.mark.parametrize("name", KINDS)
def test_results(study, results, name):
    written, path = results[name], study / f"{name}.dcm"
    dataset, back, image = pydicom.dcmread(path), read_dose(path), sitk.ReadImage(str(path))
    scaling = float(dataset.DoseGridScaling)
    top = written.values.max()
    # half a step of the stored integers, and the rounding of the values themselves to float32
    allowed = scaling / 2 + float(np.spacing(top)) / 2
    for found in (
        back.volume.values,
        dataset.pixel_array * scaling,
        sitk.GetArrayFromImage(image) * float(image.GetMetaData("3004|000e")),
    ):
        assert np.abs(found - written.values.astype(np.float64)).max() <= allowed
    assert back.volume.grid.matches(written.grid, tolerance_mm=1e-3)
    assert image.GetOrigin() == pytest.approx(written.grid.origin_mm, abs=1e-3)
    assert (back.units, back.dose_type) == KINDS[name]
    assert back.frame_of_reference_uid == load_patient(study).identity.frame_of_reference_uid
