"""A treatment log without a treatment: planned spots with random errors, for tests and demonstrations."""

from __future__ import annotations

import numpy as np

from isodose.errors import InputError
from isodose.plan.plan import Beam, Layer, Plan, Spots
from isodose.plan.treatment_log import LoggedBeam, LoggedFraction, LoggedLayer, TreatmentLog


def simulated_log(
    plan: Plan,
    *,
    fractions: int | None = None,
    position_sigma_mm: float = 0.5,
    particles_sigma_percent: float = 1.0,
    seed: int = 0,
) -> TreatmentLog:
    """Make a log with independent Gaussian errors of every spot; nothing of it was measured.

    Parameters
    ----------
    plan
        What would have been delivered.
    fractions
        How many; by default all of the plan.
    position_sigma_mm
        Standard deviation of the position in x and in y.
    particles_sigma_percent
        Standard deviation of the number of particles, in percent.
    seed
        Of the errors; one seed gives one log.

    Raises
    ------
    InputError
        If a standard deviation is negative, or there is no fraction.
    """
    for name, value in (
        ("position_sigma_mm", position_sigma_mm),
        ("particles_sigma_percent", particles_sigma_percent),
    ):
        if not 0.0 <= value < np.inf:
            raise InputError(name, value, "a number of at least 0")
    rng = np.random.default_rng(seed)

    def layer(planned: Layer) -> LoggedLayer:
        n = len(planned.spots)
        dx, dy = rng.normal(0.0, position_sigma_mm, (2, n))
        factor = np.maximum(0.0, 1.0 + 0.01 * particles_sigma_percent * rng.standard_normal(n))
        spots = planned.spots
        measured = Spots(spots.x_mm + dx, spots.y_mm + dy, spots.particles * factor)
        return LoggedLayer(planned.energy_mev_u, measured)

    def beam(planned: Beam) -> LoggedBeam:
        return LoggedBeam(planned.name, tuple(layer(la) for la in planned.layers))

    count = plan.fractions if fractions is None else fractions
    made = (LoggedFraction(i + 1, tuple(beam(b) for b in plan.beams)) for i in range(count))
    return TreatmentLog(tuple(made), plan.name)
