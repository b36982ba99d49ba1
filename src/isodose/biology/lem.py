"""The local effect model, version I: an ion's local dose has the effect of the same dose of photons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from isodose.biology.amorphous_track import scholz_kraft
from isodose.biology.radial_profile import RadialProfile, disc_means
from isodose.biology.radiation_model import Coefficients, PhotonResponse, RadiationModel
from isodose.biology.tissue import tissue
from isodose.errors import InputError

_CHORDOMA = PhotonResponse(tissue("chordoma").alpha_x, tissue("chordoma").beta_x, 30.0)


@dataclass(frozen=True, slots=True)
class Lem1(RadiationModel):
    """LEM I in its low-dose approximation, for tissue of alpha/beta 2 Gy by default (chordoma, brain).

    The local effect over the nucleus is ``alpha_x D + beta_x D^2`` up to the photon response's cut dose and
    goes on with its slope there. The initial slope of ions averages ``1 - exp(-effect)`` of single tracks
    over all impact parameters; the quadratic term follows from the slope at the cut.

    Parameters
    ----------
    photons
        Response to photons; needs a finite cut dose.
    nucleus_radius_um
        Radius of the sensitive nucleus.
    core_um, reach
        Radius of the track's core and extent of its penumbra; see
        `isodose.biology.amorphous_track.scholz_kraft`.

    Validity
    --------
    Carbon and oxygen beams with their fragments, 0.01 to 1000 MeV/u. Known to overestimate the effect in the
    entrance and to underestimate it at the end; of proton and helium beams it makes several times what is
    measured, so that it is not for them. No published table was at hand to verify the numbers beyond the
    model's own equations: the penumbra's extent alone moves alpha by 2 to 3 %. LEM IV is not built: not
    enough of its constants are published.

    References
    ----------
    Scholz and Kraft, Adv Space Res 18 (1996) 5; Kraemer and Scholz, Phys Med Biol 51 (2006) 1959 (low-dose
    approximation).
    """

    ions: ClassVar[tuple[str, ...]] = ("carbon", "oxygen")
    name: str = "lem1"
    photons: PhotonResponse = _CHORDOMA
    nucleus_radius_um: float = 5.0
    core_um: float = 0.01
    reach: float = 0.062

    def __post_init__(self) -> None:
        if not np.isfinite(self.photons.cut_gy):
            raise InputError("lem1.photons.cut_gy", self.photons.cut_gy, "a finite dose in Gy")
        for field in ("nucleus_radius_um", "core_um", "reach"):
            if not getattr(self, field) > 0.0:
                raise InputError(f"lem1.{field}", getattr(self, field), "a positive number")

    def coefficients(self, charge: int, energy_mev_u: ArrayLike, let_kev_um: ArrayLike) -> Coefficients:
        """Alpha and beta of a monoenergetic ion; its charge enters by the LET alone."""
        dose = scholz_kraft(energy_mev_u, let_kev_um, self.core_um, self.reach)
        local = _local_effect(dose, self.photons)
        passed = disc_means(local, self.nucleus_radius_um)
        total_dose = dose.plane_integral()
        slope = local.plane_integral() / total_dose
        alpha = np.sum(-np.expm1(-passed.mean) * passed.area_um2, axis=1) / total_dose
        curvature = (self.photons.final_slope - slope) / (2.0 * self.photons.cut_gy)
        return Coefficients(alpha, (alpha / slope) ** 2 * curvature)


def _local_effect(dose: RadialProfile, photons: PhotonResponse) -> RadialProfile:
    """Effect of the local dose, with a ring edge where the dose passes the cut."""
    _, core, outer = dose.edges_um.T
    core_dose, strength = dose.coefficients[:, 0, 0], dose.coefficients[:, 1, 1]
    cut = np.clip(np.sqrt(strength / photons.cut_gy), core, outer)
    edges = np.stack([np.zeros_like(core), core, cut, outer], axis=1)
    coefficients = np.zeros((core.size, 3, 3))
    coefficients[:, 0, 0] = photons.effect(core_dose)
    at_cut = float(photons.effect(photons.cut_gy))
    coefficients[:, 1, 0] = at_cut - photons.final_slope * photons.cut_gy
    coefficients[:, 1, 1] = photons.final_slope * strength
    coefficients[:, 2, 1] = photons.alpha * strength
    coefficients[:, 2, 2] = photons.beta * strength**2
    return RadialProfile(edges, coefficients)
