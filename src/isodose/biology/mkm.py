"""The modified microdosimetric kinetic model: survival from the specific energy in subnuclear domains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isodose.biology.amorphous_track import kiefer_chatterjee
from isodose.biology.radial_profile import disc_means
from isodose.biology.radiation_model import Coefficients, PhotonResponse, RadiationModel
from isodose.biology.tissue import tissue
from isodose.errors import InputError

_HSG = PhotonResponse(tissue("hsg").alpha_x, tissue("hsg").beta_x)


@dataclass(frozen=True, slots=True)
class Mkm(RadiationModel):
    """Modified MKM (Inaniwa et al. 2010): ``alpha = alpha_0 + beta z*``, beta the same for all radiation.

    ``z*`` is the dose-mean specific energy of a domain by single tracks, corrected for the saturation that
    comes with overkill; tracks are Kiefer and Chatterjee's, which cross cylindrical domains along their axis.
    The defaults are those of human salivary gland (HSG) cells.

    Parameters
    ----------
    domain_radius_um, nucleus_radius_um
        Radii of the domain and of the cell nucleus.
    alpha_0
        Initial slope in the limit of vanishing LET, 1/Gy.
    beta
        1/Gy2.
    photons
        Response to photons, from which an RBE follows: by default that of HSG cells to 200 kVp X rays which
        goes with the model of Kase et al. (2006), with 10 % survival at 5.15 Gy. Other HSG data (0.313 1/Gy,
        0.0615 1/Gy2: 4.08 Gy) would make the RBE of fast protons 0.7.

    Validity
    --------
    H to O ions from 0.01 MeV/u to 1000 MeV/u. Fitted to HSG survival; for another cell, give its parameters.

    References
    ----------
    Inaniwa et al., Phys Med Biol 55 (2010) 6721; the saturation after Kase et al., Radiat Res 166 (2006) 629.
    """

    name: str = "mkm"
    domain_radius_um: float = 0.32
    nucleus_radius_um: float = 3.9
    alpha_0: float = 0.172
    beta: float = 0.0615
    photons: PhotonResponse = _HSG

    def __post_init__(self) -> None:
        for field in ("domain_radius_um", "nucleus_radius_um", "beta"):
            if not getattr(self, field) > 0.0:
                raise InputError(f"mkm.{field}", getattr(self, field), "a positive number")

    @property
    def saturation_gy(self) -> float:
        """Specific energy z0 that marks the onset of overkill, Gy."""
        ratio_2 = (self.nucleus_radius_um / self.domain_radius_um) ** 2
        return float(ratio_2 / np.sqrt(self.beta * (1.0 + ratio_2)))

    def specific_energy(
        self, charge: int, energy_mev_u: ArrayLike, let_kev_um: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Dose-mean specific energy of a domain by single tracks, as it is and saturation-corrected, Gy.

        Parameters
        ----------
        charge
            Atomic number.
        energy_mev_u, let_kev_um
            Energy per nucleon and LET in water, ``(n,)``.
        """
        passed = disc_means(kiefer_chatterjee(charge, energy_mev_u, let_kev_um), self.domain_radius_um)
        z, area = passed.mean, passed.area_um2
        single = np.sum(z * area, axis=1)
        z0 = self.saturation_gy
        saturated = -(z0**2) * np.expm1(-((z / z0) ** 2))
        return np.sum(z * z * area, axis=1) / single, np.sum(saturated * area, axis=1) / single

    def coefficients(self, charge: int, energy_mev_u: ArrayLike, let_kev_um: ArrayLike) -> Coefficients:
        """Alpha and beta of a monoenergetic ion."""
        _, z = self.specific_energy(charge, energy_mev_u, let_kev_um)
        return Coefficients(self.alpha_0 + self.beta * z, np.full(z.shape, self.beta))
