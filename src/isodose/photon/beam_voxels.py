"""What a photon beam sees of the patient: the place of every voxel across the beam, and its depth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from isodose.patient.grid import Grid
from isodose.patient.hounsfield import HounsfieldCalibration
from isodose.patient.volume import Volume
from isodose.pencilbeam.beam_view import Anatomy
from isodose.pencilbeam.fan import Fan, beam_frame, fan_over
from isodose.pencilbeam.media import Media, media_of
from isodose.pencilbeam.ray_depths import slabs_of
from isodose.pencilbeam.threads import over_chunks
from isodose.pencilbeam.voxel_depths import NOWHERE, voxel_depths
from isodose.pencilbeam.voxel_rows import row_on_beam
from isodose.photon.kernel import SOURCE_DISTANCE_MM
from isodose.physics.materials import WATER
from isodose.plan.plan import Beam

Window = tuple[tuple[float, float], tuple[float, float]]

EVERYWHERE: Window = ((-np.inf, np.inf), (-np.inf, np.inf))
_FINEST_RAY_MM, _COARSEST_RAY_MM = 2.0, 4.0
_ELECTRONS_MM = 10.0
_NEAREST_MM = 100.0
"""Voxels closer to the source are left out."""
_SOURCE = (SOURCE_DISTANCE_MM, SOURCE_DISTANCE_MM)


@dataclass(frozen=True, slots=True, eq=False)
class BeamVoxels:
    """Voxels in a beam, ascending.

    Parameters
    ----------
    index
        Flat C-order index in the dose grid, int32 ``(n,)``.
    x_mm, y_mm
        Where the ray through the voxel meets the isocentre plane, float32 ``(n,)``.
    growth
        Distance from the source along the axis over that of the isocentre, float32 ``(n,)``.
    depth_mm
        Radiological depth: path weighted by electron density relative to water, float32 ``(n,)``.
    density
        Electron density that the range of electrons goes by, float32 ``(n,)``: that of the ray here, or its
        mean over 10 mm before and behind where that is more.
    """

    index: NDArray[np.int32]
    x_mm: NDArray[np.float32]
    y_mm: NDArray[np.float32]
    growth: NDArray[np.float32]
    depth_mm: NDArray[np.float32]
    density: NDArray[np.float32]


def photon_media(calibration: HounsfieldCalibration, ct: Volume) -> Media:
    """Electron density relative to water by CT number, in the place of the relative stopping power.

    The dose to a medium is that to water times electrons per gram over those of water, which holds where
    Compton scattering rules. A calibration without composition gives its stopping powers for both.

    Raises
    ------
    InputError
        If a CT number is not finite or beyond the calibration; it names the voxel.
    """
    media = media_of(calibration, ct)
    if not calibration.composition:
        return media
    hu = media.lowest_hu + np.arange(media.stopping.size, dtype=np.float64)
    per_gram = np.array([m.z_over_a / WATER.z_over_a for m in calibration.materials])
    factor = per_gram[calibration.material_of_hu(hu)]
    electrons = factor * calibration.density_of_hu(hu)
    return replace(media, stopping=electrons.astype(np.float32), dose_factor=factor.astype(np.float32))


def beam_voxels(
    beam: Beam, anatomy: Anatomy, grid: Grid, inside: NDArray[np.bool_], window: Window, threads: int
) -> BeamVoxels:
    """Voxels that are wanted and lie in a window of the isocentre plane.

    Parameters
    ----------
    beam
        Gives angles and isocentre.
    anatomy
        With `photon_media`.
    grid
        The dose grid.
    inside
        Voxels that are wanted, ``[z, y, x]``.
    window
        Bounds of x and of y on the isocentre plane, mm.
    threads
        Number of threads.
    """
    frame = beam_frame(beam, anatomy.position)
    index = np.flatnonzero(inside).astype(np.int32)
    at = np.empty((3, index.size), dtype=np.float32)
    origin, spacing = np.array(grid.origin_mm), np.array(grid.spacing_mm)

    def work(begin: int, end: int) -> None:
        _project(frame, origin, spacing, *grid.shape[1:], index[begin:end], at[:, begin:end])

    over_chunks(work, index.size, threads)
    seen = at[2] > _NEAREST_MM / SOURCE_DISTANCE_MM
    for axis, (low, high) in enumerate(window):
        seen &= (at[axis] >= low) & (at[axis] <= high)
    index, at = index[seen], at[:, seen]
    depth, density = np.empty((2, 0), dtype=np.float32)
    if index.size:
        wanted = np.zeros(grid.shape, dtype=np.bool_)
        wanted.ravel()[index] = True
        fan = _fan(frame, at, anatomy.grid, grid)
        depth, density = (
            voxel_depths(fan, of_fan, grid, wanted, threads).ravel()[index]
            for of_fan in _depths(fan, anatomy, threads)
        )
    met = depth < NOWHERE
    x, y, growth = at[:, met]
    return BeamVoxels(index[met], x, y, growth, depth[met], density[met])


@njit(cache=True, nogil=True, error_model="numpy")
def _project(frame, origin, spacing, ny, nx, index, at):  # type: ignore[no-untyped-def]
    """Places (x, y) of voxels on the isocentre plane, and their growth."""
    for n in range(index.size):
        k, rest = divmod(index[n], ny * nx)
        j, i = divmod(rest, nx)
        x, step_x, y, step_y, w, step_w = row_on_beam(frame, origin, spacing, k, j)
        growth = 1.0 + (w + i * step_w) / SOURCE_DISTANCE_MM
        at[0, n], at[1, n], at[2, n] = (x + i * step_x) / growth, (y + i * step_y) / growth, growth


def _fan(frame: NDArray[np.float64], at: NDArray[np.float32], ct: Grid, grid: Grid) -> Fan:
    """Rays over the voxels, from where the CT begins."""
    corners = np.stack(np.meshgrid(*zip(ct.lower_mm, ct.upper_mm, strict=True), indexing="ij"), axis=-1)
    begin = float(((corners.reshape(-1, 3) - frame[3]) @ frame[2]).min())
    spacing = float(np.clip(min(grid.spacing_mm), _FINEST_RAY_MM, _COARSEST_RAY_MM))
    low, high = [], []
    for place in at[:2]:
        # On multiples of the spacing, so that the voxels that are wanted do not move the rays.
        first = np.floor(float(place.min()) / spacing) - 1.0
        rays = 8.0 * np.ceil((float(place.max()) / spacing - first + 2.0) / 8.0)
        low.append(first * spacing)
        high.append((first + rays - 1.0) * spacing - 1e-6)
    end = (float(at[2].max()) - 1.0) * SOURCE_DISTANCE_MM + spacing
    reach = (max(begin, _NEAREST_MM - SOURCE_DISTANCE_MM - 2.0 * spacing), end)
    return fan_over(frame, _SOURCE, (low[0], low[1]), (high[0], high[1]), spacing, reach, spacing)


def _depths(fan: Fan, anatomy: Anatomy, threads: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Depth of all rays on the planes, and density for electrons there, float32 ``(planes, rays)``."""
    rays = np.arange(fan.shape[0] * fan.shape[1])
    density, _ = slabs_of(fan, rays, anatomy.rows, anatomy.grid, anatomy.media, threads)
    u, v = fan.rays_mm(rays)
    slant = np.sqrt(1.0 + (u**2 + v**2) / SOURCE_DISTANCE_MM**2).astype(np.float32)
    slab = density * (fan.plane_spacing_mm * slant)[:, None]
    depth = np.cumsum(slab, axis=1) - 0.5 * slab
    around = 1 + 2 * round(_ELECTRONS_MM / fan.plane_spacing_mm)
    density = np.maximum(density, uniform_filter1d(density, around, axis=1, mode="nearest"))
    return np.ascontiguousarray(depth.T), np.ascontiguousarray(density.T)
