"""From the description of an anatomy (layers of tissue, delineated regions) to a patient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.patient.builtin.shapes import Box, Distances, Field, Shape, overlap
from isodose.patient.builtin.texture import Texture
from isodose.patient.builtin.warp import StandingWaves
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume

AIR_HU = -1000.0

_VOXELS_AT_ONCE = 400_000

_NOISE_PITCH_MM = 1.4

_NOISE_IN_2_MM = 0.74
"""Spread of the noise texture of that pitch, averaged over voxels of 2 mm."""


@dataclass(frozen=True, slots=True)
class Block:
    """What a tone is told: where it paints, how deep inside the shape, and the grains of tissue there.

    Parameters
    ----------
    field, box
        The points.
    depth
        Distance below the surface in mm, positive inside.
    coarse, fine
        Random fields of unit standard deviation, correlated over about 16 mm and 5 mm.
    """

    field: Field
    box: Box
    depth: Distances
    coarse: NDArray[np.float32]
    fine: NDArray[np.float32]


Tone = Callable[[Block], NDArray[np.float32]]
"""CT number at each point of a block."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A shape painted over what is there, in one HU or with a tone."""

    shape: Shape
    hu: float | Tone


@dataclass(frozen=True, slots=True)
class Region:
    """A shape delineated as a structure."""

    name: str
    role: Role
    shape: Shape
    colour: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A patient before it is seen by a CT.

    Parameters
    ----------
    name
        Of the patient.
    extent_mm
        Extent of the CT (x, y, z), centred on the origin.
    external
        Outline of the body; regions are kept inside it.
    surface
        Layers painted first, in order, over air: skin and what lies under it.
    layers
        Painted in order, within ``interior`` only.
    interior
        The body without its skin.
    openings
        Painted last and anywhere: cavities that open to the outside.
    regions
        What is delineated beside the outline.
    warp
        Displacement of everything.
    noise_hu
        Standard deviation of the CT's noise in 2 mm voxels.
    """

    name: str
    extent_mm: tuple[float, float, float]
    external: Shape
    surface: Sequence[Layer]
    interior: Shape
    layers: Sequence[Layer]
    openings: Sequence[Layer]
    regions: Sequence[Region]
    warp: StandingWaves
    noise_hu: float = 7.0
    seed: int = 0


def grid_of(extent_mm: tuple[float, float, float], spacing_mm: tuple[float, float, float]) -> Grid:
    """Grid centred on the origin that covers an extent with whole voxels."""
    n = [max(1, int(np.ceil(e / s - 1e-6))) for e, s in zip(extent_mm, spacing_mm, strict=True)]
    origin = [-(c - 1) * s / 2 for c, s in zip(n, spacing_mm, strict=True)]
    return Grid((origin[0], origin[1], origin[2]), spacing_mm, (n[2], n[1], n[0]))


def render(anatomy: Anatomy, spacing_mm: tuple[float, float, float]) -> Patient:
    """CT and structures of an anatomy at a voxel size, block of slices by block of slices."""
    grid = grid_of(anatomy.extent_mm, spacing_mm)
    edge = np.float32(np.mean(spacing_mm))
    textures = [
        Texture((anatomy.seed, stream), pitch, anatomy.extent_mm)
        for stream, pitch in enumerate((8.0, 2.5, _NOISE_PITCH_MM), start=1)
    ]
    x, y, z = grid.axis_mm("x"), grid.axis_mm("y"), grid.axis_mm("z")
    ct = np.empty(grid.shape, dtype=np.float32)
    regions = [Region("External", Role.EXTERNAL, anatomy.external, (60, 180, 75)), *anatomy.regions]
    filled = [np.zeros(grid.shape, dtype=np.float32) for _ in regions]
    thickness = max(1, _VOXELS_AT_ONCE // (x.size * y.size))
    for first in range(0, z.size, thickness):
        rows = slice(first, min(first + thickness, z.size))
        points = Field(x, y, z[rows], anatomy.warp)
        coarse, fine, noise = (t.values((x, y, z[rows]), spacing_mm) for t in textures)
        hu = np.full(points.shape, AIR_HU, dtype=np.float32)
        for layers, within in _passes(anatomy):
            _paint(hu, layers, within, points, (coarse, fine), edge)
        quiet = np.where(hu < -950.0, np.float32(0.4), np.float32(1.0))
        hu += np.float32(anatomy.noise_hu / _NOISE_IN_2_MM) * quiet * noise
        np.clip(np.rint(hu, out=hu), -1024.0, 3071.0, out=ct[rows])
        for region, occupancy in zip(regions, filled, strict=True):
            box, part = occupancy_of(points, region.shape, edge)
            occupancy[rows][box] = part
        for occupancy in filled[1:]:
            np.minimum(occupancy[rows], filled[0][rows], out=occupancy[rows])
    structures = {
        r.name: Structure(r.name, r.role, grid, o, colour=r.colour)
        for r, o in zip(regions, filled, strict=True)
    }
    return Patient(anatomy.name, Volume(grid, ct), structures)


def occupancy_of(points: Field, shape: Shape, edge: np.float32) -> tuple[Box, NDArray[np.float32]]:
    """Part of each voxel inside a shape, from the distance of its centre, and where in the block it lies."""
    box, distance = points.distance(shape)
    return box, np.clip(np.float32(0.5) - distance / edge, 0, 1)


def _passes(anatomy: Anatomy) -> tuple[tuple[Sequence[Layer], Shape | None], ...]:
    return (anatomy.surface, None), (anatomy.layers, anatomy.interior), (anatomy.openings, None)


def _paint(
    hu: NDArray[np.float32],
    layers: Sequence[Layer],
    within: Shape | None,
    points: Field,
    grains: tuple[NDArray[np.float32], NDArray[np.float32]],
    edge: np.float32,
) -> None:
    """Paint layers in order over a block, mixing in voxels that a surface cuts."""
    for layer in layers:
        box, part = occupancy_of(points, layer.shape, edge)
        if within is not None:
            limit = np.clip(np.float32(0.5) - points.distance_on(within, box) / edge, 0, 1)
            part = np.minimum(part, limit)
        touched = np.flatnonzero(part.any(axis=(0, 2))), np.flatnonzero(part.any(axis=(0, 1)))
        if touched[0].size == 0:
            continue
        rows, columns = (slice(int(t[0]), int(t[-1]) + 1) for t in touched)
        tight = (
            box[0],
            slice(box[1].start + rows.start, box[1].start + rows.stop),
            slice(box[2].start + columns.start, box[2].start + columns.stop),
        )
        part = part[:, rows, columns]
        if callable(layer.hu):
            inner, _ = overlap(box, tight)
            depth = -points.distance(layer.shape)[1][inner]
            value: NDArray[np.float32] | np.float32 = layer.hu(
                Block(points, tight, depth, grains[0][tight], grains[1][tight])
            )
        else:
            value = np.float32(layer.hu)
        hu[tight] += part * (value - hu[tight])


def grained(hu: float, coarse: float = 0.0, fine: float = 0.0) -> Tone:
    """Tissue of a mean HU that varies by so many HU from place to place, coarsely and finely."""

    def tone(block: Block) -> NDArray[np.float32]:
        return np.asarray(
            np.float32(hu) + np.float32(coarse) * block.coarse + np.float32(fine) * block.fine,
            dtype=np.float32,
        )

    return tone


def muscle_with_fat_planes(muscle_hu: float = 55.0, fat_hu: float = -90.0, plane_width: float = 0.22) -> Tone:
    """Muscle bellies parted by thin planes of fat, where the coarse grain changes sign."""

    def tone(block: Block) -> NDArray[np.float32]:
        fat = np.exp(-((block.coarse / np.float32(plane_width)) ** 2)) * np.float32(0.8)
        return np.asarray(muscle_hu + fat * (fat_hu - muscle_hu) + 8.0 * block.fine, dtype=np.float32)

    return tone


def bone(cortex_hu: float, marrow_hu: float, cortex_mm: float, marrow_grain: float = 60.0) -> Tone:
    """Spongy bone inside a denser shell."""

    def tone(block: Block) -> NDArray[np.float32]:
        inside = np.clip((block.depth - np.float32(cortex_mm)) / np.float32(1.5) + np.float32(0.5), 0, 1)
        spongy = marrow_hu + marrow_grain * block.fine
        return np.asarray(cortex_hu + inside * (spongy - cortex_hu), dtype=np.float32)

    return tone
