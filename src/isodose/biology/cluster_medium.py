"""What cluster dose in a medium is to that in water, at the same track lengths.

Track structure is known in liquid water only. Schwarze et al. (equation 3) scale it to a medium j with

    (A_0 / A_j) (sigma_j^c sigma_j^e) / (sigma_0^c sigma_0^e)

where A is the effective mass number, sigma^c the ionisation cross-section of the ion and sigma^e that of its
electrons, each for one particle of the medium; 0 is water. With the density of particles rho / A the primary
ionisations per mass grow as sigma^c / A, and sigma^e says how well their electrons ionise once more.

Cross-sections are those of free electrons at rest, as in the condensed-history models that the source took
them from: the same for every electron, so that both ratios are those of the electrons per atom, for every ion
and energy, and the factor is one number a medium. A is the mass of an atom on average, in atomic mass units.

Of the 1.67 of cortical bone the ion has 0.93 and its electrons 1.80: equation 3 divides by the mass of an
atom once, and sigma^e stands in it for one atom. Cortical bone has as many atoms in a volume as water
(0.99), so that 1.80 is also the ratio of the electrons' ionisations per length; in gases it is not.

Validity: media of light elements. Bound inner electrons count like outer ones. If both cross-sections went as
the stopping powers of an atom, the factor would be 1.36 (carbon of 2 MeV/u) to 1.52 (300 MeV/u) for cortical
bone, 1.03 to 1.02 for muscle (here 1.02), and 1.01 to 0.96 for adipose tissue (here 0.92). The sources at
hand give no number for any medium.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.patient.body import body_hu
from isodose.patient.grid import Grid
from isodose.patient.hounsfield import HounsfieldCalibration
from isodose.patient.patient import Patient
from isodose.physics.constants import AVOGADRO
from isodose.physics.materials import WATER, Material


def effective_mass_number(material: Material) -> float:
    """Mass of an atom on average, in atomic mass units."""
    return AVOGADRO / float(material.atoms_per_gram.sum())


def electrons_per_atom(material: Material) -> float:
    """Electrons of an atom on average."""
    return material.z_over_a * effective_mass_number(material)


def medium_factor(material: Material) -> float:
    """Cluster dose in a material over that in water at the same track lengths."""
    mass = effective_mass_number(WATER) / effective_mass_number(material)
    return mass * (electrons_per_atom(material) / electrons_per_atom(WATER)) ** 2


def medium_factors(
    patient: Patient, grid: Grid, calibration: HounsfieldCalibration, voxels: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """`medium_factor` of voxels of a dose grid.

    Parameters
    ----------
    patient, grid, calibration
        Whose, on which grid, and what CT numbers mean.
    voxels
        Flat indices of those that are wanted, ``(n,)``; all by default.

    Returns
    -------
    NDArray
        float32, flat: ``(n,)``.

    Raises
    ------
    InputError
        If the calibration does not tell what voxels are made of.
    """
    if not calibration.composition:
        expected = "density and composition: clusters in media other than water need them"
        raise InputError(f"calibration {calibration.name!r}", "only an RSP table", expected, calibration.file)
    factors = np.array([medium_factor(m) for m in calibration.materials], dtype=np.float32)
    hu = body_hu(patient, grid, np.arange(grid.size) if voxels is None else voxels)
    return np.asarray(factors[calibration.material_of_hu(hu)])
