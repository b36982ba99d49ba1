"""Bixels over a target: fields to optimise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from isodose.errors import InputError
from isodose.patient.patient import Patient
from isodose.patient.structure import Structure
from isodose.photon.generic_6mv import GENERIC_6MV
from isodose.photon.kernel import SOURCE_DISTANCE_MM
from isodose.photon.photon_plan import PHOTON, PhotonPlan
from isodose.plan.beam_angles import beam_angles
from isodose.plan.beam_frame import beam_axes
from isodose.plan.plan import Beam, Layer, Spots

VOLTAGE_MV = 6.0


def bixel_plan(
    patient: Patient,
    target: str,
    gantry_angles: Sequence[float],
    *,
    couch_angles: Sequence[float] | None = None,
    bixel_mm: float = 5.0,
    margin_mm: float = 5.0,
    isocentre_mm: tuple[float, float, float] | None = None,
    prescription_gy: float | None = None,
    fractions: int = 1,
    machine: str = GENERIC_6MV.name,
    name: str | None = None,
) -> PhotonPlan:
    """Fields whose bixels cover a target, each of one monitor unit.

    Parameters
    ----------
    patient
        CT and structures.
    target
        Name of the structure to irradiate.
    gantry_angles
        IEC 61217, one beam each.
    couch_angles
        As many as gantry angles; all zero by default.
    bixel_mm
        Side of a bixel on the isocentre plane.
    margin_mm
        How far from the target's shadow the middle of a bixel may lie.
    isocentre_mm
        Patient frame; the target's centre of mass by default.
    prescription_gy, fractions
        As of a `Plan`.
    machine
        Name of the kernel.
    name
        Label of the plan.

    Raises
    ------
    InputError
        If the target is unknown or empty, or an argument is wrong.
    """
    angles = beam_angles(gantry_angles, couch_angles)
    structure = patient.structure(target)
    if structure.is_empty:
        raise InputError(f"target {structure.name!r}", "an empty structure", "one with voxels")
    centre = structure.centre_mm if isocentre_mm is None else isocentre_mm
    beams = [
        Beam(f"{i}: gantry {gantry:g}", gantry, couch, centre, ())
        for i, (gantry, couch) in enumerate(angles, start=1)
    ]
    return PhotonPlan(
        name=name or f"{patient.name} {PHOTON}",
        ion=PHOTON,
        machine=machine,
        beams=tuple(place_bixels(beam, structure, bixel_mm, margin_mm, patient.position) for beam in beams),
        fractions=fractions,
        prescription_gy=prescription_gy,
        target=structure.name,
        bixel_mm=bixel_mm,
    )


def place_bixels(
    beam: Beam, target: Structure, bixel_mm: float = 5.0, margin_mm: float = 5.0, position: str = "HFS"
) -> Beam:
    """Fill a beam with bixels of one monitor unit over a target.

    Parameters
    ----------
    beam
        Name, angles and isocentre; its layers are replaced.
    target
        Structure to cover.
    bixel_mm, margin_mm
        As of `bixel_plan`.
    position
        DICOM patient position.

    Raises
    ------
    InputError
        If the target is empty or behind the source, or a size is out of range.
    """
    if not 1.0 <= bixel_mm <= 100.0:
        raise InputError("bixel_mm", bixel_mm, "1 to 100 mm")
    if not 0.0 <= margin_mm <= 100.0:
        raise InputError("margin_mm", margin_mm, "0 to 100 mm")
    if not target.mask.any():
        raise InputError(f"target {target.name!r}", "an empty structure", "at least one voxel half inside it")
    ex, ey, along = beam_axes(beam, position)
    offset = target.grid.position_mm(np.argwhere(target.mask)) - np.asarray(beam.isocentre_mm)
    growth = 1.0 + offset @ along / SOURCE_DISTANCE_MM
    if growth.min() <= 0.1:
        raise InputError(f"target {target.name!r}", "voxels at the source or behind it", "voxels in the beam")
    # A voxel casts the shadow of its own size.
    half = 0.5 * float(np.max(target.grid.spacing_mm)) + margin_mm
    seen = np.unique(np.rint(np.stack([offset @ ex, offset @ ey], axis=1) / growth[:, None]), axis=0)
    low = np.floor((seen.min(axis=0) - half) / bixel_mm).astype(int)
    high = np.ceil((seen.max(axis=0) + half) / bixel_mm).astype(int)
    covered = np.zeros(high - low + 1, dtype=np.bool_)
    first = np.clip(np.ceil((seen - half) / bixel_mm).astype(int), low, high) - low
    last = np.clip(np.floor((seen + half) / bixel_mm).astype(int), low, high) - low
    for (x0, y0), (x1, y1) in zip(first, last, strict=True):
        covered[x0 : x1 + 1, y0 : y1 + 1] = True
    at_y, at_x = np.nonzero(covered.T)
    x, y = bixel_mm * (at_x + low[0]), bixel_mm * (at_y + low[1])
    return replace(beam, layers=(Layer(VOLTAGE_MV, Spots(x, y, np.ones(x.size))),))
