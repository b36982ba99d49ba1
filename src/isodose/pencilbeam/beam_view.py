"""A beam made ready for superposition: fan, depths, widths, tables; the weights of spots do not enter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.machine.base_data import BaseData, DepthWeighting, PencilKernel
from isodose.machine.machine import AIR_RSP, Machine
from isodose.patient.grid import Grid
from isodose.pencilbeam import fluence_map, spreading
from isodose.pencilbeam.beam_columns import columns_of
from isodose.pencilbeam.fan import Fan, beam_frame, fan_over, reach_along
from isodose.pencilbeam.layer_tables import STEP_MM, LayerTables, layer_tables
from isodose.pencilbeam.media import Media
from isodose.pencilbeam.ray_depths import mean_slabs_of, slabs_of
from isodose.pencilbeam.ray_lattice import RayLattice, ray_lattice
from isodose.pencilbeam.resolution import Resolution
from isodose.pencilbeam.shifter_moments import halo_behind, moments_before, variance_along
from isodose.pencilbeam.spot_optics import SpotOptics, spot_optics
from isodose.pencilbeam.stations import Station, stations_of
from isodose.pencilbeam.superposition import Superposition
from isodose.pencilbeam.superposition_arrays import superposition_of
from isodose.plan.plan import Beam

_CORE_SIGMAS = 3.5
_FAINT = 5e-4
"""Part of the dose that may lie outside the fan."""
_MOST_MARGIN_MM = 80.0
_WHOLE_SPOT_RAYS = 0.3
"""Size of the fluence map of a spot that is not split, in distances of rays."""


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
    stations
        Stretches of the beam, with the spot sizes of each by column.
    rays
        Flat indices of the rays that carry particles, int64 ``(rays,)``.
    superposition
        Arrays of the kernels.
    """

    beam: Beam
    fan: Fan
    order: tuple[int, ...]
    part: tuple[float, ...]
    stations: tuple[Station, ...]
    rays: NDArray[np.int64]
    superposition: Superposition

    @property
    def optics(self) -> tuple[SpotOptics, ...]:
        """Spots by column at the first station."""
        return self.stations[0].optics

    def fluence(
        self, station: Station, particles: list[NDArray[np.float64]] | None = None
    ) -> NDArray[np.float32]:
        """Particles by ray and column at a station, of the beam's or other weights, ``(rays, columns)``."""
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
                station.optics[column].map_sigma_mm,
                self.fan.first_mm,
                self.fan.spacing_mm,
                image,
            )
            result[:, column] = image.ravel()[self.rays]
        return result

    def seen_by_spots(self, station: Station, seen: NDArray[np.float32]) -> list[NDArray[np.float64]]:
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
                station.optics[column].map_sigma_mm,
                self.fan.first_mm,
                self.fan.spacing_mm,
                of_column,
            )
            result[index] += self.part[column] * of_column
        return result


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
    columns = columns_of(beam, machine, _base_data(machine, resolution))
    kernels = [column.kernel for column in columns]
    order = tuple(column.layer for column in columns)
    power = spreading.scattering_power(machine.ion, max(k.range_mm for k in kernels))
    passed = np.array([column.component.water_mm for column in columns])
    tables = layer_tables(kernels, power, channels, passed)
    frame = beam_frame(beam, anatomy.position)
    lattice = ray_lattice(frame, anatomy.grid, resolution.ray_mm, resolution.split)
    reach = reach_along(frame, anatomy.grid)
    whole = None if resolution.split else _WHOLE_SPOT_RAYS * lattice.spacing_mm
    distance = machine.source_distance_mm
    before, tables = _before_patient(beam, machine, tables, reach[0])
    optics = tuple(
        spot_optics(c.component.phase_space, distance, variance_along(gain * before[n], reach[0]), whole)
        for c, n, gain in zip(columns, tables.node, tables.gain, strict=True)
    )
    margin = _margin(kernels, before)
    widest = tuple(one.over((reach[1], reach[1])) for one in optics)
    fan, rays = _rays(beam, frame, machine, order, widest, margin, reach, lattice, resolution.plane_mm)
    if everywhere:
        rays = np.arange(fan.shape[0] * fan.shape[1])
    fan, depth, excess = _followed(
        fan, rays, anatomy, machine, tables, power, before, resolution.split, threads
    )
    stations = stations_of(fan, optics, depth, excess, tables)
    arrays = superposition_of(fan, rays, depth, excess, stations, tables, kernels, resolution)
    part = tuple(column.component.part for column in columns)
    return BeamView(beam, fan, order, part, stations, rays, arrays)


def _base_data(machine: Machine, resolution: Resolution) -> BaseData:
    if machine.base_data is None:
        expected = "base data, as `isodose machine build` or `import` makes them"
        raise InputError(f"machine {machine.name!r}: base_data", "none", expected)
    return machine.base_data.with_gaussians(resolution.gaussians)


def _before_patient(
    beam: Beam, machine: Machine, tables: LayerTables, begin_mm: float
) -> tuple[NDArray[np.float64], LayerTables]:
    """What the beam has passed where the CT begins, as `moments_before`, and tables with its halo."""
    before = moments_before(beam.range_shifter, machine.ion, tables, begin_mm)
    before[:, 0] += machine.air_depth_mm(-begin_mm)
    if beam.range_shifter is None:
        return before, tables
    return before, halo_behind(tables, float(before[0, 0]))


def _followed(
    fan: Fan,
    rays: NDArray[np.int64],
    anatomy: Anatomy,
    machine: Machine,
    tables: LayerTables,
    power: NDArray[np.float64],
    before: NDArray[np.float64],
    split: bool,
    threads: int,
) -> tuple[Fan, NDArray[np.float32], NDArray[np.float32]]:
    """Fan without the planes that tell nothing, and depths and excess variances of its rays."""
    slabs = mean_slabs_of if split else slabs_of
    stopping, scattering = slabs(fan, rays, anatomy.rows, anatomy.grid, anatomy.media, threads)
    if machine.fit_air_offset_mm is not None:
        stopping[np.maximum.accumulate(stopping, axis=1) == 0.0] = AIR_RSP  # before the CT begins
    (u, v), distance = fan.rays_mm(rays), machine.source_distance_mm
    length = fan.plane_spacing_mm * np.sqrt(1.0 + (u / distance[0]) ** 2 + (v / distance[1]) ** 2)
    depth, excess = spreading.excess_variance(
        stopping, scattering, length, power, tables.nodes_mm, before, threads
    )
    first, last = _used_planes(stopping, depth, tables.table.shape[0] * STEP_MM)
    used = np.ascontiguousarray(depth[first:last]), np.ascontiguousarray(excess[first:last])
    return _cut(fan, first, last), *used


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
    lattice: RayLattice,
    plane_mm: float,
) -> tuple[Fan, NDArray[np.int64]]:
    """Fan around all spots, and the rays that any of them reaches."""
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for column, index in enumerate(order):
        spots, wide = beam.layers[index].spots, _CORE_SIGMAS * np.array(optics[column].map_sigma_mm)
        places = np.stack([spots.x_mm, spots.y_mm])
        low = np.minimum(low, places.min(axis=1) - wide)
        high = np.maximum(high, places.max(axis=1) + wide)
    edge = margin_mm + 2.0 * lattice.spacing_mm
    fan = fan_over(
        frame,
        machine.source_distance_mm,
        (low[0] - edge, low[1] - edge),
        (high[0] + edge, high[1] + edge),
        lattice.spacing_mm,
        reach_mm,
        plane_mm,
        lattice.edge_mm,
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
