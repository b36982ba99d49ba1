"""Units of the weights in DICOM plans."""

from __future__ import annotations

from enum import StrEnum


class MetersetUnit(StrEnum):
    """DICOM's Primary Dosimeter Unit of ion plans."""

    PARTICLES = "NP"
    MONITOR_UNITS = "MU"
