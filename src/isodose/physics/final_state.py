"""How a nuclear interaction hands its outcome to the transport.

A kernel that samples a final state fills ``out``, float64 ``(MAX_SECONDARIES, 5)``, one charged product a
row, and ``budget``, float64 ``(3,)``, and returns the number of rows. Directions are unit vectors in a frame
whose +z axis is the direction of the projectile. Energy is conserved exactly:

    projectile's kinetic energy = sum(out[:n, ENERGY]) + budget[LOCAL] + budget[NEUTRAL] + budget[BINDING]
"""

MAX_SECONDARIES = 32
"""Rows of ``out``."""

SPECIES, ENERGY, UX, UY, UZ = 0, 1, 2, 3, 4
"""Columns of ``out``: species index, **total** kinetic energy in MeV, direction cosines."""

LOCAL, NEUTRAL, BINDING = 0, 1, 2
"""Entries of ``budget`` in MeV: deposited where the interaction happened (recoils and target fragments too
slow to leave), carried away by neutrons and photons, and spent on binding energy (negative if released)."""
