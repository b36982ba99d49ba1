"""The plan as it was delivered: the measured spots of a treatment log in place of the planned ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isodose.errors import InputError
from isodose.plan.plan import Beam, Layer, Plan, Spots
from isodose.plan.treatment_log import LoggedBeam, LoggedFraction, LoggedLayer, TreatmentLog

POSITION_TOLERANCE_MM = 5.0
"""A spot further than this from where it was planned is taken for one of another plan, axis or plane, not for
a delivery error."""

ENERGY_TOLERANCE_MEV_U = 0.05
"""Logs round energies; layers of a plan are ten times as far apart."""

PARTICLES_FACTOR = 2.0
"""Where half of the delivered spots differ from the plan by more than this factor, the unit is not particles
per fraction."""


def as_delivered(plan: Plan, fraction: LoggedFraction, within_mm: float = POSITION_TOLERANCE_MM) -> Plan:
    """Plan of one fraction with the positions, particles and, where measured, spot sizes of its log.

    Parameters
    ----------
    plan
        As planned; energies, angles, isocentres and range shifters stay.
    fraction
        What was measured.
    within_mm
        How far, in mm, a delivered spot may be from where it was planned.

    Returns
    -------
    Plan
        Of one fraction. A layer's spot size is the root mean square of its spots'. Beams of which nothing was
        delivered are left out.

    Raises
    ------
    InputError
        If the log is not of this plan: unknown, missing or ambiguous beams, another number of layers or
        spots, another energy, a spot too far away, particles that are of another unit, nothing delivered.
    """
    logged = {beam.name: beam for beam in fraction.beams}
    planned = [beam.name for beam in plan.beams]
    if len(set(planned)) != len(planned):
        raise InputError("beams", f"names {', '.join(planned)}", "beams of different names, to match a log")
    place = f"fraction {fraction.number}"
    for name in logged:
        if name not in planned:
            raise _error(fraction, f"{place}, beam", repr(name), f"a beam of the plan ({', '.join(planned)})")
    for name in planned:
        if name not in logged:
            expected = f"beam {name!r} of the plan, with 0 particles if it was not delivered"
            raise _error(fraction, f"{place}, beams", ", ".join(logged) or "none", expected)
    beams = [_beam(beam, logged[beam.name], fraction, within_mm) for beam in plan.beams]
    delivered = tuple(beam for beam in beams if beam.particles > 0)
    if not delivered:
        raise _error(fraction, f"{place}, particles", "none in any beam", "a fraction that was delivered")
    _check_unit(plan, fraction, logged)
    metadata = {**plan.metadata, "fraction": str(fraction.number)}
    if fraction.date is not None:
        metadata["delivered"] = fraction.date.isoformat()
    name = f"{plan.name}, fraction {fraction.number} as delivered"
    return replace(plan, name=name, beams=delivered, fractions=1, metadata=metadata)


def delivered_plans(
    plan: Plan, log: TreatmentLog, within_mm: float = POSITION_TOLERANCE_MM
) -> tuple[Plan, ...]:
    """Plans of every fraction of a log, as `as_delivered` makes them.

    Raises
    ------
    InputError
        As `as_delivered`, and if the log names another plan.
    """
    if log.plan and log.plan != plan.name:
        raise InputError("plan", repr(log.plan), f"{plan.name!r}, the plan given", log.fractions[0].file)
    return tuple(as_delivered(plan, fraction, within_mm) for fraction in log.fractions)


def _error(fraction: LoggedFraction, field: str, found: object, expected: str) -> InputError:
    return InputError(field, found, expected, fraction.file)


def _beam(beam: Beam, logged: LoggedBeam, fraction: LoggedFraction, within_mm: float) -> Beam:
    place = f"fraction {fraction.number}, beam {beam.name!r}"
    layers = []
    for j, (layer, measured) in enumerate(zip(beam.layers, logged.layers, strict=False)):
        if abs(layer.energy_mev_u - measured.energy_mev_u) > ENERGY_TOLERANCE_MEV_U:
            expected = f"{layer.energy_mev_u:g} MeV/u, as layers[{j}] of the plan"
            if not any(
                abs(la.energy_mev_u - measured.energy_mev_u) <= ENERGY_TOLERANCE_MEV_U for la in beam.layers
            ):
                expected += ", which has no layer of that energy"
            found = f"{measured.energy_mev_u:g} MeV/u"
            raise _error(fraction, f"{place}, layers[{j}].energy_mev_u", found, expected)
        layers.append(_layer(layer, measured, fraction, f"{place}, layers[{j}]", within_mm))
    if len(logged.layers) != len(beam.layers):
        expected = f"{len(beam.layers)}, as in the plan (spots not delivered have 0 particles)"
        raise _error(fraction, f"{place}, layers", f"{len(logged.layers)} layers", expected)
    return replace(beam, layers=tuple(layers))


def _layer(
    layer: Layer, measured: LoggedLayer, fraction: LoggedFraction, place: str, within_mm: float
) -> Layer:
    planned, spots = layer.spots, measured.spots
    if len(spots) != len(planned):
        raise _error(fraction, f"{place}.spots", f"{len(spots)} spots", f"{len(planned)}, as in the plan")
    given = spots.particles > 0
    away = np.where(given, np.hypot(spots.x_mm - planned.x_mm, spots.y_mm - planned.y_mm), 0.0)
    if away.size and away.max() > within_mm:
        k = int(np.argmax(away))
        found = f"({spots.x_mm[k]:g}, {spots.y_mm[k]:g}) mm, {away[k]:.1f} mm from the plan"
        expected = f"within {within_mm:g} mm of ({planned.x_mm[k]:g}, {planned.y_mm[k]:g}) mm"
        raise _error(fraction, f"{place}.spots[{k}]", found, expected)
    # Where nothing was delivered, whatever the log says about the position was not measured.
    x, y = np.where(given, spots.x_mm, planned.x_mm), np.where(given, spots.y_mm, planned.y_mm)
    size = measured.mean_sigma_mm()
    delivered = Spots(x, y, spots.particles)
    return replace(layer, spots=delivered, sigma_mm=layer.sigma_mm if size is None else size)


def _check_unit(plan: Plan, fraction: LoggedFraction, logged: dict[str, LoggedBeam]) -> None:
    """Refuse particles that are something else, such as MU or the sum over fractions."""
    pairs = [
        (layer.spots.particles, measured.spots.particles)
        for beam in plan.beams
        for layer, measured in zip(beam.layers, logged[beam.name].layers, strict=True)
    ]
    planned, delivered = (np.concatenate(column) for column in zip(*pairs, strict=True))
    both = (planned > 0) & (delivered > 0)
    if not both.any():
        return
    ratio = float(np.median(delivered[both] / planned[both]))
    if not 1.0 / PARTICLES_FACTOR <= ratio <= PARTICLES_FACTOR:
        found = f"{ratio:.3g} times the planned ones in a typical spot"
        raise _error(
            fraction, f"fraction {fraction.number}, particles", found, "numbers of particles per fraction"
        )
