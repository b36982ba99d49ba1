"""Where a beam points in the patient: IEC 61217 gantry and couch angles to the DICOM patient frame.

Conventions (IEC 61217; the tests pin them): facing the gantry, the fixed frame has x to the right, y to the
gantry and z up. The gantry turns about y, from z towards x; the couch turns about z, from x towards y. At
gantry 0 and couch 0 the frames coincide, and the source lies on the gantry's z axis. The beam's eye view has
the gantry's x and y as its axes. A head-first supine patient has left (+x) along the fixed x, posterior (+y)
along minus z, and head (+z) along y.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isodose.errors import InputError
from isodose.plan.plan import Beam

Vector = NDArray[np.float64]

_PATIENT_FROM_TABLE: dict[str, Vector] = {
    "HFS": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "HFP": np.array([[-1.0, 0, 0], [0, 0, 1], [0, 1, 0]]),
    "FFS": np.array([[-1.0, 0, 0], [0, 0, -1], [0, -1, 0]]),
    "FFP": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
}
"""Rows are the patient's left, posterior and head in the table's frame, by DICOM patient position."""


def axes_of_angles(
    gantry_angle_deg: float, couch_angle_deg: float, position: str = "HFS"
) -> tuple[Vector, Vector, Vector]:
    """Beam's eye view axes and direction of a beam with given angles.

    Parameters
    ----------
    gantry_angle_deg, couch_angle_deg
        IEC 61217 angles.
    position
        DICOM patient position: HFS, HFP, FFS or FFP.

    Returns
    -------
    tuple
        Unit vectors (x, y, z) in the patient frame: BEV x, BEV y, and the direction of flight.

    Raises
    ------
    InputError
        If the patient position is another one.
    """
    if position not in _PATIENT_FROM_TABLE:
        raise InputError("position", repr(position), f"one of {', '.join(_PATIENT_FROM_TABLE)}")
    cg, sg = _cos_sin(gantry_angle_deg)
    cc, sc = _cos_sin(couch_angle_deg)
    fixed_from_gantry = np.array([[cg, 0, sg], [0, 1, 0], [-sg, 0, cg]])
    table_from_fixed = np.array([[cc, sc, 0], [-sc, cc, 0], [0, 0, 1]])
    axes = _PATIENT_FROM_TABLE[position] @ table_from_fixed @ fixed_from_gantry + 0.0
    return axes[:, 0].copy(), axes[:, 1].copy(), 0.0 - axes[:, 2]


def beam_axes(beam: Beam, position: str = "HFS") -> tuple[Vector, Vector, Vector]:
    """Beam's eye view axes and direction of flight of a beam; see `axes_of_angles`."""
    return axes_of_angles(beam.gantry_angle_deg, beam.couch_angle_deg, position)


def source_position(beam: Beam, distance_mm: float, position: str = "HFS") -> Vector:
    """Point (x, y, z) in mm on the beam axis, a distance upstream of the isocentre."""
    direction = beam_axes(beam, position)[2]
    return np.asarray(beam.isocentre_mm, dtype=np.float64) - distance_mm * direction


def spot_rays(
    beam: Beam,
    x_mm: ArrayLike,
    y_mm: ArrayLike,
    source_distance_mm: tuple[float, float],
    position: str = "HFS",
) -> tuple[Vector, Vector]:
    """Central rays of spots, deflected in x and in y at two virtual sources.

    Parameters
    ----------
    beam
        Gives angles and isocentre.
    x_mm, y_mm
        Spot positions on the isocentre plane in the beam's eye view, ``(n,)`` mm.
    source_distance_mm
        Distances of the virtual sources of the x and of the y deflection from the isocentre.
    position
        DICOM patient position.

    Returns
    -------
    tuple
        Points on the isocentre plane ``(n, 3)`` mm and unit directions ``(n, 3)``, both in the patient frame.
    """
    ex, ey, direction = beam_axes(beam, position)
    x = np.atleast_1d(np.asarray(x_mm, dtype=np.float64))[:, None]
    y = np.atleast_1d(np.asarray(y_mm, dtype=np.float64))[:, None]
    points = np.asarray(beam.isocentre_mm, dtype=np.float64) + x * ex + y * ey
    along = direction + x / source_distance_mm[0] * ex + y / source_distance_mm[1] * ey
    return points, along / np.linalg.norm(along, axis=1, keepdims=True)


def _cos_sin(angle_deg: float) -> tuple[float, float]:
    """Cosine and sine, exact at multiples of 90 degrees."""
    turns, rest = divmod(angle_deg, 90.0)
    c, s = math.cos(math.radians(rest)), math.sin(math.radians(rest))
    for _ in range(int(turns) % 4):
        c, s = -s, c
    return c, s
