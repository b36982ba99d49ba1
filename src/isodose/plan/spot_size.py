"""The same plan with other spot sizes, for the question of what a change of focus does to the dose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.machine.machine_file import machine as machine_named
from isodose.plan.plan import Layer, Plan


def with_spot_size(plan: Plan, factor: float, machine: Machine | None = None) -> Plan:
    """Plan whose spots are wider or narrower at the isocentre by a factor.

    Parameters
    ----------
    plan
        What to change.
    factor
        Of the standard deviation in x and y; 0.9 and 1.1 are the tolerances of Mein et al,
        Sci Rep 8 (2018) 14829, figure 5.
    machine
        Gives the size of layers that have none of their own; by default the plan's.

    Returns
    -------
    Plan
        The angular spread and its correlation with the position stay the machine's.

    Raises
    ------
    InputError
        If the factor is not positive, or the machine unknown or without a layer's energy.
    """
    if not (np.isfinite(factor) and factor > 0):
        raise InputError("factor", factor, "a positive number")
    source = machine_named(plan.machine) if machine is None else machine

    def changed(layer: Layer) -> Layer:
        x, y = layer.spot_sigma_mm(source)
        return replace(layer, sigma_mm=(x * factor, y * factor))

    beams = tuple(replace(beam, layers=tuple(changed(la) for la in beam.layers)) for beam in plan.beams)
    return replace(plan, name=f"{plan.name}, spots x {factor:g}", beams=beams)
