"""Physical constants (CODATA 2018), in the units of the package."""

ATOMIC_MASS_MEV = 931.49410242
"""Energy of one atomic mass unit, MeV."""

ELECTRON_MASS_MEV = 0.51099895
"""Rest energy of the electron, MeV."""

NEUTRON_MASS_MEV = 939.56542052
"""Rest energy of the neutron, MeV."""

AVOGADRO = 6.02214076e23
"""Particles per mole."""

FINE_STRUCTURE = 7.2973525693e-3
"""Fine-structure constant."""

ELECTRON_RADIUS_CM = 2.8179403262e-13
"""Classical electron radius, cm."""

HBAR_C_MEV_FM = 197.3269804
"""Reduced Planck constant times the speed of light, MeV fm."""

STOPPING_CONSTANT = 0.307075
"""4 pi N_A r_e^2 m_e c^2, MeV cm2/mol."""

GY_PER_MEV_PER_G = 1.602176634e-10
"""Dose in Gy of 1 MeV deposited in 1 g."""
