"""From the range shifter of a configuration to that of a beam."""

from __future__ import annotations

from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.optimise.config import ShifterEntry
from isodose.physics.materials import MATERIALS
from isodose.plan.plan import RangeShifter
from isodose.plan.range_shifter import in_beam


def shifter_of(entry: ShifterEntry | None, machine: Machine, field: str) -> RangeShifter | None:
    """Range shifter that a configuration asks for, or None.

    Parameters
    ----------
    entry
        A name alone stands for one of the machine's.
    machine
        Whose shifters are known by name.
    field
        What errors call the entry.

    Raises
    ------
    InputError
        If the machine has no shifter of the name, or the material is unknown.
    """
    if entry is None:
        return None
    if entry.thickness_mm is None:
        return _of_machine(entry, machine, field)
    if entry.material is not None and entry.material not in MATERIALS:
        raise InputError(f"{field}.material", repr(entry.material), f"one of {', '.join(MATERIALS)}")
    given = entry.model_dump(include={"material", "distance_mm"}, exclude_none=True)
    return RangeShifter(entry.name or f"slab {entry.thickness_mm:.3g} mm", entry.thickness_mm, **given)


def _of_machine(entry: ShifterEntry, machine: Machine, field: str) -> RangeShifter:
    for known in machine.shifters:
        if known.name == entry.name:
            shifter = in_beam(known)
            place = shifter.distance_mm if entry.distance_mm is None else entry.distance_mm
            return RangeShifter(shifter.name, shifter.thickness_mm, shifter.material, place)
    names = ", ".join(known.name for known in machine.shifters) or "(none)"
    expected = f"one of machine {machine.name!r}: {names}; or a thickness_mm and a material"
    raise InputError(field, repr(entry.name), expected)
