"""Smoothing the database over energy: each entry borrows statistics from its neighbours.

Local quadratic regression of ln(quantity) in ln(energy), with weights from the statistical uncertainties and
a Gaussian of the distance (Cleveland, J. Am. Stat. Assoc. 74 (1979) 829, without its robust steps). It is
linear in the data, so the uncertainty of the fit follows exactly from theirs. The Gaussian is no wider than
the statistics need: a curve that is certain keeps its shape.

The uncertainty that an entry tells of itself is noisy, and low where by chance no energetic electron came,
as is its value. So weights use the variance of a track averaged over neighbouring energies, and the number of
tracks.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from isodose.track.database import ClusterDatabase
from isodose.track.entry_sums import QUANTITIES

BANDWIDTH = 0.2
"""Largest standard deviation of the weights in ln(energy): neighbours within some 20 % count."""

WANTED = 0.005
"""Relative uncertainty of the fit at which its weights are not spread further."""

_NARROWEST, _WIDER = 0.02, 1.3
_LEAST_POINTS = 6  # the Gaussian widens where fewer points carry weight: a quadratic needs more than three


def smooth_over_energy(
    energies: NDArray[np.float64], values: NDArray[np.float64], uncertainties: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fitted values and their standard uncertainties at the same energies.

    Parameters
    ----------
    energies
        ``[n]``, ascending.
    values, uncertainties
        ``[n]``; points of value or uncertainty zero have no weight, and stay as they are.

    Returns
    -------
    tuple
        Values and uncertainties, ``[n]`` each.
    """
    good = (values > 0.0) & (uncertainties > 0.0)
    if np.count_nonzero(good) < _LEAST_POINTS:
        return values, uncertainties
    x, y = np.log(energies[good]), np.log(values[good])
    sigma = uncertainties[good] / values[good]
    smooth, error = np.empty_like(x), np.empty_like(x)
    for i in range(x.size):
        away = x - x[i]
        least = 0.5 * float(np.sort(np.abs(away))[_LEAST_POINTS - 1])
        smooth[i], error[i] = y[i], sigma[i]
        width = _NARROWEST
        while error[i] > WANTED and width < BANDWIDTH:
            width *= _WIDER
            row = _local_fit(away, sigma, max(width, least))
            smooth[i], error[i] = row @ y, np.sqrt(row**2 @ sigma**2)
    fitted, fitted_error = values.copy(), uncertainties.copy()
    fitted[good] = np.exp(smooth)
    fitted_error[good] = fitted[good] * error
    return fitted, fitted_error


def _local_fit(away: NDArray[np.float64], sigma: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Weight of each point in the value of a local parabola at distance zero."""
    weights = np.exp(-0.5 * (away / width) ** 2) / sigma**2
    terms = np.stack([np.ones_like(away), away, away**2])
    return np.asarray(np.linalg.solve((terms * weights) @ terms.T, terms * weights)[0])


def even_uncertainties(
    energies: NDArray[np.float64],
    values: NDArray[np.float64],
    uncertainties: NDArray[np.float64],
    tracks: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Standard uncertainties by the numbers of tracks, the variance of a track taken from neighbours too."""
    good = (values > 0.0) & (uncertainties > 0.0)
    x = np.log(energies[good])
    variance = (uncertainties[good] / values[good]) ** 2 * tracks[good]
    near = np.exp(-0.5 * ((x[:, None] - x) / BANDWIDTH) ** 2)
    even = np.zeros_like(uncertainties)
    even[good] = values[good] * np.sqrt(near @ variance / near.sum(axis=1) / tracks[good])
    return even


def smooth_database(database: ClusterDatabase) -> ClusterDatabase:
    """Smoothed database; its provenance tells so, and the residuals of the fit.

    The provenance gains ``smoothed``: by ion and quantity the root mean square of the residuals in units of
    the statistical uncertainties (about one if the fit follows the data) and the largest relative one. Where
    the first is above one, the uncertainties of the fit are raised by it (Birge's ratio).
    """
    entries, residuals = [], {}
    for ion in database.ions:
        energies = database.energies_mev_u(ion)
        raw = sorted((e for e in database.entries if e.ion == ion), key=lambda e: e.energy_mev_u)
        tracks = np.array([entry.tracks for entry in raw], dtype=np.float64)
        tables = []
        for quantity in QUANTITIES:
            values, told = database.table(ion, quantity)
            tables.append((values, even_uncertainties(energies, values, told, tracks)))
        fits = [smooth_over_energy(energies, *table) for table in tables]
        residuals[ion] = {
            quantity: _residuals(*table, fit[0])
            for quantity, table, fit in zip(QUANTITIES, tables, fits, strict=True)
        }
        of = dict(zip(QUANTITIES, fits, strict=True))
        for i, entry in enumerate(raw):
            values = np.array([fit[0][i] for fit in fits])
            errors = np.array([fit[1][i] * max(1.0, residuals[ion][q]["rms_sigma"]) for q, fit in of.items()])
            entries.append(replace(entry, values=values, uncertainties=errors))
    return ClusterDatabase(tuple(entries), {**database.provenance, "smoothed": residuals})


def _residuals(
    values: NDArray[np.float64], uncertainties: NDArray[np.float64], fitted: NDArray[np.float64]
) -> dict[str, float]:
    good = (values > 0.0) & (uncertainties > 0.0)
    if not np.any(good):
        return {"rms_sigma": 0.0, "largest_relative": 0.0}
    away = values[good] - fitted[good]
    rms = float(np.sqrt(np.mean((away / uncertainties[good]) ** 2)))
    return {"rms_sigma": rms, "largest_relative": float(np.max(np.abs(away / fitted[good])))}
