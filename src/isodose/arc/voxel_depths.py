"""Water-equivalent depth of voxels from every control point, by the pencil beam's ray casting."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isodose.arc.spot_counts import SpotCounts
from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.pencilbeam.beam_view import Anatomy
from isodose.pencilbeam.engine import PencilBeam
from isodose.pencilbeam.fan import Fan, beam_frame, fan_over, reach_along
from isodose.pencilbeam.ray_depths import slabs_of
from isodose.pencilbeam.voxel_depths import voxel_depths
from isodose.plan.plan import Beam

_RAYS_MM, _PLANES_MM = 3.0, 3.0
_MARGIN_MM = 6.0


def target_depths(
    patient: Patient,
    machine: Machine,
    counts: SpotCounts,
    voxels: NDArray[np.int64],
    engine: PencilBeam | None = None,
    threads: int = 1,
) -> NDArray[np.float32]:
    """Depth of voxels of the CT's grid from the control points.

    Parameters
    ----------
    patient, machine
        As counted.
    counts
        Give control points and isocentre.
    voxels
        Flat C-order indices, ``(n,)``.
    engine
        Gives the Hounsfield calibration; the patient's own by default.
    threads
        Number of threads.

    Returns
    -------
    ndarray
        float32 ``(points, n)`` mm of water.

    Raises
    ------
    InputError
        If no voxel is wanted.
    """
    if not voxels.size:
        raise InputError("voxels", "none", "at least one")
    anatomy = (engine or PencilBeam()).anatomy(patient)
    inside = np.zeros(patient.grid.size, dtype=np.bool_)
    inside[voxels] = True
    inside = inside.reshape(patient.grid.shape)
    places = patient.grid.position_mm(np.stack(np.unravel_index(voxels, patient.grid.shape), axis=1))
    out = np.empty((len(counts.points), voxels.size), dtype=np.float32)
    for g, point in enumerate(counts.points):
        beam = Beam("", point.gantry_angle_deg, point.couch_angle_deg, counts.isocentre_mm, ())
        fan = _fan(beam, machine, patient, places)
        depth = _depth_on(fan, anatomy, patient.grid, threads)
        out[g] = voxel_depths(fan, depth, patient.grid, inside, threads).ravel()[voxels]
    return out


def _fan(beam: Beam, machine: Machine, patient: Patient, places: NDArray[np.float64]) -> Fan:
    """Rays over the voxels, from where the CT begins."""
    frame = beam_frame(beam, patient.position)
    along = (places - frame[3]) @ frame[2]
    first, _ = reach_along(frame, patient.grid)
    low, high = [], []
    for axis, distance in enumerate(machine.source_distance_mm):
        shadow = ((places - frame[3]) @ frame[axis]) / (1.0 + along / distance)
        low.append(float(shadow.min()) - _MARGIN_MM)
        high.append(float(shadow.max()) + _MARGIN_MM)
    reach = (max(first, 1.0 - min(machine.source_distance_mm)), float(along.max()) + _MARGIN_MM)
    return fan_over(
        frame, machine.source_distance_mm, (low[0], low[1]), (high[0], high[1]), _RAYS_MM, reach, _PLANES_MM
    )


def _depth_on(fan: Fan, anatomy: Anatomy, grid: Grid, threads: int) -> NDArray[np.float32]:
    """Water-equivalent depth of all rays on the planes, float32 ``(planes, rays)`` mm."""
    rays = np.arange(fan.shape[0] * fan.shape[1])
    stopping, _ = slabs_of(fan, rays, anatomy.rows, grid, anatomy.media, threads)
    u, v = fan.rays_mm(rays)
    x, y = fan.source_distance_mm
    slab = stopping * (fan.plane_spacing_mm * np.sqrt(1.0 + (u / x) ** 2 + (v / y) ** 2))[:, None]
    depth = np.cumsum(slab, axis=1) - 0.5 * slab
    return np.ascontiguousarray(depth.T, dtype=np.float32)
