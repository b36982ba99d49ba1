"""Water-equivalent thickness of range shifters, and the machine's shifters as part of a plan."""

from __future__ import annotations

from isodose.machine.machine import Shifter
from isodose.physics.materials import material
from isodose.physics.stopping import relative_stopping_power
from isodose.plan.plan import RangeShifter


def water_equivalent_mm(shifter: RangeShifter | Shifter) -> float:
    """Thickness of water that shortens the range as much, in mm, at 100 MeV/u.

    Raises
    ------
    InputError
        If the material is unknown.
    """
    return shifter.thickness_mm * float(relative_stopping_power(material(shifter.material)))


def in_beam(shifter: Shifter) -> RangeShifter:
    """Put a machine's range shifter at its usual place in a beam."""
    return RangeShifter(shifter.name, shifter.thickness_mm, shifter.material, shifter.distance_mm)
