"""The built-in anatomies: plausible, consistent, the same at any voxel size, another with each seed."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

import numpy as np
import pytest

from isodose.errors import InputError
from isodose.patient.builtin import BUILTIN_PATIENTS, builtin_patient
from isodose.patient.hounsfield import calibration_of
from isodose.patient.patient import Patient
from isodose.patient.structure import Role

ANATOMIES = ("head", "thorax", "pelvis")


@lru_cache(maxsize=16)
def patient(name: str, spacing: float = 4.0, seed: int = 0) -> Patient:
    return builtin_patient(name, spacing, seed)


def mean_hu(p: Patient, name: str) -> float:
    weight = np.where(p.structure(name).occupancy > 0.99, 1.0, 0.0)
    return float((p.ct.values * weight).sum() / weight.sum())


def centre(p: Patient, name: str) -> np.ndarray:
    return p.grid.position_mm(np.argwhere(p.structure(name).mask).mean(axis=0))


@pytest.mark.parametrize("name", ANATOMIES)
@pytest.mark.parametrize("seed", [0, 1])
def test_structures_lie_inside_the_body_and_targets_are_nested(name: str, seed: int) -> None:
    p = patient(name, seed=seed)
    outline = p.external
    assert outline is not None
    for s in p.structures.values():
        assert not s.is_empty, s.name
        assert (s.occupancy <= outline.occupancy + 1e-6).all(), s.name
        assert s.occupancy.min() >= 0
        assert s.occupancy.max() <= 1
    for s in p.targets:
        if s.role is Role.PTV:
            clinical = p.structure(s.name.replace("PTV", "CTV"))
            assert (clinical.occupancy <= s.occupancy + 1e-3).all()
            assert s.volume_cm3 > 1.15 * clinical.volume_cm3


DISJOINT = {
    "head": (
        (
            "Brain",
            "Brainstem",
            "SpinalCord",
            "OpticChiasm",
            "Pituitary",
            "Parotid_L",
            "Parotid_R",
            "Eye_L",
            "Eye_R",
        ),
        ("Bone_Mandible", "Parotid_L", "Parotid_R", "Glnd_Submand_L", "Cavity_Oral", "SpinalCord", "Larynx"),
        ("CTV", "Brainstem", "SpinalCord", "Brain", "Cochlea_L", "Cochlea_R", "CTVn"),
        ("OpticNrv_L", "Brain", "Eye_L", "OpticChiasm"),
    ),
    "thorax": (
        ("Lung_L", "Lung_R", "Heart", "SpinalCord", "Esophagus", "A_Aorta", "GTV"),
        ("Heart", "Trachea", "Esophagus", "SpinalCord"),
    ),
    "pelvis": (
        ("Prostate", "Bladder", "Rectum", "SeminalVes", "Femur_Head_L", "Femur_Head_R", "PenileBulb"),
        ("CTV", "Rectum", "Bladder", "Femur_Head_L"),
    ),
}


@pytest.mark.parametrize("name", ANATOMIES)
@pytest.mark.parametrize("seed", [0, 1])
def test_organs_do_not_overlap(name: str, seed: int) -> None:
    p = patient(name, seed=seed)
    for group in DISJOINT[name]:
        for a, b in combinations(group, 2):
            shared = p.structure(a).mask & p.structure(b).mask
            # One voxel of 4 mm may be more than half inside both by the first-order distances.
            assert np.count_nonzero(shared) <= 2, (a, b)


PLAUSIBLE_CM3 = {
    "head": {
        "Brain": (1000, 1500),
        "Brainstem": (18, 35),
        "SpinalCord": (7, 25),
        "Parotid_L": (12, 45),
        "Parotid_R": (12, 45),
        "Eye_L": (5, 10),
        "Bone_Mandible": (40, 90),
        "PTV": (30, 200),
        "External": (3500, 5500),
    },
    "thorax": {
        "Lung_L": (1000, 3200),
        "Lung_R": (1000, 3500),
        "Heart": (350, 900),
        "SpinalCord": (12, 45),
        "Esophagus": (20, 80),
        "PTV": (10, 250),
        "External": (12000, 30000),
    },
    "pelvis": {
        "Prostate": (15, 80),
        "Bladder": (70, 400),
        "Rectum": (40, 150),
        "Femur_Head_L": (35, 80),
        "PTV": (60, 250),
        "External": (10000, 25000),
    },
}


@pytest.mark.parametrize("name", ANATOMIES)
@pytest.mark.parametrize("seed", [0, 1])
def test_volumes_are_those_of_adults(name: str, seed: int) -> None:
    p = patient(name, seed=seed)
    for organ, (low, high) in PLAUSIBLE_CM3[name].items():
        assert low < p.structure(organ).volume_cm3 < high, organ


@pytest.mark.parametrize("name", ANATOMIES)
def test_volumes_do_not_depend_on_the_voxel_size(name: str) -> None:
    fine, coarse = patient(name, 3.0), patient(name, 4.0)
    for s in fine.structures.values():
        # Edges are one voxel wide; what is thinner than that (lens, nerves) is seen up to a fifth too large.
        tolerance = 0.03 if s.volume_cm3 > 20 else 0.1 if s.volume_cm3 > 3 else 0.35
        assert coarse.structure(s.name).volume_cm3 == pytest.approx(s.volume_cm3, rel=tolerance), s.name


def test_ct_does_not_depend_on_the_voxel_size() -> None:
    fine, coarse = patient("head", 2.0), patient("head", 4.0)
    nz, ny, nx = coarse.grid.shape
    merged = fine.ct.values.reshape(nz, 2, ny, 2, nx, 2).mean(axis=(1, 3, 5))
    outline = coarse.external
    assert outline is not None
    off = (merged - coarse.ct.values)[outline.mask]
    other = (merged - patient("head", seed=1).ct.values)[outline.mask]
    # Measured: median 4 HU, 74 HU rms (bone surfaces and air cells thinner than a voxel), against 167 HU rms
    # of another anatomy.
    assert np.median(np.abs(off)) < 8.0
    assert np.sqrt(np.mean(off**2)) < 0.6 * np.sqrt(np.mean(other**2))
    assert abs(float(off.mean())) < 8.0


def test_seed_makes_the_anatomy() -> None:
    first, again, other = patient("pelvis"), builtin_patient("pelvis", 4.0, 0), patient("pelvis", seed=1)
    np.testing.assert_array_equal(first.ct.values, again.ct.values)
    for s in first.structures.values():
        np.testing.assert_array_equal(s.occupancy, again.structure(s.name).occupancy)
    assert abs(first.structure("Bladder").volume_cm3 / other.structure("Bladder").volume_cm3 - 1) > 0.02
    assert np.count_nonzero(np.abs(first.ct.values - other.ct.values) > 100) > 0.05 * first.grid.size


def test_head_lies_as_the_frame_says() -> None:
    p = patient("head")
    assert centre(p, "Eye_L")[0] > 20  # the patient's left is +x
    assert centre(p, "Eye_R")[0] < -20
    assert centre(p, "Eye_L")[1] < centre(p, "Brainstem")[1] - 50  # posterior is +y
    assert centre(p, "Brain")[2] > centre(p, "Larynx")[2] + 80  # the head is +z
    assert p.position == "HFS"


def test_thorax_lies_as_the_frame_says() -> None:
    p = patient("thorax")
    assert centre(p, "Lung_L")[0] > 30 > -30 > centre(p, "Lung_R")[0]
    assert centre(p, "Heart")[0] > 5
    assert centre(p, "Heart")[1] < centre(p, "Esophagus")[1] < centre(p, "SpinalCord")[1]


@pytest.mark.parametrize("name", ANATOMIES)
def test_target_is_near_the_middle(name: str) -> None:
    x, y, z = centre(patient(name), "PTV")
    assert abs(z) < 15
    assert abs(y) < 75
    assert abs(x) < (100 if name == "thorax" else 15)  # a lung tumour lies on one side


@pytest.mark.parametrize(
    ("name", "organ", "low", "high"),
    [
        ("head", "Brain", 20, 45),
        ("head", "Parotid_L", -60, 40),
        ("head", "Brainstem", 15, 50),
        ("head", "Bone_Mandible", 500, 1500),
        ("thorax", "Lung_L", -900, -700),
        ("thorax", "Heart", 30, 60),
        ("pelvis", "Bladder", -5, 25),
        ("pelvis", "Prostate", 30, 55),
        ("pelvis", "Femur_Head_L", 150, 700),
    ],
)
def test_tissues_have_their_numbers(name: str, organ: str, low: float, high: float) -> None:
    assert low < mean_hu(patient(name), organ) < high


@pytest.mark.parametrize("name", ANATOMIES)
def test_ct_is_noisy_and_fits_its_calibration(name: str) -> None:
    p = patient(name)
    tissue = calibration_of(p.calibration).tissue(p.ct)
    assert tissue.density.max() < 2.5
    assert np.all(p.ct.values == np.rint(p.ct.values))
    assert p.ct.values.min() >= -1024
    air = p.ct.values[:, :2, :2]
    assert air.std() > 0.3


def test_any_voxel_size_and_shape() -> None:
    p = builtin_patient("head", (3.0, 4.0, 6.0), 1)
    assert p.grid.spacing_mm == (3.0, 4.0, 6.0)
    assert p.structure("Brain").volume_cm3 == pytest.approx(
        patient("head", seed=1).structure("Brain").volume_cm3, rel=0.02
    )
    np.testing.assert_allclose(p.grid.centre_mm, 0, atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"name": "hand"}, "patient"),
        ({"name": "head", "spacing_mm": 0.0}, "spacing_mm"),
        ({"name": "head", "spacing_mm": (2.0, 2.0)}, "spacing_mm"),
        ({"name": "head", "seed": -1}, "seed"),
        ({"name": "head", "size_mm": (100.0, 100.0, 100.0)}, "size_mm"),
        ({"name": "water", "size_mm": (1.0, 100.0, 100.0)}, "size_mm"),
    ],
)
def test_bad_requests_name_the_argument(arguments: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as error:
        builtin_patient(**arguments)  # type: ignore[arg-type]
    assert error.value.field == field


def test_every_listed_patient_exists() -> None:
    for name in BUILTIN_PATIENTS:
        p = builtin_patient(name, 12.0)
        assert p.name == name
        assert p.structure("PTV").role is Role.PTV
