"""Where histories begin: spots of a plan, with the optics of the machine, as arrays for the kernels.

Where a part of the beam is scattered on its way, a spot of the plan is two here: its pristine and its
scattered part.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.physics.random import normal

(
    SPOT_X,
    SPOT_Y,
    SPOT_ENERGY,
    SPREAD,
    SIGMA_X,
    SIGMA_Y,
    DIVERGENCE_X,
    DIVERGENCE_Y,
    CORRELATION_X,
    CORRELATION_Y,
) = range(10)
"""Columns of a spot: position on the isocentre plane (mm), energy (MeV/u) and its standard deviation, spot
size at the isocentre in air (mm), angular spread (rad) and the correlation of position and angle, each for x
and y."""

AXIS_X, AXIS_Y, DIRECTION, ISOCENTRE = 0, 3, 6, 9
SOURCE_DISTANCE_X, SOURCE_DISTANCE_Y, UPSTREAM, SHIFTER_FACE, SHIFTER_THICKNESS = 12, 13, 14, 15, 16
"""Columns of a beam: unit vectors of the beam's eye view and the direction of the beam in the patient frame,
the isocentre relative to the box's corner, virtual source-axis distances, and distances upstream of the
isocentre of the plane where particles start and of the range shifter's downstream face (mm); thickness 0
without a range shifter."""
BEAM_COLUMNS = 17


class Source(NamedTuple):
    """Spots to draw histories from.

    Parameters
    ----------
    cumulative
        Sum of particles up to and including each spot, divided by their total, float64 ``(spots,)``.
    spot
        Float64 ``(spots, 10)``.
    beam_of_spot
        int64 ``(spots,)``.
    beam
        Float64 ``(beams, 17)``.
    shifter_density, shifter_material
        Density (g/cm3) and material row of the range shifter of each beam.
    species
        Index of the primary particle.
    """

    cumulative: NDArray[np.float64]
    spot: NDArray[np.float64]
    beam_of_spot: NDArray[np.int64]
    beam: NDArray[np.float64]
    shifter_density: NDArray[np.float32]
    shifter_material: NDArray[np.uint8]
    species: int


@njit(cache=True)
def sample_primary(source, spot, upstream, ray, stream):  # type: ignore[no-untyped-def]
    """Draw a particle of a spot on the plane ``upstream`` mm before the isocentre.

    ``ray`` (float64 ``(7,)``) receives position, direction and energy in MeV/u in the beam's eye view, whose
    third axis is the direction of the beam and whose origin is the isocentre.
    """
    row = source.spot[spot]
    beam = source.beam[source.beam_of_spot[spot]]
    first, second = normal(stream), normal(stream)
    shift_x = row[SIGMA_X] * first
    tilt_x = row[DIVERGENCE_X] * (
        row[CORRELATION_X] * first + math.sqrt(1.0 - row[CORRELATION_X] ** 2) * second
    )
    first, second = normal(stream), normal(stream)
    shift_y = row[SIGMA_Y] * first
    tilt_y = row[DIVERGENCE_Y] * (
        row[CORRELATION_Y] * first + math.sqrt(1.0 - row[CORRELATION_Y] ** 2) * second
    )
    slope_x = row[SPOT_X] / beam[SOURCE_DISTANCE_X] + tilt_x
    slope_y = row[SPOT_Y] / beam[SOURCE_DISTANCE_Y] + tilt_y
    ray[0] = row[SPOT_X] + shift_x - slope_x * upstream
    ray[1] = row[SPOT_Y] + shift_y - slope_y * upstream
    ray[2] = -upstream
    length = math.sqrt(1.0 + slope_x * slope_x + slope_y * slope_y)
    ray[3], ray[4], ray[5] = slope_x / length, slope_y / length, 1.0 / length
    energy = -1.0
    while energy <= 0.0:
        energy = row[SPOT_ENERGY] + row[SPREAD] * normal(stream)
    ray[6] = energy


@njit(cache=True)
def spot_of(source, part):  # type: ignore[no-untyped-def]
    """Spot at a part, 0 to 1, of the plan's particles."""
    return min(np.searchsorted(source.cumulative, part, side="right"), source.cumulative.size - 1)


@njit(cache=True)
def to_patient(ray, beam, state):  # type: ignore[no-untyped-def]
    """Turn a particle from the beam's eye view into the patient's box."""
    for k in range(3):
        state[k] = (
            beam[ISOCENTRE + k]
            + ray[0] * beam[AXIS_X + k]
            + ray[1] * beam[AXIS_Y + k]
            + ray[2] * beam[DIRECTION + k]
        )
        state[3 + k] = ray[3] * beam[AXIS_X + k] + ray[4] * beam[AXIS_Y + k] + ray[5] * beam[DIRECTION + k]
    state[6] = ray[6]
