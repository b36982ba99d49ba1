"""The clinical dose of carbon therapy in Japan: scaled so that carbon plans keep their history."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isodose.biology.linear_quadratic import effect, photon_dose

REFERENCE_ALPHA = 0.764
"""Alpha of the reference carbon radiation for HSG cells, 1/Gy."""

REFERENCE_BETA = 0.0615
"""Its beta, 1/Gy2."""

CLINICAL_FACTOR = 2.41
"""Clinical dose per dose of the reference radiation."""


def clinical_dose(dose_gy: ArrayLike, alpha: ArrayLike, sqrt_beta: ArrayLike) -> NDArray[np.float64]:
    """Clinical dose after Inaniwa et al. (2015), Gy (RBE).

    Parameters
    ----------
    dose_gy
        Dose per fraction, Gy.
    alpha, sqrt_beta
        Of the modified MKM for HSG cells, averaged over the mixed field; 1/Gy both.

    Returns
    -------
    numpy.ndarray
        2.41 times the dose of the reference carbon radiation that has the same effect.

    Validity
    --------
    Carbon. It is no photon-equivalent dose: doses of the LEM are up to three times as high for the same plan.

    References
    ----------
    Inaniwa et al., Phys Med Biol 60 (2015) 3271; constants as in GATE's defaults.
    """
    same = effect(dose_gy, alpha, np.square(sqrt_beta))
    return np.asarray(CLINICAL_FACTOR * photon_dose(same, REFERENCE_ALPHA, REFERENCE_BETA))
