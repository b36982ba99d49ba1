"""Excitation of water by slow protons after Miller and Green's semi-empirical formula.

Miller and Green (Radiat. Res. 54 (1973) 343), parameters of Dingfelder et al. (Radiat. Phys. Chem. 59 (2000)
255) as Geant4-DNA uses them: electron-impact cross-sections scaled to protons, 10 eV to some 0.5 MeV.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isodose.track.liquid_water import MOLECULES_PER_NM3

_LEVEL_EV = np.array([8.17, 10.13, 11.31, 12.91, 14.50])
_A_EV = np.array([876.0, 2084.0, 1373.0, 692.0, 900.0])
_J_EV = np.array([19820.0, 23490.0, 27770.0, 30830.0, 33080.0])
_OMEGA = np.array([0.85, 0.88, 0.88, 0.78, 0.78])
_NU = 1.0
_AREA_NM2 = 1e-2
_ELECTRONS = 10.0
_HYDROGEN = 0.75


def excitation_rates(proton_ev: float, neutral: bool = False) -> NDArray[np.float64]:
    """Inverse mean free path ``[5]`` by excited state, 1/nm, for charge one.

    Parameters
    ----------
    proton_ev
        Kinetic energy of a proton of the projectile's velocity, eV.
    neutral
        Whether the projectile is a neutral hydrogen atom.
    """
    a = _A_EV * (_HYDROGEN if neutral else 1.0)
    above = np.maximum(proton_ev - _LEVEL_EV, 0.0)
    area = _AREA_NM2 * (_ELECTRONS * a) ** _OMEGA * above**_NU
    return np.asarray(MOLECULES_PER_NM3 * area / (_J_EV ** (_OMEGA + _NU) + proton_ev ** (_OMEGA + _NU)))
