"""Bixels over a target: every voxel of it is covered, and not much more."""

from dataclasses import replace

import numpy as np
import pytest

from isodose.errors import InputError
from isodose.patient.patient import Patient
from isodose.patient.structure import Role, Structure
from isodose.photon.bixels import bixel_plan, place_bixels
from isodose.plan.beam_frame import axes_of_angles


@pytest.fixture(scope="module")
def patient(box) -> Patient:
    water = box(np.zeros((40, 40, 40)))
    z, y, x = np.indices(water.grid.shape)
    ball = ((x - 20) ** 2 + (y - 22) ** 2 + (z - 18) ** 2 <= 36).astype(np.float32)
    target = Structure("PTV", Role.PTV, water.grid, ball)
    empty = Structure("nothing", Role.CTV, water.grid, np.zeros_like(ball))
    return replace(water, structures={"PTV": target, "nothing": empty})


@pytest.mark.parametrize("bixel_mm", [5.0, 10.0])
@pytest.mark.parametrize(("gantry", "couch"), [(0.0, 0.0), (72.0, 0.0), (210.0, 30.0)])
def test_covers_the_target(patient: Patient, gantry: float, couch: float, bixel_mm: float) -> None:
    """Each voxel's shadow lies in a bixel, and every bixel's middle within margin of one."""
    plan = bixel_plan(patient, "PTV", [gantry], couch_angles=[couch], bixel_mm=bixel_mm, margin_mm=5.0)
    target, beam = patient.structure("PTV"), plan.beams[0]
    ex, ey, along = axes_of_angles(gantry, couch)
    offset = target.grid.position_mm(np.argwhere(target.mask)) - np.array(beam.isocentre_mm)
    growth = 1.0 + offset @ along / 1000.0
    shadow = np.stack([offset @ ex, offset @ ey], axis=1) / growth[:, None]
    spots = beam.layers[0].spots
    away = np.abs(shadow[:, None] - np.stack([spots.x_mm, spots.y_mm], axis=1)[None]).max(axis=2)
    assert away.min(axis=1).max() <= bixel_mm / 2 + 1e-6
    # Half a voxel of 4 mm, the margin, and shadows rounded to 1 mm.
    assert away.min(axis=0).max() <= 2.0 + 5.0 + 0.5


def test_plan_says_what_it_is(patient: Patient) -> None:
    plan = bixel_plan(patient, "ptv", [0.0, 72.0, 144.0], prescription_gy=2.0, fractions=30)
    assert (plan.target, plan.fractions, plan.prescription_gy) == ("PTV", 30, 2.0)
    assert [beam.gantry_angle_deg for beam in plan.beams] == [0.0, 72.0, 144.0]
    assert all(np.all(beam.layers[0].spots.particles == 1.0) for beam in plan.beams)


@pytest.mark.parametrize(
    ("target", "options", "field"),
    [
        ("nothing", {}, "target 'nothing'"),
        ("PTV", {"gantry_angles": []}, "gantry_angles"),
        ("PTV", {"couch_angles": [0.0, 0.0]}, "couch_angles"),
        ("PTV", {"bixel_mm": 0.0}, "bixel_mm"),
        ("PTV", {"margin_mm": -1.0}, "margin_mm"),
        ("PTV", {"isocentre_mm": (0.0, 1200.0, 0.0)}, "target 'PTV'"),
        ("spine", {}, "structure"),
    ],
)
def test_refuses(patient: Patient, target: str, options: dict, field: str) -> None:
    with pytest.raises(InputError) as error:
        bixel_plan(patient, target, **({"gantry_angles": [0.0]} | options))
    assert error.value.field == field


def test_place_bixels_refuses_an_empty_target(patient: Patient) -> None:
    beam = bixel_plan(patient, "PTV", [0.0]).beams[0]
    with pytest.raises(InputError, match="empty"):
        place_bixels(beam, patient.structure("nothing"))
