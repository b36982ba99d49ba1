"""The range shifter of a DICOM beam, matched with the machine's."""

from __future__ import annotations

import warnings

from isodose.errors import IsodoseWarning
from isodose.machine.machine import Machine
from isodose.plan.dicom_element import Element
from isodose.plan.plan import RangeShifter
from isodose.plan.range_shifter import in_beam, water_equivalent_mm

THICKNESS_TOLERANCE_MM = 1.0
"""By how much a plan's water-equivalent thickness may differ from that of the machine's shifter."""


class PlanWarning(IsodoseWarning):
    """Something in a plan that isodose could use only after an assumption."""


def beam_shifter(item: Element, points: list[Element], machine: Machine | None) -> RangeShifter | None:
    """Range shifter that stays in a beam, or None.

    Parameters
    ----------
    item
        The beam.
    points
        Its control points; a setting holds until the next.
    machine
        Whose shifters are known by name.

    Raises
    ------
    InputError
        If a shifter moves during the beam, if two are in it, or if its thickness is not to be found.

    Warns
    -----
    PlanWarning
        If the machine does not know it, so that a slab of water of the stated thickness stands in.
    """
    inserted: set[int] = set()
    settings: dict[int, Element] = {}
    for index, point in enumerate(points):
        now = set(inserted)
        for setting in point.sequence("RangeShifterSettingsSequence", optional=True):
            number, text = (
                setting.integer("ReferencedRangeShifterNumber"),
                setting.text("RangeShifterSetting"),
            )
            if text.upper() not in ("IN", "OUT"):
                raise setting.error("RangeShifterSetting", repr(text), "IN or OUT")
            now = now | {number} if text.upper() == "IN" else now - {number}
            settings.setdefault(number, setting)
        if index and now != inserted:
            raise point.error("RangeShifterSettingsSequence", "a shifter that moves", "one setting per beam")
        inserted = now
    if not inserted:
        return None
    if len(inserted) > 1:
        raise item.error("RangeShifterSequence", f"{len(inserted)} shifters in the beam", "at most one")
    number = inserted.pop()
    return _shifter(_name(item, number), settings[number], machine)


def _name(item: Element, number: int) -> str:
    for entry in item.sequence("RangeShifterSequence"):
        if entry.integer("RangeShifterNumber") == number:
            return entry.text("RangeShifterID")
    raise item.error("RangeShifterSequence", f"no shifter of number {number}", "the one that a setting names")


def _shifter(name: str, setting: Element, machine: Machine | None) -> RangeShifter:
    thickness = distance = None
    if setting.has("RangeShifterWaterEquivalentThickness"):
        thickness = setting.number("RangeShifterWaterEquivalentThickness")
    if setting.has("IsocenterToRangeShifterDistance"):
        distance = setting.number("IsocenterToRangeShifterDistance")
    for known in machine.shifters if machine is not None else ():
        if known.name != name:
            continue
        mine = water_equivalent_mm(known)
        if thickness is not None and abs(thickness - mine) > THICKNESS_TOLERANCE_MM:
            raise setting.error(
                "RangeShifterWaterEquivalentThickness", f"{thickness:g} mm", f"{mine:.1f} mm, as of {name!r}"
            )
        shifter = in_beam(known)
        place = shifter.distance_mm if distance is None else distance
        return RangeShifter(name, shifter.thickness_mm, shifter.material, place)
    if thickness is None or distance is None or thickness <= 0:
        expected = f"thickness and distance of {name!r}, which the machine does not know"
        raise setting.error("RangeShifterWaterEquivalentThickness", "nothing of use", expected)
    warnings.warn(
        f"{setting.path}: range shifter {name!r} is not the machine's; {thickness:g} mm of water stand in",
        PlanWarning,
        stacklevel=2,
    )
    return RangeShifter(name, thickness, "water", distance)
