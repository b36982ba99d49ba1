"""What moves in a DICOM beam: nothing, or a gantry that stands while it irradiates."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from isodose.plan.dicom_element import Element

_SAME = 1e-3
"""Degrees or mm within which a place is the same."""


def gantry_angles(points: list[Element]) -> list[float]:
    """Gantry angle at each control point of a beam.

    Parameters
    ----------
    points
        Control points of the beam, at least one.

    Returns
    -------
    list of float
        Degrees; all alike for a beam that does not move.

    Raises
    ------
    InputError
        If the table tilts or moves, the isocentre moves, the gantry turns without saying which way, or it
        turns while spots are delivered.
    """
    for keyword in ("TableTopPitchAngle", "TableTopRollAngle", "GantryPitchAngle"):
        for point in points:
            if point.has(keyword) and abs(point.number(keyword)) > _SAME:
                raise point.error(keyword, point.number(keyword), "0; isodose models no tilt")
    for keyword, count in (("PatientSupportAngle", 1), ("IsocenterPosition", 3)):
        start = points[0].numbers(keyword, count)
        for point in points[1:]:
            if point.has(keyword) and np.abs(point.numbers(keyword, count) - start).max() > _SAME:
                raise point.error(keyword, "another value than before", "a table that does not move")
    angles, turns = [points[0].number("GantryAngle")], "NONE"
    for before, point in pairwise(points):
        turns = before.text("GantryRotationDirection", turns)
        here = point.number("GantryAngle") if point.has("GantryAngle") else angles[-1]
        if abs((here - angles[-1] + 180.0) % 360.0 - 180.0) <= _SAME:
            angles.append(angles[-1])
            continue
        if turns not in ("CW", "CC"):
            found = f"{here:g} after {angles[-1]:g} without a sense of rotation before"
            raise point.error("GantryAngle", found, "a beam that does not move, or says how")
        if _irradiates(before):
            found = f"{here:g} after {angles[-1]:g} while spots are delivered"
            raise point.error("GantryAngle", found, "a gantry that stands while it irradiates")
        angles.append(here)
    return angles


def _irradiates(point: Element) -> bool:
    return point.has("ScanSpotMetersetWeights") and bool(point.numbers("ScanSpotMetersetWeights").any())
