"""Ways in which a projectile breaks up, each conserving charge and nucleons, and how often each happens.

All partitions of a projectile into nucleons and transported nuclides are listed. Before any data, a
partition weighs what it would in a canonical break-up at one temperature, exp(Q / T) / prod(n_f!); the
weights are then the *least biased* ones (of smallest relative entropy to that prior) whose mean
multiplicities are the measured yields of `fragment_yields` within their errors (Jaynes, Phys. Rev. 106
(1957) 620). That gives each partition a factor prod(exp(lambda_f n_f)), one lambda per fragment species.
As charge and mass are fixed, the lambdas of a measured projectile carry over to its neighbours (12C to
those up to carbon, 16O to nitrogen and oxygen), where only the yields of `neighbour_yields` are set again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isodose.physics.constants import NEUTRON_MASS_MEV
from isodose.physics.elements import ELEMENTS
from isodose.physics.fragment_yields import (
    DEFAULT_ERROR,
    ENERGY_NODES_MEV_U,
    HEAVIER,
    HYDROGEN,
    MEASURED,
    SURVIVING,
    Yields,
    neighbour_yields,
)
from isodose.physics.species import INDEX_OF_CHARGE_AND_NUCLEONS, MASS_MEV, SPECIES, Species, species

NEUTRON = len(SPECIES)
"""Member index of a neutron in a channel (it is no transported species)."""

_TEMPERATURE_MEV = 10.0
_LEAST_WEIGHT = 1e-6
_TOLERANCE = 1e-7
_MAX_STEPS = 100

FloatArray = NDArray[np.float64]


class FragmentationTables(NamedTuple):
    """What the event generator reads; made by `fragmentation_tables`.

    Attributes
    ----------
    channel_start
        int64 ``(species + 1,)``: first channel of each projectile.
    cumulative
        float64 ``(2 targets, 2 energies, channels)``: cumulative probability among a projectile's channels.
    member_start
        int64 ``(channels + 1,)``: first member of each channel.
    members
        int64: species index of each member, `NEUTRON` for a neutron.
    q_value_mev
        float64 ``(channels,)``: energy released (negative: spent) by the break-up.
    singles
        int64 ``(channels,)``: number of free nucleons among the members.
    target_charge, target_nucleons
        int64 by element: charge and mass number of the nucleus that stands for the element.
    target_species
        int64 by element: species whose channels describe the break-up of the target, -1 where there is none.
    """

    channel_start: NDArray[np.int64]
    cumulative: NDArray[np.float64]
    member_start: NDArray[np.int64]
    members: NDArray[np.int64]
    q_value_mev: NDArray[np.float64]
    singles: NDArray[np.int64]
    target_charge: NDArray[np.int64]
    target_nucleons: NDArray[np.int64]
    target_species: NDArray[np.int64]


def partitions(projectile: Species) -> NDArray[np.int64]:
    """All channels of a projectile; in the last one of 12C and 16O it survives, excited below break-up.

    Returns
    -------
    ndarray
        int64 ``(channels, species + 1)``: how many of each fragment, neutrons last.
    """
    heavier_first = [s for s in reversed(SPECIES) if 1 < s.nucleons < projectile.nucleons]

    def fill(position: int, charge: int, neutrons: int) -> Iterator[dict[int, int]]:
        if position == len(heavier_first):
            yield {0: charge, NEUTRON: neutrons}
            return
        s = heavier_first[position]
        n = s.nucleons - s.charge
        for count in range(min(charge // s.charge, neutrons // n) + 1):
            for channel in fill(position + 1, charge - count * s.charge, neutrons - count * n):
                channel[s.index] = count
                yield channel

    found = list(fill(0, projectile.charge, projectile.nucleons - projectile.charge))
    if projectile.name in SURVIVING:
        found.append({projectile.index: 1})
    counts = np.zeros((len(found), len(SPECIES) + 1), dtype=np.int64)
    for row, channel in enumerate(found):
        for index, count in channel.items():
            counts[row, index] = count
    return counts


def q_values(projectile: Species, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Energy released by each channel in MeV, from nuclear masses."""
    masses = np.append(MASS_MEV, NEUTRON_MASS_MEV)
    q: NDArray[np.float64] = projectile.mass_mev - counts @ masses
    return q


def _log_prior(projectile: Species, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    log_factorial = np.array([math.lgamma(n + 1.0) for n in range(17)])
    prior: NDArray[np.float64] = q_values(projectile, counts) / _TEMPERATURE_MEV - log_factorial[counts].sum(
        axis=1
    )
    return prior


def _expectations(projectile: Species, target: int, energy_mev_u: float) -> tuple[Yields, FloatArray]:
    """Return the yields to reproduce and the lambdas to start from (those of the measured relative)."""
    measured = MEASURED.get((projectile.name, target, energy_mev_u))
    if measured is not None:
        return measured, np.zeros(len(SPECIES) + 1)
    relative = "C12" if projectile.charge <= 6 else "O16"
    return neighbour_yields(projectile, target), _potentials(relative, target, energy_mev_u)


@cache
def _potentials(name: str, target: int, energy_mev_u: float) -> FloatArray:
    """Lambdas that make the mean multiplicities those measured, float64 ``(species + 1,)``."""
    projectile = species(name)
    yields, start = _expectations(projectile, target, energy_mev_u)
    counts = partitions(projectile)
    fragments = [f for f in yields.production_mb if counts[:, species(f).index].any()]
    columns = [species(f).index for f in fragments]
    mean = np.array([yields.production_mb[f] / yields.reaction_mb for f in fragments])
    error = np.array([yields.relative_error.get(f, DEFAULT_ERROR) for f in fragments])
    potentials = start.copy()
    potentials[columns] += _least_biased(
        _log_prior(projectile, counts) + counts @ start,
        counts[:, columns].astype(np.float64),
        mean,
        error * mean,
    )
    return potentials


def _least_biased(log_prior: FloatArray, n: FloatArray, mean: FloatArray, sigma: FloatArray) -> FloatArray:
    """Minimise the convex log sum(prior exp(n.x)) - mean.x + |sigma x|^2 / 2 by damped Newton steps."""
    x = np.zeros(len(mean))

    def dual(x: FloatArray) -> tuple[float, FloatArray]:
        log_weight = log_prior + n @ x
        top = float(log_weight.max())
        weight = np.exp(log_weight - top)
        total = float(weight.sum())
        return math.log(total) + top - float(mean @ x) + 0.5 * float(np.sum((sigma * x) ** 2)), weight / total

    value, p = dual(x)
    for _ in range(_MAX_STEPS):
        found = p @ n
        gradient = found - mean + sigma**2 * x
        if np.abs(gradient).max(initial=0.0) < _TOLERANCE:
            break
        hessian = (n * p[:, None]).T @ n - np.outer(found, found) + np.diag(sigma**2)
        step = np.linalg.solve(hessian, gradient)
        length = 1.0
        while dual(x - length * step)[0] > value - 0.1 * length * float(gradient @ step) and length > 1e-6:
            length *= 0.5
        x = x - length * step
        value, p = dual(x)
    return x


def channel_probabilities(
    projectile: Species, counts: NDArray[np.int64], target: int, energy_mev_u: float
) -> FloatArray:
    """Probability of each channel per reaction, float64 ``(channels,)``.

    Parameters
    ----------
    projectile
        What breaks up.
    counts
        Channels as `partitions` lists them.
    target
        ``HYDROGEN`` or ``HEAVIER``.
    energy_mev_u
        One of ``ENERGY_NODES_MEV_U``.
    """
    log_weight = _log_prior(projectile, counts) + counts @ _potentials(projectile.name, target, energy_mev_u)
    weight = np.exp(log_weight - log_weight.max())
    probability: FloatArray = weight / weight.sum()
    return probability


@cache
def fragmentation_tables() -> FragmentationTables:
    """Channels of every projectile, fitted to the measured yields (a tenth of a second, once per process)."""
    start, member_start = [0], [0]
    members: list[int] = []
    q_value, singles, cumulative = [], [], []
    for projectile in SPECIES:
        if projectile.nucleons > 1:
            counts = partitions(projectile)
            p = np.array(
                [
                    [channel_probabilities(projectile, counts, target, e) for e in ENERGY_NODES_MEV_U]
                    for target in (HYDROGEN, HEAVIER)
                ]
            )
            kept = p.max(axis=(0, 1)) > _LEAST_WEIGHT
            counts, p = counts[kept], p[:, :, kept]
            sums = np.cumsum(p, axis=2)
            cumulative.append(sums / sums[:, :, -1:])
            q_value.append(q_values(projectile, counts))
            singles.append(counts[:, 0] + counts[:, NEUTRON])
            for row in counts:
                members.extend(np.repeat(np.arange(len(row)), row).tolist())
                member_start.append(len(members))
            start.append(start[-1] + len(counts))
        else:
            start.append(start[-1])
    charge = np.array([e.charge for e in ELEMENTS], dtype=np.int64)
    nucleons = np.array([round(e.atomic_weight) for e in ELEMENTS], dtype=np.int64)
    light = [
        INDEX_OF_CHARGE_AND_NUCLEONS[z, a] if 6 <= z <= 8 else -1
        for z, a in zip(charge, nucleons, strict=True)
    ]
    return FragmentationTables(
        channel_start=np.array(start, dtype=np.int64),
        cumulative=np.ascontiguousarray(np.concatenate(cumulative, axis=2)),
        member_start=np.array(member_start, dtype=np.int64),
        members=np.array(members, dtype=np.int64),
        q_value_mev=np.concatenate(q_value),
        singles=np.concatenate(singles).astype(np.int64),
        target_charge=charge,
        target_nucleons=nucleons,
        target_species=np.array(light, dtype=np.int64),
    )
