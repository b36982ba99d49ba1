"""How wide a pencil beam has become at a depth in water, behind a range shifter or not."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from isodose.machine.machine import Machine
from isodose.physics.materials import material
from isodose.physics.species import Species, species
from isodose.plan.depth_dose import energy_for_range, range_mm
from isodose.plan.plan import IONS

_STEPS = 100
_CM_PER_MM = 0.1


def beam_sigma_mm(
    machine: Machine, energy_mev_u: float, depth_mm: float, shifter_mm: float = 0.0, lever_mm: float = 0.0
) -> float:
    """Standard deviation of a spot at a depth in the patient, mean of x and y.

    Parameters
    ----------
    machine
        Gives ion and spot size in air at the isocentre, near which the depth is taken to lie.
    energy_mev_u
        Nominal energy.
    depth_mm
        Depth in the patient, mm of water.
    shifter_mm
        Water-equivalent thickness of a range shifter in front.
    lever_mm
        Distance from the shifter's downstream face to the depth.

    Returns
    -------
    float
        mm. Scattering is Gottschalk's differential Moliere power (Med Phys 37 (2010) 352) in water; large
        angles and nuclear halo are left out.
    """
    in_air = float(np.mean(np.square(machine.spot_sigma_mm(energy_mev_u))))
    shifter = _moments(machine.ion, energy_mev_u, 0.0, shifter_mm)
    patient = _moments(machine.ion, energy_mev_u, shifter_mm, shifter_mm + depth_mm)
    return float(np.sqrt(in_air + shifter[0] * lever_mm**2 + patient[1]))


@lru_cache(maxsize=4096)
def _moments(ion: str, energy_mev_u: float, start_mm: float, end_mm: float) -> tuple[float, float]:
    """Variance of the projected angle in rad2 and of the position at the end in mm2, from some water."""
    residual = float(range_mm(ion, energy_mev_u))
    end = min(end_mm, residual - 0.1)
    if end <= start_mm:
        return 0.0, 0.0
    edges = np.linspace(start_mm, end, _STEPS + 1)
    middle = 0.5 * (edges[1:] + edges[:-1])
    particle = species(IONS[ion])
    energies = np.append(energy_mev_u, energy_for_range(ion, residual - middle))
    growth = differential_moliere(particle, energies) * _CM_PER_MM * np.diff(edges)
    return float(growth.sum()), float(growth @ (end - middle) ** 2)


def differential_moliere(particle: Species, energy_mev_u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Growth of the variance of the projected angle, rad2 per cm of water, after the first energy given."""
    kinetic = energy_mev_u * particle.nucleons
    pv = kinetic * (kinetic + 2.0 * particle.mass_mev) / (kinetic + particle.mass_mev)
    # The formula is one of protons; ions of the same velocity have A times the momentum.
    per_nucleon = pv / particle.nucleons
    lost = np.log10(np.maximum(1.0 - (per_nucleon[1:] / per_nucleon[0]) ** 2, 1e-6))
    now = np.log10(per_nucleon[1:])
    factor = 0.5244 + 0.1975 * lost + 0.2320 * now - 0.0098 * now * lost
    length = material("water").scattering_length_g_cm2
    return np.asarray(np.maximum(factor, 0.0) * (15.0 * particle.charge / pv[1:]) ** 2 / length)
