"""RBE models in dose-averaged LET: what they give is the RBE in the limits of low and of high dose.

LET is that in water, in keV/um, averaged over the dose of protons (primary and secondary) or of helium ions;
heavier fragments do not belong in it. ``ratio_gy`` is alpha/beta of the tissue for photons, in Gy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Limits = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class LetModel(ABC):
    """An RBE model that needs nothing but LETd and the tissue's alpha/beta."""

    name: ClassVar[str]
    ions: ClassVar[tuple[str, ...]]
    """Beams that it was fitted for."""
    needs_letd: ClassVar[bool] = True
    highest_letd: ClassVar[float] = np.inf
    """LETd in keV/um up to which there were data."""

    @abstractmethod
    def limits(self, letd: ArrayLike, ratio_gy: ArrayLike) -> Limits:
        """RBE at vanishing and at infinite dose, in the common shape of the arguments.

        Parameters
        ----------
        letd
            Dose-averaged LET, keV/um; below 0 it counts as 0.
        ratio_gy
            alpha/beta of the tissue for photons, Gy.
        """


def _inputs(letd: ArrayLike, ratio_gy: ArrayLike) -> Limits:
    lifted = np.maximum(np.asarray(letd, dtype=np.float64), 0.0)
    let, ratio = np.broadcast_arrays(lifted, np.asarray(ratio_gy, dtype=np.float64))
    return let, ratio


@dataclass(frozen=True, slots=True)
class ConstantRbe(LetModel):
    """RBE 1.1 at any dose, LET and tissue: the clinical convention for protons (ICRU Report 78)."""

    name: ClassVar[str] = "constant"
    ions: ClassVar[tuple[str, ...]] = ("proton",)
    needs_letd: ClassVar[bool] = False
    rbe: float = 1.1

    def limits(self, letd: ArrayLike, ratio_gy: ArrayLike) -> Limits:
        """Twice the constant."""
        let, _ = _inputs(letd, ratio_gy)
        value = np.full(let.shape, self.rbe)
        return value, value


@dataclass(frozen=True, slots=True)
class Carabe(LetModel):
    """Carabe et al. (2012), from 44 survival curves, most of V79 cells (alpha/beta 2.686 Gy).

    Validity
    --------
    Protons. RBE falls below 1 for low LET and large alpha/beta (0.990 at 10 Gy, 2.5 keV/um, 2 Gy): that is
    what the fit says, and it is not repaired. The constant 0.843 is that of most sources; one code has 0.834.

    References
    ----------
    Carabe et al., Phys Med Biol 57 (2012) 1159; as printed in Br J Radiol 93 (2020) 20190334, table 1.
    """

    name: ClassVar[str] = "carabe"
    ions: ClassVar[tuple[str, ...]] = ("proton",)
    highest_letd: ClassVar[float] = 20.0

    def limits(self, letd: ArrayLike, ratio_gy: ArrayLike) -> Limits:
        """RBE at vanishing and at infinite dose."""
        let, ratio = _inputs(letd, ratio_gy)
        scaled = 2.686 * let / ratio
        return 0.843 + 0.154 * scaled, 1.09 + 0.006 * scaled


@dataclass(frozen=True, slots=True)
class Wedenberg(LetModel):
    """Wedenberg et al. (2013), from 24 RBE values of ten cell lines; beta does not depend on LET.

    Validity
    --------
    Protons, LETd up to about 20 keV/um.

    References
    ----------
    Wedenberg et al., Acta Oncol 52 (2013) 580.
    """

    name: ClassVar[str] = "wedenberg"
    ions: ClassVar[tuple[str, ...]] = ("proton",)
    highest_letd: ClassVar[float] = 20.0

    def limits(self, letd: ArrayLike, ratio_gy: ArrayLike) -> Limits:
        """RBE at vanishing and at infinite dose."""
        let, ratio = _inputs(letd, ratio_gy)
        return 1.0 + 0.434 * let / ratio, np.ones(let.shape)


@dataclass(frozen=True, slots=True)
class McNamara(LetModel):
    """McNamara et al. (2015), from 287 survival points.

    Validity
    --------
    Protons, LETd up to about 20 keV/um. Where the RBE at infinite dose would turn negative (LET times the
    root of alpha/beta above 284) it is 0. Most sources have the constant 0.99064; 0.999064, found in one
    code, has a 9 too many (+0.1 to +0.6 % in RBE).

    References
    ----------
    McNamara et al., Phys Med Biol 60 (2015) 8399.
    """

    name: ClassVar[str] = "mcnamara"
    ions: ClassVar[tuple[str, ...]] = ("proton",)
    highest_letd: ClassVar[float] = 20.0

    def limits(self, letd: ArrayLike, ratio_gy: ArrayLike) -> Limits:
        """RBE at vanishing and at infinite dose."""
        let, ratio = _inputs(letd, ratio_gy)
        rbe_min = np.maximum(1.1012 - 0.0038703 * np.sqrt(ratio) * let, 0.0)
        return 0.99064 + 0.35605 * let / ratio, rbe_min


@dataclass(frozen=True, slots=True)
class Mairani(LetModel):
    """Mairani et al. (2016) for helium, quadratic-exponential fit; beta does not depend on LET.

    Validity
    --------
    Helium beams. RBE at vanishing dose is highest at 131.6 keV/um and falls beyond.

    References
    ----------
    Mairani et al., Phys Med Biol 61 (2016) 888.
    """

    name: ClassVar[str] = "mairani"
    ions: ClassVar[tuple[str, ...]] = ("helium",)

    def limits(self, letd: ArrayLike, ratio_gy: ArrayLike) -> Limits:
        """RBE at vanishing and at infinite dose."""
        let, ratio = _inputs(letd, ratio_gy)
        rise = 9.73154e-3 * let**2 * np.exp(-0.0151998 * let)
        return 1.0 + (0.136938 + 1.0 / ratio) * rise, np.ones(let.shape)
