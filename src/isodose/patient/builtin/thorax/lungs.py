"""The chest's inside: cavity, lungs with their vessels, bronchi, diaphragm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.patient.builtin.anatomy import Block, Tone
from isodose.patient.builtin.shapes import Distances, Shape, Union, half_space
from isodose.patient.builtin.solids import Bush, Column, Ellipsoid, Tube
from isodose.patient.builtin.thorax.mediastinum import Mediastinum
from isodose.patient.builtin.variation import SIDES, Variation

MIDDLE_Y = -4.0
"""Where the front and the back of the chest meet in its sections."""


@dataclass(frozen=True, slots=True)
class Lungs:
    """What fills the chest on either side."""

    lung: Mapping[float, Shape]
    dome: Mapping[float, Shape]
    vessels: Mapping[float, Shape]
    bronchi: Shape


def cavity(vary: Variation) -> Column:
    """Inside of the rib cage; from the diaphragm's edge up to the apex above the first rib."""
    width, depth = vary.factor(0.05), vary.factor(0.05)
    z = np.array([-190.0, -140, -80, -20, 40, 80, 110, 128, 140])
    half = np.array([120.0, 127, 128, 122, 108, 90, 66, 40, 8]) * width
    front = np.array([66.0, 74, 80, 80, 70, 56, 38, 20, 4]) * depth
    back = np.array([78.0, 82, 86, 88, 86, 78, 62, 38, 6])
    y = np.array([MIDDLE_Y, MIDDLE_Y, MIDDLE_Y, MIDDLE_Y, MIDDLE_Y, 0, 6, 12, 16])
    return Column(z, half, front, back, y, power=2.35)


def lungs(inside: Column, middle: Mediastinum, vary: Variation) -> Lungs:
    """Lungs of one anatomy: the cavity without the mediastinum and what the diaphragm lifts into it."""
    y = middle.carina_y
    branches: list[Shape] = []
    for s in SIDES:
        end = (s * 46, 22, 12 if s > 0 else 22)
        branches.append(Tube([(0, y, 52), (s * 20, y + 2, 33), end], (7.5, 6.5, 5.0)))
        branches.append(Tube([end, (s * 62, 34, -25), (s * 70, 44, -60)], (4.0, 3.0, 2.0)))
        branches.append(Tube([end, (s * 60, 10, 45), (s * 66, 4, 70)], (3.6, 2.6, 1.8)))
    dome, lung, vessels = {}, {}, {}
    for s in SIDES:
        top = (-78.0 if s < 0 else -90.0) + vary.shift(8.0)
        dome[s] = Ellipsoid((s * 62, -2, top - 95.0), (80, 108, 95), power=2.3)
        half = _half(s)
        lung[s] = ((inside.grown(-1.5) & half) - middle.whole) - dome[s]
        vessels[s] = _vessel_tree(s, vary)
    return Lungs(lung, dome, vessels, Union(branches))


def _half(s: float) -> Shape:
    """One side of the body."""
    return half_space("x", above_mm=4.0) if s > 0 else half_space("x", below_mm=-4.0)


def _vessel_tree(s: float, vary: Variation) -> Shape:
    """Arteries and veins that branch from the hilum; each bough points away from it and splits in two."""
    rods: list[tuple[NDArray[np.float64], NDArray[np.float64], float]] = []
    hilum = np.array([s * 44.0, 14.0, 14.0])
    directions = vary.rng.normal(size=(11, 3)) * (0.55, 0.8, 1.0) + (s * 0.95, 0.1, -0.1)
    for direction in directions:
        _grow(rods, hilum, direction / np.linalg.norm(direction), 4.4, 26.0, vary.rng)
    starts, ends, radii = zip(*rods, strict=True)
    return Bush(np.array(starts), np.array(ends), np.multiply.outer(np.array(radii), (1.0, 0.85)))


def _grow(
    rods: list[tuple[NDArray[np.float64], NDArray[np.float64], float]],
    start: NDArray[np.float64],
    direction: NDArray[np.float64],
    radius: float,
    length: float,
    rng: np.random.Generator,
) -> None:
    """Add a bough and, where it is not a twig yet, the two that it splits into."""
    end = start + direction * length * rng.uniform(0.8, 1.2)
    rods.append((start, end, radius))
    if radius < 1.1:
        return
    turn = rng.normal(size=3)
    turn -= direction * (turn @ direction)
    turn /= np.linalg.norm(turn)
    for sign in (1.0, -1.0):
        onward = direction + sign * turn * rng.uniform(0.35, 0.65)
        share = rng.uniform(0.62, 0.78)
        _grow(rods, end, onward / np.linalg.norm(onward), share * radius, 0.86 * length, rng)


def parenchyma(vary: Variation) -> Tone:
    """Aerated lung: denser at the back (supine) and towards the base, with a fine grain of unseen vessels."""
    mean = vary.between(-850.0, -770.0)

    def tone(block: Block) -> Distances:
        y, z = block.field.y[block.box], block.field.z[block.box]
        slope = 0.45 * (y - np.float32(10.0)) - 0.12 * z
        rim = 25.0 * np.exp(-np.maximum(block.depth, 0) / np.float32(4.0))
        return np.asarray(mean + slope + rim + 28.0 * block.fine + 14.0 * block.coarse, dtype=np.float32)

    return tone
