"""Cluster dose: ionisation clusters per mass, with either engine.

Faddegon et al. define the cluster dose of a quantity I (such as F4, the targets with four ionisations or
more) in a voxel j as the sum over classes c, of particle and energy, of track length times clusters per path

    g_j = 1 / m_j  sum_c t_j^c I^c                                                           (equation 2)

and Schwarze et al. in media other than water, with I of water (index 0), as

    g_j = 1 / (rho_0 V_j)  A_0 / A_j  sum_c (sigma_j^c sigma_j^e) / (sigma_0^c sigma_0^e)  t_j^c I^c   (3)

with the track lengths t in mm, I in 1/mm, rho_0 = 1e-6 kg/mm3 and V_j in mm3: g is in 1/kg. The factor of the
medium (`isodose.biology.cluster_medium`) does not depend on the particle here, so that g is that of water at
the same track lengths times one number a voxel.

The Monte Carlo adds up t I while particles move, and integrates the clusters of the end of a track (the last
0.08 mm, which leaves no track length) where it stops. The pencil beam weights its dose to water with the
clusters per energy lost, averaged over the dose in each depth of the machine's particle spectra; in water
they are the same sum, since dose to water is the sum of t S / (rho_0 V).
Nuclei that a reaction leaves behind
deposit on the spot and make no clusters here (their part of the dose is below 1 %).

References
----------
Faddegon et al., Phys Med Biol 68 (2023) 175013; Schwarze et al., Cluster dose prediction in carbon ion
therapy (2025); Schwarze et al., Cross-section-based scaling method for material-specific cluster dose
calculations (arXiv 2510.24703).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isodose.biology.cluster_medium import medium_factors
from isodose.biology.cluster_yield import ClusterYield
from isodose.biology.energy_bins import energy_bins
from isodose.biology.mixed_field import PropertyOfIon, depth_weighting, spectra_of, voxel_sums
from isodose.dose.compute import compute_dose, wanted_quantities
from isodose.dose.dose import Dose
from isodose.dose.engine import options_of
from isodose.dose.quantity import Quantity
from isodose.dose.spectra import Spectra
from isodose.machine.base_data import DepthSpectra, DepthWeighting
from isodose.machine.machine import Machine
from isodose.machine.machine_file import machine as machine_of
from isodose.patient.grid import Grid
from isodose.patient.hounsfield import HounsfieldCalibration, calibration_of
from isodose.patient.patient import Patient
from isodose.physics.constants import GY_PER_MEV_PER_G
from isodose.physics.species import Species
from isodose.plan.plan import Plan
from isodose.track.database import ClusterDatabase, cluster_database
from isodose.transport.track_response import TrackResponse, response_per_dose

KEV_PER_KG_AND_GY = 1e6 / GY_PER_MEV_PER_G
"""keV in a kg of each Gy: what clusters per keV are multiplied by to be clusters per kg and Gy."""


def compute_cluster_dose(
    patient: Patient,
    plan: Plan,
    quantities: Iterable[str | Quantity] = (Quantity.CLUSTER_F4,),
    engine: str = "montecarlo",
    database: ClusterDatabase | None = None,
    **options: Any,
) -> Dose:
    """Compute quantities of a plan in a patient, cluster doses among them.

    Parameters
    ----------
    patient, plan, quantities, engine, **options
        As of :func:`isodose.dose.compute.compute_dose`, which this is if there is no cluster dose among the
        quantities.
    database
        Clusters per path; the one of the package by default.

    Returns
    -------
    Dose
        Per fraction; cluster doses in 1/kg, with their statistical uncertainty (Monte Carlo).

    Raises
    ------
    InputError
        If the machine has no particle spectra, the calibration does not tell what voxels are made of, the
        database lacks an ion, or for what the engine refuses.
    """
    wanted = wanted_quantities(quantities)
    clusters = [q for q in wanted if q.cluster_size is not None]
    if not clusters:
        return compute_dose(patient, plan, wanted, engine, **options)
    calibration = options.get("calibration") or calibration_of(patient.calibration)
    data = database or cluster_database()
    known = options_of(engine)
    if "responses" in known:
        options["responses"] = cluster_responses(clusters, data)
        dose = compute_dose(patient, plan, wanted, engine, **options)
        dose = _in_media(dose, patient, calibration, clusters)
    elif "weightings" in known:
        given = options.get("machine")
        machine = given if isinstance(given, Machine) else machine_of(given or plan.machine)
        found = cluster_weightings(spectra_of(machine), clusters, data)
        options["weightings"] = {**options.get("weightings", {}), **found}
        asked = (*wanted, Quantity.DOSE_TO_WATER)
        dose = of_weighted_dose(compute_dose(patient, plan, asked, engine, **options), patient, calibration)
    else:
        asked = (*(q for q in wanted if q not in clusters), Quantity.TRACK_LENGTH)
        dose = compute_dose(patient, plan, asked, engine, **options)
        tracks = dose.spectra[Quantity.TRACK_LENGTH]
        of_water = {q: cluster_dose_of_spectra(tracks, dose.grid, q, data, plan.particles) for q in clusters}
        dose = replace(dose, values={**dose.values, **of_water})
        dose = _in_media(dose, patient, calibration, clusters)
    return _only(dose, wanted, data)


def cluster_weightings(
    spectra: DepthSpectra, quantities: Iterable[Quantity], database: ClusterDatabase
) -> dict[Quantity, DepthWeighting]:
    """Clusters per keV of dose along a machine's beams, by cluster dose, for the pencil beam.

    The ends of tracks, which leave none in the spectra, count with the lowest bin that is passed before (see
    `isodose.biology.energy_bins`).
    """
    return {q: _weighting(spectra, q, database) for q in quantities}


@lru_cache(maxsize=64)
def _weighting(spectra: DepthSpectra, quantity: Quantity, database: ClusterDatabase) -> DepthWeighting:
    return depth_weighting(spectra, _yield(quantity, database))


def cluster_responses(
    quantities: Iterable[Quantity], database: ClusterDatabase
) -> dict[Quantity, TrackResponse]:
    """What tracks add to cluster doses in water (1/kg), for the Monte Carlo."""
    return {q: response_per_dose(_per_gy(_yield(q, database))) for q in quantities}


def cluster_dose_of_spectra(
    spectra: Spectra, grid: Grid, quantity: Quantity, database: ClusterDatabase, particles: float
) -> NDArray[np.float32]:
    """Cluster dose in water, 1/kg ``[z, y, x]``, from spectra of track length (mm per primary).

    A Monte Carlo that scores cluster dose itself does not lump energies together in bins and knows the
    uncertainty; this is for spectra that are there.
    """
    bins = energy_bins(spectra.classes, spectra.energy_edges_mev)
    per_track = bins.average(_yield(quantity, database)) * bins.dose_per_track  # clusters/keV MeV cm2/g
    volume_mm3 = 1000.0 * grid.voxel_volume_cm3
    to_gy = 100.0 * GY_PER_MEV_PER_G / volume_mm3  # 100 mm2 in a cm2
    sums = voxel_sums(spectra, grid, per_track) * (particles * to_gy * KEV_PER_KG_AND_GY)
    return sums.astype(np.float32).reshape(grid.shape)


def of_weighted_dose(dose: Dose, patient: Patient, calibration: HounsfieldCalibration | None = None) -> Dose:
    """Cluster doses in 1/kg in place of the clusters per keV that a pencil beam averages over its dose.

    Parameters
    ----------
    dose
        Of an engine with the weightings of `cluster_weightings`; with `Quantity.DOSE_TO_WATER`.
    patient, calibration
        For the medium of every voxel; the patient's calibration by default.
    """
    clusters = [q for q in dose.values if q.cluster_size is not None]
    water = dose.volume(Quantity.DOSE_TO_WATER).values.ravel()
    reached = np.flatnonzero(water > 0.0)
    chosen = calibration or calibration_of(patient.calibration)
    per_water = medium_factors(patient, dose.grid, chosen, reached) * np.float32(KEV_PER_KG_AND_GY)
    factors = water[reached] * per_water
    return replace(dose, values=_times(dose.values, clusters, reached, factors))


def _in_media(
    dose: Dose, patient: Patient, calibration: HounsfieldCalibration, clusters: Collection[Quantity]
) -> Dose:
    """Cluster doses of water times the factors of the media."""
    reached = np.flatnonzero(np.logical_or.reduce([dose.values[q] > 0.0 for q in clusters]))
    factors = medium_factors(patient, dose.grid, calibration, reached)
    values, uncertainty = (_times(t, clusters, reached, factors) for t in (dose.values, dose.uncertainty))
    return replace(dose, values=values, uncertainty=uncertainty)


def _times(
    table: Mapping[Quantity, NDArray[np.float32]],
    clusters: Collection[Quantity],
    voxels: NDArray[np.int64],
    factors: NDArray[np.float32],
) -> dict[Quantity, NDArray[np.float32]]:
    """Same volumes, with cluster doses multiplied in some voxels, by flat index."""
    result = dict(table)
    for quantity in set(clusters) & set(result):
        scaled = result[quantity].copy()
        scaled.ravel()[voxels] *= factors
        result[quantity] = scaled
    return result


def _only(dose: Dose, wanted: Sequence[Quantity], database: ClusterDatabase) -> Dose:
    """What was asked for, and a note on the database."""
    made = {key: database.provenance.get(key) for key in ("version", "seed", "command", "tracks")}
    return replace(
        dose,
        values={q: v for q, v in dose.values.items() if q in wanted},
        spectra={q: v for q, v in dose.spectra.items() if q in wanted},
        provenance={**dose.provenance, "cluster_database": made},
    )


def _yield(quantity: Quantity, database: ClusterDatabase) -> ClusterYield:
    return ClusterYield(database, str(quantity.cluster_size))


def _per_gy(per_kev: ClusterYield) -> PropertyOfIon:
    """Clusters per kg and Gy to water, of an ion and energy."""

    def of_ion(ion: Species, energy_mev_u: NDArray[np.float64]) -> NDArray[np.float64]:
        return per_kev(ion, energy_mev_u) * KEV_PER_KG_AND_GY

    return of_ion
