"""What RBE models have in common that need to know which particles pass: a response per ion and energy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isodose.biology import linear_quadratic
from isodose.errors import InputError
from isodose.physics.materials import WATER
from isodose.physics.species import Species
from isodose.physics.stopping import mass_stopping_power
from isodose.plan.plan import IONS

LOWEST_ENERGY_MEV_U = 0.01
"""Slower ions are taken to act like those of this energy."""

HIGHEST_ENERGY_MEV_U = 1000.0

_KEV_UM_PER_MEV_CM2_G = 0.1
_NODES = 201


class Coefficients(NamedTuple):
    """Linear and quadratic coefficient, ``alpha`` in 1/Gy and ``beta`` in 1/Gy2, of the same shape."""

    alpha: NDArray[np.float64]
    beta: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PhotonResponse:
    """Survival after photons: linear-quadratic, and above a cut dose a straight line with the slope there.

    Parameters
    ----------
    alpha, beta
        1/Gy and 1/Gy2, positive.
    cut_gy
        Dose at which the straight line begins; infinite where there is none.
    """

    alpha: float
    beta: float
    cut_gy: float = np.inf

    def __post_init__(self) -> None:
        for field in ("alpha", "beta", "cut_gy"):
            if not getattr(self, field) > 0.0:
                raise InputError(f"photons.{field}", getattr(self, field), "a positive number")

    @property
    def final_slope(self) -> float:
        """Slope of the straight line, 1/Gy."""
        return self.alpha + 2.0 * self.beta * self.cut_gy

    def effect(self, dose_gy: ArrayLike) -> NDArray[np.float64]:
        """Effect ``-ln S`` of a photon dose in Gy."""
        if np.isinf(self.cut_gy):
            return np.asarray(linear_quadratic.effect(dose_gy, self.alpha, self.beta), dtype=np.float64)
        slope = self.final_slope
        straight = linear_quadratic.effect_with_tail(dose_gy, self.alpha, self.beta, self.cut_gy, slope)
        return np.asarray(straight, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class RadiationModel(ABC):
    """An RBE model that gives alpha and beta of every ion and energy; fields mix after Zaider and Rossi."""

    ions: ClassVar[tuple[str, ...]] = tuple(IONS)
    """Beams that it is for."""
    name: str
    photons: PhotonResponse

    @abstractmethod
    def coefficients(self, charge: int, energy_mev_u: ArrayLike, let_kev_um: ArrayLike) -> Coefficients:
        """Alpha and beta of a monoenergetic ion in water.

        Parameters
        ----------
        charge
            Atomic number.
        energy_mev_u, let_kev_um
            Energy per nucleon and unrestricted LET in water, ``(n,)``.
        """


def coefficients_of(model: RadiationModel, ion: Species, energy_mev_u: ArrayLike) -> Coefficients:
    """Alpha and beta of an ion at its LET in water, from a table that is made once a process.

    Interpolated in the logarithm of the energy between 40 points a decade; below `LOWEST_ENERGY_MEV_U` the
    value there holds.
    """
    nodes, alpha, beta = _table(model, ion)
    place = np.log(np.clip(energy_mev_u, LOWEST_ENERGY_MEV_U, HIGHEST_ENERGY_MEV_U))
    return Coefficients(np.interp(place, nodes, alpha), np.interp(place, nodes, beta))


def let_kev_um(ion: Species, energy_mev_u: ArrayLike) -> NDArray[np.float64]:
    """Unrestricted LET in water of 1 g/cm3, keV/um."""
    return _KEV_UM_PER_MEV_CM2_G * mass_stopping_power(ion, energy_mev_u, WATER)


@lru_cache(maxsize=256)
def _table(model: RadiationModel, ion: Species) -> tuple[NDArray[np.float64], ...]:
    energy = np.geomspace(LOWEST_ENERGY_MEV_U, HIGHEST_ENERGY_MEV_U, _NODES)
    alpha, beta = model.coefficients(ion.charge, energy, let_kev_um(ion, energy))
    return np.log(energy), alpha, beta
