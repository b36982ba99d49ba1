import warnings
from dataclasses import replace

import numpy as np
import pytest

from isodose.patient.patient import Patient
from isodose.patient.structure import Role, Structure
from isodose.pencilbeam.engine import PencilBeam
from isodose.pencilbeam.entrance import EntranceWarning


def patient(box, margin: int, couch_hu: float = -1000.0, calibration: str = "schneider") -> Patient:
    """A body of 40 mm, so many voxels of 2 mm from the edges of the CT, and a plate of 8 mm under it."""
    size = 20 + 2 * margin
    body = np.zeros((size,) * 3, dtype=np.float32)
    inner = slice(margin, size - margin)
    body[inner, inner, inner] = 1.0
    hu = np.where(body > 0.0, 0.0, -1000.0)
    if couch_hu > -1000.0:
        hu[:, -margin : -margin + 4, :] = couch_hu
    made = box(hu)
    external = Structure("body", Role.EXTERNAL, made.grid, body)
    return replace(made, structures={"body": external}, calibration=calibration)


def compute(toy, who: Patient, plan) -> None:
    PencilBeam(machine=toy, threads=1).compute(who, plan)


def test_a_beam_from_above_is_nothing_to_mention(toy, box, spot_plan) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compute(toy, patient(box, 6, 0.0), spot_plan(60.0))


def test_through_the_couch(toy, box, spot_plan) -> None:
    with pytest.warns(EntranceWarning, match=r"'b' crosses up to 8 mm of matter outside the body"):
        compute(toy, patient(box, 6, 0.0), spot_plan(60.0, gantry=180.0))


def test_through_the_edge_of_the_ct(toy, box, spot_plan) -> None:
    with pytest.warns(EntranceWarning, match=r"'b' enters through the edge of the CT \(100 % of its rays\)"):
        compute(toy, patient(box, 0), spot_plan(60.0))


def test_phantoms_end_with_their_ct(toy, box, spot_plan) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compute(toy, patient(box, 0, calibration="phantom"), spot_plan(60.0))
        compute(toy, replace(patient(box, 0), structures={}), spot_plan(60.0))
