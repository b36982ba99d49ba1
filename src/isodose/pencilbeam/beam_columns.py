"""What a beam is made of for the superposition: every layer, and of a layer every component of its spots."""

from __future__ import annotations

from dataclasses import dataclass

from isodose.machine.base_data import BaseData, PencilKernel
from isodose.machine.machine import Machine
from isodose.machine.nozzle import BeamComponent
from isodose.plan.plan import Beam


@dataclass(frozen=True, slots=True)
class BeamColumn:
    """A component of the beam of a layer.

    Parameters
    ----------
    layer
        Number of the layer.
    kernel
        Pencil beam in water, before what the component has passed.
    component
        Part of the particles, phase space, and what they have passed.
    """

    layer: int
    kernel: PencilKernel
    component: BeamComponent


def columns_of(beam: Beam, machine: Machine, data: BaseData) -> list[BeamColumn]:
    """Components of all layers of a beam by ascending range in the patient.

    Raises
    ------
    InputError
        If the base data do not cover a layer's energy, or the machine has not its focus.
    """
    columns = []
    for i, layer in enumerate(beam.layers):
        kernel = data.kernel(layer.energy_mev_u)
        columns += [BeamColumn(i, kernel, component) for component in layer.components(machine)]
    return sorted(columns, key=lambda c: c.kernel.range_mm - c.component.water_mm)
