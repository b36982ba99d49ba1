"""Mixed radiation fields: dose-averages over all particles of what is known of each ion and energy.

After Zaider and Rossi (Radiat Res 83 (1980) 732) alpha is the dose-average of the alphas, and the square root
of beta that of their roots. LETd, and the part of the dose above a LET threshold, are averages of the same
kind. The dose of a particle class and energy bin is its track length times mass stopping power in water.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from isodose.biology.energy_bins import EnergyBins, energy_bins
from isodose.biology.radiation_model import RadiationModel, coefficients_of, let_kev_um
from isodose.dose.quantity import Quantity
from isodose.dose.spectra import Spectra
from isodose.errors import InputError
from isodose.machine.base_data import DepthSpectra, DepthWeighting
from isodose.machine.machine import Machine
from isodose.patient.grid import Grid
from isodose.physics.species import Species
from isodose.physics.stopping import MAXIMUM_ENERGY_MEV_U, MINIMUM_ENERGY_MEV_U

PropertyOfIon = Callable[[Species, NDArray[np.float64]], NDArray[np.float64]]
"""A property of an ion at energies in MeV/u."""

_APART_KEV_UM = 0.5
"""Light and heavy particles that are nearer in LETd say nothing on how a property grows with it."""

HYDROGEN = (1,)
"""Charges of protons, deuterons and tritons, whose LETd proton models take."""


def model_depth_weightings(spectra: DepthSpectra, model: RadiationModel) -> dict[Quantity, DepthWeighting]:
    """Alpha and the root of beta along a machine's beams, for an engine to average over a plan.

    Parameters
    ----------
    spectra
        Of the machine's base data.
    model
        A model that needs spectra.

    Returns
    -------
    dict
        `Quantity.ALPHA` in 1/Gy and `Quantity.SQRT_BETA` in 1/Gy. Where no track was scored (far behind the
        range) the value of the nearest depth before holds.
    """
    bins = energy_bins(spectra.classes, spectra.energy_edges_mev)
    return {q: _along_beams(spectra, bins, values) for q, values in _model_properties(model, bins).items()}


def letd_depth_weighting(spectra: DepthSpectra, charges: Collection[int] | None = None) -> DepthWeighting:
    """LETd in water along a machine's beams, keV/um, of all particles or of some atomic numbers only.

    An average over some particles is still weighted with the dose of all when an engine adds up beams; that
    is exact where they make nearly all of the dose, as protons do in a proton beam.
    """
    bins = energy_bins(spectra.classes, spectra.energy_edges_mev)
    return _along_beams(spectra, bins, bins.average(_let), _counted(bins, charges))


def spectra_of(machine: Machine) -> DepthSpectra:
    """Particle spectra along a machine's beams.

    Raises
    ------
    InputError
        If the machine has none.
    """
    if machine.base_data is None or machine.base_data.spectra is None:
        expected = "base data with particle spectra, as `isodose machine build` makes them"
        raise InputError(f"machine {machine.name!r}: spectra", "none", expected)
    return machine.base_data.spectra


def depth_weighting(spectra: DepthSpectra, of_ion: PropertyOfIon) -> DepthWeighting:
    """Dose-average of any property of ion and energy (MeV/u) along a machine's beams.

    How it grows with LETd across the plane is that from the averages over light particles, of at most half
    the charge of the beam's, to those over the others: the halo of a beam is of the former, its core of the
    latter.
    """
    bins = energy_bins(spectra.classes, spectra.energy_edges_mev)
    values, let = bins.average(of_ion), bins.average(_let)
    dose = spectra.track_length * bins.dose_per_track
    charge = np.array([ion.charge for ion in bins.ions])
    of_beam = charge[int(np.argmax(dose[:, 0].sum(axis=(0, -1))))]
    light = charge <= of_beam / 2

    def apart(table: NDArray[np.float64]) -> NDArray[np.float64]:
        """Average over heavy less that over light particles; 0 where there are none of either."""
        sides = []
        for group in (~light, light):
            total = dose[:, :, group].sum(axis=(2, 3))
            mean = np.einsum("mdcb,cb->md", dose[:, :, group], table[group])
            sides.append(np.divide(mean, total, out=np.full_like(mean, np.nan), where=total > 0.0))
        return np.asarray(np.nan_to_num(sides[0] - sides[1]))

    of_let = apart(let)
    slope = np.divide(apart(values), of_let, out=np.zeros_like(of_let), where=of_let > _APART_KEV_UM)
    return replace(_along_beams(spectra, bins, values), per_let=slope)


def voxel_sums(spectra: Spectra, grid: Grid, per_track: NDArray[np.float64]) -> NDArray[np.float64]:
    """Track lengths times a number for each class and bin ``(classes, bins)``, summed in voxels: flat.

    Raises
    ------
    InputError
        If the spectra are of another grid.
    """
    voxel, which = np.divmod(spectra.key, len(spectra.classes) * spectra.bins)
    if spectra.key.size and not 0 <= voxel[0] <= voxel[-1] < grid.size:
        raise InputError(
            "spectra.key", f"voxels {voxel[0]} to {voxel[-1]}", f"0 to {grid.size - 1} of the grid"
        )
    sums = np.bincount(voxel, weights=spectra.value * per_track.ravel()[which], minlength=grid.size)
    return np.asarray(sums, dtype=np.float64)


def model_voxel_values(
    spectra: Spectra, grid: Grid, model: RadiationModel
) -> dict[Quantity, NDArray[np.float32]]:
    """Alpha and the root of beta in every voxel from a Monte Carlo's track-length spectra.

    Parameters
    ----------
    spectra
        Track lengths (`Quantity.TRACK_LENGTH`).
    grid
        Grid of the dose.
    model
        A model that needs spectra.

    Returns
    -------
    dict
        Arrays ``[z, y, x]`` of `Quantity.ALPHA` and `Quantity.SQRT_BETA` in 1/Gy; 0 where nothing was scored.
    """
    bins = energy_bins(spectra.classes, spectra.energy_edges_mev)
    return {
        q: _in_voxels(spectra, grid, bins, values) for q, values in _model_properties(model, bins).items()
    }


def letd_voxel_values(
    spectra: Spectra, grid: Grid, charges: Collection[int] | None = None
) -> NDArray[np.float32]:
    """LETd in water, keV/um ``[z, y, x]``, of all particles or of some atomic numbers only (`HYDROGEN`)."""
    bins = energy_bins(spectra.classes, spectra.energy_edges_mev)
    return _in_voxels(spectra, grid, bins, bins.average(_let), _counted(bins, charges))


def high_let_part(spectra: Spectra, grid: Grid, threshold_kev_um: float) -> NDArray[np.float32]:
    """Part of the dose that particles of a LET above a threshold deposit, ``[z, y, x]`` from 0 to 1."""
    bins = energy_bins(spectra.classes, spectra.energy_edges_mev)
    return _in_voxels(spectra, grid, bins, bins.average(partial(_above, threshold_kev_um)))


def _let(ion: Species, energy_mev_u: NDArray[np.float64]) -> NDArray[np.float64]:
    return let_kev_um(ion, np.clip(energy_mev_u, MINIMUM_ENERGY_MEV_U, MAXIMUM_ENERGY_MEV_U))


def _above(threshold: float, ion: Species, energy_mev_u: NDArray[np.float64]) -> NDArray[np.float64]:
    return (_let(ion, energy_mev_u) > threshold).astype(np.float64)


def _model_properties(model: RadiationModel, bins: EnergyBins) -> dict[Quantity, NDArray[np.float64]]:
    def alpha(ion: Species, energy_mev_u: NDArray[np.float64]) -> NDArray[np.float64]:
        return coefficients_of(model, ion, energy_mev_u).alpha

    def sqrt_beta(ion: Species, energy_mev_u: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.sqrt(coefficients_of(model, ion, energy_mev_u).beta)

    return {Quantity.ALPHA: bins.average(alpha), Quantity.SQRT_BETA: bins.average(sqrt_beta)}


def _counted(bins: EnergyBins, charges: Collection[int] | None) -> NDArray[np.bool_] | None:
    """Classes of given atomic numbers."""
    if charges is None:
        return None
    counted = np.array([ion.charge in charges for ion in bins.ions])
    if not counted.any():
        raise InputError("charges", sorted(charges), "an atomic number among the classes of the spectra")
    return counted


def _along_beams(
    spectra: DepthSpectra,
    bins: EnergyBins,
    values: NDArray[np.float64],
    counted: NDArray[np.bool_] | None = None,
) -> DepthWeighting:
    dose = bins.dose_per_track if counted is None else bins.dose_per_track * counted[:, None]
    tracks = spectra.track_length
    below = np.tensordot(tracks, dose, axes=2)
    above = np.tensordot(tracks, dose * values, axes=2)
    rows = np.empty(below.shape)
    for k, (weighted, total) in enumerate(zip(above, below, strict=True)):
        hit = np.flatnonzero(total > 0.0)
        if not hit.size:
            raise InputError(
                f"spectra at {spectra.energy_mev_u[k]:g} MeV/u", "no track length", "some at some depth"
            )
        nearest = hit[np.clip(np.searchsorted(hit, np.arange(total.size), side="right") - 1, 0, None)]
        rows[k] = weighted[nearest] / total[nearest]
    return DepthWeighting(spectra.energy_mev_u, spectra.part, rows)


def _in_voxels(
    spectra: Spectra,
    grid: Grid,
    bins: EnergyBins,
    values: NDArray[np.float64],
    counted: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    dose = bins.dose_per_track if counted is None else bins.dose_per_track * counted[:, None]
    total, weighted = voxel_sums(spectra, grid, dose), voxel_sums(spectra, grid, dose * values)
    mean = np.divide(weighted, total, out=np.zeros(grid.size), where=total > 0.0)
    return mean.astype(np.float32).reshape(grid.shape)
