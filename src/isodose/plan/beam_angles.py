"""Gantry and couch angles of beams that are asked for."""

from __future__ import annotations

from collections.abc import Sequence

from isodose.errors import InputError


def beam_angles(
    gantry_angles: Sequence[float], couch_angles: Sequence[float] | None = None
) -> list[tuple[float, float]]:
    """Gantry and couch angle of each beam.

    Parameters
    ----------
    gantry_angles
        IEC 61217, one beam each.
    couch_angles
        As many as gantry angles; all zero by default.

    Raises
    ------
    InputError
        If there is no gantry angle, or another number of couch angles.
    """
    if not gantry_angles:
        raise InputError("gantry_angles", "none", "at least one")
    couches = [0.0] * len(gantry_angles) if couch_angles is None else list(couch_angles)
    if len(couches) != len(gantry_angles):
        raise InputError("couch_angles", f"{len(couches)} angles", f"{len(gantry_angles)}, as gantry angles")
    return [(float(gantry), float(couch)) for gantry, couch in zip(gantry_angles, couches, strict=True)]
