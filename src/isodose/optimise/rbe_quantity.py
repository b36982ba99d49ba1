"""RBE-weighted dose as a function of what adds up over spots, with its derivatives.

With effect ``e`` the RBE-weighted dose is ``D = 2 e / (a + sqrt(a^2 + 4 b e))`` and so
``dD/de = 1 / sqrt(a^2 + 4 b e) = 1 / (a + 2 b D)``, where a and b are alpha and beta of photons.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from isodose.biology.let_models import LetModel
from isodose.biology.linear_quadratic import photon_dose
from isodose.biology.models import RbeModel, needed_quantities
from isodose.biology.radiation_model import PhotonResponse, RadiationModel
from isodose.biology.tissue import TissueMap
from isodose.dose.quantity import Quantity
from isodose.optimise.voxel_quantity import Sums, Values, VoxelQuantity
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient

_LEAST_GY = 1e-9
"""Voxels of less dose have no LET; they keep their dose with the limit of low LET."""
_STEP_KEV_UM = 1e-3
"""Step of the central difference along LET; models are smooth, so its error is some 1e-9."""


@dataclass(frozen=True, slots=True, eq=False)
class RbeOfResponse:
    """RBE-weighted dose from alpha x dose and the root of beta x dose, Gy (RBE).

    Parameters
    ----------
    alpha_x, beta_x
        Response to photons in 1/Gy and 1/Gy2, one number or one a voxel.
    cut_gy
        Dose per fraction above which survival falls along a straight line, as the LEM has it.
    """

    alpha_x: NDArray[np.float64]
    beta_x: NDArray[np.float64]
    cut_gy: float = np.inf
    label: str = "RBE-weighted dose / Gy (RBE)"

    @property
    def needs(self) -> tuple[Quantity, ...]:
        """Alpha and the root of beta, times dose; the dose itself only where there is a cut."""
        tail = (Quantity.DOSE,) if np.isfinite(self.cut_gy) else ()
        return (Quantity.ALPHA, Quantity.SQRT_BETA, *tail)

    def values(self, sums: Sums) -> Values:
        """RBE-weighted dose."""
        effect, kind = self._effect(sums), sums[Quantity.ALPHA].dtype
        if np.isinf(self.cut_gy):
            return photon_dose(effect, self.alpha_x, self.beta_x).astype(kind)
        at_cut = self.cut_gy * (self.alpha_x + self.beta_x * self.cut_gy)
        below = photon_dose(np.minimum(effect, at_cut), self.alpha_x, self.beta_x)
        return np.asarray(below + np.maximum(effect - at_cut, 0.0) / self._slope(), dtype=kind)

    def derivative(self, sums: Sums, by_value: Values) -> dict[Quantity, Values]:
        """Chain rule through the effect."""
        alpha, root = self._of_low_doses(sums)
        effect, kind = self._effect(sums), sums[Quantity.ALPHA].dtype
        slope = np.sqrt(self.alpha_x**2 + 4.0 * self.beta_x * effect)
        if np.isinf(self.cut_gy):
            by_effect = by_value / slope
            return {
                Quantity.ALPHA: by_effect.astype(kind),
                Quantity.SQRT_BETA: (2.0 * by_effect * root).astype(kind),
            }
        by_effect = by_value / np.minimum(slope, self._slope())
        part, dose = self._part(sums), np.asarray(sums[Quantity.DOSE], dtype=np.float64)
        fall = np.divide(alpha + 2.0 * root**2, dose, out=np.zeros_like(dose), where=dose > 0.0)
        return {
            Quantity.ALPHA: (by_effect * part).astype(kind),
            Quantity.SQRT_BETA: (2.0 * by_effect * root * part).astype(kind),
            Quantity.DOSE: np.where(part < 1.0, by_effect * (self._slope() - fall), 0.0).astype(kind),
        }

    def at(self, voxels: NDArray[np.int64]) -> RbeOfResponse:
        """Same quantity for some voxels."""
        return replace(self, alpha_x=_some(self.alpha_x, voxels), beta_x=_some(self.beta_x, voxels))

    def _effect(self, sums: Sums) -> NDArray[np.float64]:
        alpha, root = self._of_low_doses(sums)
        if np.isinf(self.cut_gy):
            return np.asarray(alpha + root * root)
        dose = np.asarray(sums[Quantity.DOSE], dtype=np.float64)
        return np.asarray(alpha + root * root + self._slope() * np.maximum(dose - self.cut_gy, 0.0))

    def _of_low_doses(self, sums: Sums) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sums of alpha and of the root of beta of the dose up to the cut."""
        part = self._part(sums)
        return part * sums[Quantity.ALPHA], part * sums[Quantity.SQRT_BETA]

    def _part(self, sums: Sums) -> NDArray[np.float64]:
        """Part of each voxel's dose that is below the cut."""
        if np.isinf(self.cut_gy):
            return np.ones(())
        dose = np.asarray(sums[Quantity.DOSE], dtype=np.float64)
        return np.divide(self.cut_gy, dose, out=np.ones_like(dose), where=dose > self.cut_gy)

    def _slope(self) -> NDArray[np.float64]:
        """Slope of photon survival beyond the cut, 1/Gy."""
        return np.asarray(self.alpha_x + 2.0 * self.beta_x * self.cut_gy)


@dataclass(frozen=True, slots=True, eq=False)
class RbeOfLet:
    """RBE-weighted dose of a model in LETd, from dose and LETd x dose, Gy (RBE).

    Parameters
    ----------
    model
        Gives the RBE in the limits of low and of high dose.
    alpha_x, beta_x
        Response to photons in 1/Gy and 1/Gy2, one number or one a voxel.
    """

    model: LetModel
    alpha_x: NDArray[np.float64]
    beta_x: NDArray[np.float64]
    needs: tuple[Quantity, ...] = field(default=(Quantity.DOSE, Quantity.LETD))
    label: str = "RBE-weighted dose / Gy (RBE)"

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs", (Quantity.DOSE, *needed_quantities(self.model)))

    def values(self, sums: Sums) -> Values:
        """RBE-weighted dose."""
        dose, let = self._dose_and_let(sums)
        high, low = self.model.limits(let, self._ratio())
        effect = dose * (high * self.alpha_x + low**2 * self.beta_x * dose)
        return np.asarray(photon_dose(effect, self.alpha_x, self.beta_x), dtype=sums[Quantity.DOSE].dtype)

    def derivative(self, sums: Sums, by_value: Values) -> dict[Quantity, Values]:
        """Chain rule through the effect, with ``LET = (LET x dose) / dose``."""
        dose, let = self._dose_and_let(sums)
        high, low = self.model.limits(let, self._ratio())
        alpha, beta = high * self.alpha_x, low**2 * self.beta_x
        effect = dose * (alpha + beta * dose)
        by_effect = by_value / np.sqrt(self.alpha_x**2 + 4.0 * self.beta_x * effect)
        kind = sums[Quantity.DOSE].dtype
        if Quantity.LETD not in self.needs:
            return {Quantity.DOSE: (by_effect * (alpha + 2.0 * beta * dose)).astype(kind)}
        high_slope, low_slope = self._slopes(let)
        by_product = high_slope * self.alpha_x + 2.0 * low * low_slope * self.beta_x * dose
        by_product = np.where(dose > _LEAST_GY, by_product, 0.0)
        return {
            Quantity.DOSE: (by_effect * (alpha + 2.0 * beta * dose - let * by_product)).astype(kind),
            Quantity.LETD: (by_effect * by_product).astype(kind),
        }

    def at(self, voxels: NDArray[np.int64]) -> RbeOfLet:
        """Same quantity for some voxels."""
        return replace(self, alpha_x=_some(self.alpha_x, voxels), beta_x=_some(self.beta_x, voxels))

    def _dose_and_let(self, sums: Sums) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        dose = np.asarray(sums[Quantity.DOSE], dtype=np.float64)
        if Quantity.LETD not in self.needs:
            return dose, np.zeros_like(dose)
        product = np.asarray(sums[Quantity.LETD], dtype=np.float64)
        return dose, np.divide(product, dose, out=np.zeros_like(dose), where=dose > _LEAST_GY)

    def _ratio(self) -> NDArray[np.float64]:
        with np.errstate(divide="ignore"):
            return np.asarray(self.alpha_x / self.beta_x)

    def _slopes(self, let: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Derivatives of both limits by LET."""
        lower = np.maximum(let - _STEP_KEV_UM, 0.0)
        upper = let + _STEP_KEV_UM
        above, below = self.model.limits(upper, self._ratio()), self.model.limits(lower, self._ratio())
        step = upper - lower
        return (above[0] - below[0]) / step, (above[1] - below[1]) / step


def rbe_dose(model: RbeModel, patient: Patient, tissues: TissueMap, grid: Grid) -> VoxelQuantity:
    """RBE-weighted dose of a model.

    Parameters
    ----------
    model
        See `isodose.biology.models.model`.
    patient, tissues
        Response of every voxel to photons; models that need spectra hold for the cells of their parameters.
    grid
        Of the influence matrix.

    Raises
    ------
    InputError
        If the patient lacks a structure of the tissues.
    """
    if isinstance(model, RadiationModel):
        return _of_cells(model.photons)
    alpha, beta = tissues.voxels(patient, grid)
    return RbeOfLet(model, alpha.ravel().astype(np.float64), beta.ravel().astype(np.float64))


def _of_cells(photons: PhotonResponse) -> RbeOfResponse:
    return RbeOfResponse(np.asarray(photons.alpha), np.asarray(photons.beta), photons.cut_gy)


def _some(values: NDArray[np.float64], voxels: NDArray[np.int64]) -> NDArray[np.float64]:
    return values if values.ndim == 0 else values[voxels]
