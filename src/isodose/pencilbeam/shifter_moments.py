"""What a range shifter does before the patient: water passed, moments of scattering, and halo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from isodose.pencilbeam.layer_tables import AMPLITUDE, GAIN, STEP_MM, LayerTables
from isodose.physics.materials import material
from isodose.physics.species import IONS, species
from isodose.plan.beam_width import differential_moliere
from isodose.plan.depth_dose import energy_for_range
from isodose.plan.plan import RangeShifter
from isodose.plan.range_shifter import water_equivalent_mm

_STEPS = 200
_MM_PER_CM = 10.0
_THROWN_MM = 200.0
_MISSING, _BUILD_UP_MM = 0.035, 8.0


def moments_before(
    shifter: RangeShifter | None, ion: str, tables: LayerTables, start_mm: float
) -> NDArray[np.float64]:
    """Water passed and moments of scattering at a position behind a range shifter, ``(m, 4)``.

    Scattering is Gottschalk's differential Moliere power (Med. Phys. 37 (2010) 352), within 1.5 % of the
    Monte Carlo's core width behind 40 mm of plastic. Moments are divided by the gain of their layers, as the
    kernels multiply them by it.

    Parameters
    ----------
    shifter
        In the beam, if any.
    ion
        Of the beam.
    tables
        Layers; their nodes of range are those of the result.
    start_mm
        Position along the beam, from the isocentre.

    Returns
    -------
    numpy.ndarray
        By node: mm of water; variance of the angle, covariance, and variance of the position (mm2).
    """
    result = np.zeros((tables.nodes_mm.size, 4))
    if shifter is None:
        return result
    medium, water = material(shifter.material), material("water")
    relative = medium.density_g_cm3 * water.scattering_length_g_cm2 / medium.scattering_length_g_cm2
    thickness = water_equivalent_mm(shifter)
    length = shifter.thickness_mm / _STEPS
    middle = np.arange(_STEPS) + 0.5
    lever = (_STEPS - middle) * length + start_mm + shifter.distance_mm
    for m, (row, range_mm) in enumerate(zip(result, tables.nodes_mm, strict=True)):
        residual = np.maximum(range_mm - middle * thickness / _STEPS, 0.5)
        energies = energy_for_range(ion, np.append(range_mm, residual))
        power = differential_moliere(species(IONS[ion]), energies) / _MM_PER_CM
        of_node = tables.gain[tables.node == m]
        growth = power * relative * length / (of_node.mean() if of_node.size else 1.0)
        row[:] = thickness, growth.sum(), (growth * lever).sum(), (growth * lever**2).sum()
    return result


def variance_along(moments: NDArray[np.float64], start_mm: float) -> tuple[float, float, float]:
    """Variance of the position behind ``start_mm`` as a polynomial in the position along the beam, mm2."""
    _, angle, mixed, place = (float(m) for m in moments)
    return place - 2.0 * mixed * start_mm + angle * start_mm**2, 2.0 * (mixed - angle * start_mm), angle


def halo_behind(tables: LayerTables, water_mm: float) -> LayerTables:
    """Tables in which the halo of a range shifter fades with depth, and that of the patient takes its place.

    The gap behind a range shifter throws the halo made in it far aside, and short-range secondaries out of
    the field. Base data cannot tell them from what the patient makes: deeper down most of the halo is young,
    and spreads like the core. Both lengths and the part that is missing at the skin (3.5 %) were fitted to
    isodose's Monte Carlo with protons behind 40 mm of polycarbonate and 250 mm of air, in water, a head and a
    thorax.

    Parameters
    ----------
    tables
        Of the layers, from the range shifter on.
    water_mm
        Of the range shifter and the air before the CT.
    """
    depth = np.maximum(STEP_MM * np.arange(tables.table.shape[0]) - water_mm, 0.0)
    table = tables.table.copy()
    core, thrown = table[:, :, :1, GAIN], np.exp(-depth / _THROWN_MM)[:, None, None]
    table[:, :, 1:, GAIN] = core + (table[:, :, 1:, GAIN] - core) * thrown
    table[:, :, 0, AMPLITUDE] *= 1.0 - _MISSING * np.exp(-depth / _BUILD_UP_MM)[:, None]
    return replace(tables, table=table)
