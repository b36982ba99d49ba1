"""A beam made ready for superposition: fan, depths, widths, tables; the weights of spots do not enter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.machine.base_data import DepthWeighting, PencilKernel
from isodose.machine.machine import AIR_RSP, Machine
from isodose.patient.grid import Grid
from isodose.pencilbeam import fluence_map, spreading
from isodose.pencilbeam.beam_columns import columns_of
from isodose.pencilbeam.fan import Fan, beam_frame, fan_over
from isodose.pencilbeam.layer_tables import GAIN, STEP_MM, LayerTables, layer_tables
from isodose.pencilbeam.media import Media
from isodose.pencilbeam.ray_depths import slabs_of
from isodose.pencilbeam.spot_optics import SpotOptics, spot_optics
from isodose.pencilbeam.superposition import Superposition
from isodose.pencilbeam.widths import Ladder, ladder, plane_offsets, smoothing
from isodose.physics.constants import GY_PER_MEV_PER_G
from isodose.physics.materials import material
from isodose.plan.plan import Beam, RangeShifter
from isodose.plan.range_shifter import water_equivalent_mm

_CORE_SIGMAS = 3.5
_FAINT = 5e-4
"""Part of the dose that may lie outside the fan."""
_MOST_MARGIN_MM = 80.0
_WIDEST_MM2 = 150.0**2
"""Variance at which the ladder of widths ends at the latest."""
_WHOLE_SPOT_RAYS = 0.3
"""Size of the fluence map of a spot that is not split, in distances of rays."""
_SIZES = 5
"""Smoothing kernels are made for so many magnifications and interpolated."""


@dataclass(frozen=True, slots=True, eq=False)
class Anatomy:
    """The patient as rays see it.

    Parameters
    ----------
    grid
        Of the CT.
    rows
        Row of `media` per voxel, int16 ``[z, y, x]``.
    media
        Properties by row.
    position
        DICOM patient position.
    """

    grid: Grid
    rows: NDArray[np.int16]
    media: Media
    position: str


@dataclass(frozen=True, slots=True, eq=False)
class BeamView:
    """A beam on its fan.

    Parameters
    ----------
    beam
        The beam.
    fan
        Its rays and planes.
    order
        Layers of the beam, one a column, by ascending range; a layer whose beam has several components, such
        as pristine and scattered, has a column for each.
    part
        Of the layer's particles in each column.
    optics
        Spot sizes by column.
    rays
        Flat indices of the rays that carry particles, int64 ``(rays,)``.
    superposition
        Arrays of the kernels.
    """

    beam: Beam
    fan: Fan
    order: tuple[int, ...]
    part: tuple[float, ...]
    optics: tuple[SpotOptics, ...]
    rays: NDArray[np.int64]
    superposition: Superposition

    def fluence(self, particles: list[NDArray[np.float64]] | None = None) -> NDArray[np.float32]:
        """Particles by ray and column, float32 ``(rays, columns)``, of the beam's or other spot weights."""
        result = np.zeros((self.rays.size, len(self.order)), dtype=np.float32)
        image = np.zeros(self.fan.shape, dtype=np.float32)
        for column, index in enumerate(self.order):
            spots = self.beam.layers[index].spots
            weights = spots.particles if particles is None else particles[index]
            image[:] = 0.0
            fluence_map.map_of(
                spots.x_mm,
                spots.y_mm,
                self.part[column] * weights,
                self.optics[column].map_sigma_mm,
                self.fan.first_mm,
                self.fan.spacing_mm,
                image,
            )
            result[:, column] = image.ravel()[self.rays]
        return result

    def seen_by_spots(self, seen: NDArray[np.float32]) -> list[NDArray[np.float64]]:
        """Adjoint of `fluence`: values of ``(rays, columns)`` as each spot sees them, by layer."""
        result = [np.zeros(len(layer.spots)) for layer in self.beam.layers]
        image = np.zeros(self.fan.shape, dtype=np.float32)
        for column, index in enumerate(self.order):
            spots = self.beam.layers[index].spots
            image.ravel()[self.rays] = seen[:, column]
            of_column = np.zeros(len(spots))
            fluence_map.seen_by_spots(
                spots.x_mm,
                spots.y_mm,
                image,
                self.optics[column].map_sigma_mm,
                self.fan.first_mm,
                self.fan.spacing_mm,
                of_column,
            )
            result[index] += self.part[column] * of_column
        return result


@dataclass(frozen=True, slots=True)
class Resolution:
    """How finely a beam is followed.

    Parameters
    ----------
    ray_mm
        Distance of rays on the isocentre plane.
    plane_mm
        Distance of planes.
    voxel_mm
        Size of the voxels of the dose.
    ratio
        Of neighbouring total variances on the ladder of widths.
    split
        Whether a spot is split over the rays that it covers; if not, all of it takes its central ray's way.
    gaussians
        Gaussians of the lateral profile, 1 to 3.
    """

    ray_mm: float
    plane_mm: float
    voxel_mm: float = 0.0
    ratio: float = 1.25
    split: bool = True
    gaussians: int = 3


def view_beam(
    beam: Beam,
    machine: Machine,
    anatomy: Anatomy,
    resolution: Resolution,
    channels: tuple[DepthWeighting | None, ...] = (),
    threads: int = 1,
    everywhere: bool = False,
) -> BeamView:
    """Prepare a beam.

    Parameters
    ----------
    beam, machine
        What is delivered, by what; the machine must have base data.
    anatomy
        To whom.
    resolution
        How finely.
    channels
        Further quantities that the dose is weighted with; None is LETd.
    threads
        Number of threads.
    everywhere
        Whether all rays of the fan are followed, not only those that carry particles.

    Raises
    ------
    InputError
        If the machine has no base data, or they do not cover a layer's energy.
    """
    if machine.base_data is None:
        expected = "base data, as `isodose machine build` or `import` makes them"
        raise InputError(f"machine {machine.name!r}: base_data", "none", expected)
    data = machine.base_data.with_gaussians(resolution.gaussians)
    columns = columns_of(beam, machine, data)
    kernels = [column.kernel for column in columns]
    order = tuple(column.layer for column in columns)
    power = spreading.scattering_power(machine.ion, max(k.range_mm for k in kernels))
    passed = np.array([column.component.water_mm for column in columns])
    tables = layer_tables(kernels, power, channels, passed)
    frame = beam_frame(beam, anatomy.position)
    reach = _reach(frame, anatomy.grid)
    whole = None if resolution.split else _WHOLE_SPOT_RAYS * resolution.ray_mm
    distance = machine.source_distance_mm
    optics = tuple(spot_optics(c.component.phase_space, distance, reach, whole) for c in columns)
    before = _before(beam.range_shifter, power, tables, reach[0])
    before[:, 0] += machine.air_depth_mm(-reach[0])
    margin = _margin(kernels, before)
    fan, rays = _rays(beam, frame, machine, order, optics, margin, reach, resolution)
    if everywhere:
        rays = np.arange(fan.shape[0] * fan.shape[1])
    stopping, scattering = slabs_of(fan, rays, anatomy.rows, anatomy.grid, anatomy.media, threads)
    if machine.fit_air_offset_mm is not None:
        stopping[np.maximum.accumulate(stopping, axis=1) == 0.0] = AIR_RSP  # before the CT begins
    u, v = fan.rays_mm(rays)
    length = fan.plane_spacing_mm * np.sqrt(1.0 + (u / distance[0]) ** 2 + (v / distance[1]) ** 2)
    depth, excess = spreading.excess_variance(
        stopping, scattering, length, power, tables.nodes_mm, before, threads
    )
    first, last = _used_planes(stopping, depth, tables.table.shape[0] * STEP_MM)
    fan = _cut(fan, first, last)
    depth, excess = np.ascontiguousarray(depth[first:last]), np.ascontiguousarray(excess[first:last])
    arrays = _superposition(fan, rays, depth, excess, optics, tables, kernels, resolution)
    part = tuple(column.component.part for column in columns)
    return BeamView(beam, fan, order, part, optics, rays, arrays)


def _reach(frame: NDArray[np.float64], grid: Grid) -> tuple[float, float]:
    """Positions along the beam between which the CT lies."""
    lower, upper = grid.lower_mm, grid.upper_mm
    corners = np.array(
        [(x, y, z) for x in (lower[0], upper[0]) for y in (lower[1], upper[1]) for z in (lower[2], upper[2])]
    )
    along = (corners - frame[3]) @ frame[2]
    return float(along.min()), float(along.max())


def _before(
    shifter: RangeShifter | None, power: NDArray[np.float64], tables: LayerTables, start_mm: float
) -> NDArray[np.float64]:
    """Water passed and moments of scattering where the fan begins, by node of range, ``(m, 4)``."""
    result = np.zeros((tables.nodes_mm.size, 4))
    if shifter is None:
        return result
    medium = material(shifter.material)
    water = water_equivalent_mm(shifter)
    relative = (
        medium.density_g_cm3 * material("water").scattering_length_g_cm2 / medium.scattering_length_g_cm2
    )
    steps = 200
    length = shifter.thickness_mm / steps
    drift = start_mm + shifter.distance_mm
    for row, range_mm in zip(result, tables.nodes_mm, strict=True):
        residual = np.maximum(range_mm - (np.arange(steps) + 0.5) * water / steps, 0.0)
        growth = power[(residual / spreading.STEP_MM).astype(int)] * relative * length
        lever = (np.arange(steps)[::-1] + 0.5) * length + drift
        row[:] = water, growth.sum(), (growth * lever).sum(), (growth * lever**2).sum()
    return result


def _margin(kernels: list[PencilKernel], before: NDArray[np.float64]) -> float:
    """How far beside the fluence dose is followed, mm."""
    margin = 0.0
    for kernel in (kernels[0], kernels[-1]):
        part = kernel.weight * (kernel.dose / kernel.dose.max())[:, None]
        beyond = np.sqrt(2.0 * np.log(np.maximum(part / _FAINT, 1.0)))
        margin = max(margin, float((beyond * kernel.sigma_mm).max()))
    return min(margin + 3.0 * float(np.sqrt(before[:, 3].max())), _MOST_MARGIN_MM)


def _rays(
    beam: Beam,
    frame: NDArray[np.float64],
    machine: Machine,
    order: tuple[int, ...],
    optics: tuple[SpotOptics, ...],
    margin_mm: float,
    reach_mm: tuple[float, float],
    resolution: Resolution,
) -> tuple[Fan, NDArray[np.int64]]:
    """Fan around all spots, and the rays that any of them reaches."""
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for column, index in enumerate(order):
        spots, wide = beam.layers[index].spots, _CORE_SIGMAS * np.array(optics[column].map_sigma_mm)
        places = np.stack([spots.x_mm, spots.y_mm])
        low = np.minimum(low, places.min(axis=1) - wide)
        high = np.maximum(high, places.max(axis=1) + wide)
    edge = margin_mm + 2.0 * resolution.ray_mm
    fan = fan_over(
        frame,
        machine.source_distance_mm,
        (low[0] - edge, low[1] - edge),
        (high[0] + edge, high[1] + edge),
        resolution.ray_mm,
        reach_mm,
        resolution.plane_mm,
    )
    image = np.zeros(fan.shape, dtype=np.float32)
    for column, index in enumerate(order):
        spots = beam.layers[index].spots
        fluence_map.map_of(
            spots.x_mm,
            spots.y_mm,
            np.ones(len(spots)),
            optics[column].map_sigma_mm,
            fan.first_mm,
            fan.spacing_mm,
            image,
        )
    return fan, np.flatnonzero(image.ravel() > 0.0)


def _used_planes(
    stopping: NDArray[np.float32], depth: NDArray[np.float32], deepest_mm: float
) -> tuple[int, int]:
    """Planes from where any ray meets the body to where all have ended."""
    solid = np.flatnonzero((stopping > 0.05).any(axis=0))
    if solid.size == 0:
        return 0, 1
    alive = np.flatnonzero((depth < deepest_mm).any(axis=1))
    last = min(int(solid[-1]), int(alive[-1]) if alive.size else 0) + 2
    first = max(int(solid[0]) - 1, 0)
    return first, max(min(last, depth.shape[0]), first + 1)


def _cut(fan: Fan, first: int, last: int) -> Fan:
    return Fan(
        fan.frame,
        fan.source_distance_mm,
        fan.first_mm,
        fan.spacing_mm,
        fan.shape,
        fan.first_plane_mm + first * fan.plane_spacing_mm,
        fan.plane_spacing_mm,
        last - first,
    )


def _superposition(
    fan: Fan,
    rays: NDArray[np.int64],
    depth: NDArray[np.float32],
    excess: NDArray[np.float32],
    optics: tuple[SpotOptics, ...],
    tables: LayerTables,
    kernels: list[PencilKernel],
    resolution: Resolution,
) -> Superposition:
    planes = fan.plane_mm
    wide_u, wide_v = fan.magnification(planes)
    # A voxel shows the mean over itself, of which the cells of the fluence map bring a part already.
    in_voxel = max(resolution.voxel_mm**2 - fan.spacing_mm**2, 0.0) / 12.0
    air = np.stack([o.beyond_map(planes) + in_voxel for o in optics], axis=1).astype(np.float32)
    smallest = min(min(o.map_sigma_mm) for o in optics) ** 2 + fan.spacing_mm**2 / 12.0
    widest = max(float(k.sigma_mm[k.dose > 1e-3 * k.dose.max()].max()) for k in kernels) ** 2
    shallowest = min(int(depth.min() / STEP_MM), tables.table.shape[0] - 1)
    gain = float(tables.table[shallowest:, :, :, GAIN].max())
    widest = min(1.2 * widest + gain * max(float(excess.max()), 0.0), _WIDEST_MM2)
    widest += float(air.max())
    rungs = ladder(
        smallest, widest, fan.spacing_mm * float(min(wide_u.min(), wide_v.min())), resolution.ratio
    )
    kernel_u, taps_u = _smoothing_on(rungs, fan.spacing_mm * wide_u)
    kernel_v, taps_v = _smoothing_on(rungs, fan.spacing_mm * wide_v)
    most = max(kernel_u.shape[2], kernel_v.shape[2])
    pad = [np.pad(k, ((0, 0), (0, 0), (0, most - k.shape[2]))) for k in (kernel_u, kernel_v)]
    v, u = np.divmod(rays, fan.shape[1])
    area_mm2 = fan.spacing_mm**2 * wide_u * wide_v
    return Superposition(
        np.stack([v, u], axis=1).astype(np.int32),
        depth,
        excess,
        air,
        tables.table,
        tables.first_layer,
        tables.node,
        np.ascontiguousarray(tables.table.transpose(0, 3, 2, 1)),
        rungs.variance_mm2,
        rungs.level,
        rungs.lookup,
        rungs.scale,
        plane_offsets(rungs, fan.shape),
        pad[0],
        pad[1],
        np.maximum(taps_u, taps_v),
        (100.0 * GY_PER_MEV_PER_G / area_mm2).astype(np.float32),
        fan.shape,
    )


def _smoothing_on(
    rungs: Ladder, cell_mm: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Kernels for every plane's cell size, interpolated between a few: their variance follows linearly."""
    inverse = 1.0 / cell_mm**2
    nodes = np.linspace(inverse.min(), inverse.max(), _SIZES)
    kernels, taps = smoothing(rungs, 1.0 / np.sqrt(nodes))
    if nodes[-1] <= nodes[0] * (1.0 + 1e-9):
        return np.repeat(kernels[:1], cell_mm.size, axis=0), taps
    at = (inverse - nodes[0]) / (nodes[-1] - nodes[0]) * (_SIZES - 1)
    low = np.minimum(at.astype(int), _SIZES - 2)
    part = (at - low).astype(np.float32)[:, None, None]
    return (1.0 - part) * kernels[low] + part * kernels[low + 1], taps
