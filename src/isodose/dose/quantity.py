"""The quantities that engines compute, each with its unit."""

from __future__ import annotations

from enum import Enum


class Quantity(Enum):
    """A quantity per voxel: its name on the command line, its unit and its label in figures."""

    DOSE = ("dose", "Gy", "Dose")
    DOSE_TO_WATER = ("dose_to_water", "Gy", "Dose to water")
    RBE_DOSE = ("rbe_dose", "Gy (RBE)", "RBE-weighted dose")
    ALPHA = ("alpha", "1/Gy", "Alpha, dose-averaged")
    SQRT_BETA = ("sqrt_beta", "1/Gy", "Square root of beta, dose-averaged")
    LETD = ("letd", "keV/um", "LET, dose-averaged")
    LETT = ("lett", "keV/um", "LET, track-averaged")
    FLUENCE = ("fluence", "1/mm2", "Fluence")
    TRACK_LENGTH = ("track_length", "mm", "Track length per class and energy")
    CURRENT = ("current", "1", "Particles entering a voxel, per class and energy")

    def __init__(self, key: str, unit: str, label: str) -> None:
        self.key, self.unit, self.label = key, unit, label

    @classmethod
    def of(cls, key: str) -> Quantity:
        """Quantity by its name on the command line."""
        from isodose.errors import InputError

        for quantity in cls:
            if quantity.key == key:
                return quantity
        raise InputError("quantity", repr(key), f"one of {', '.join(q.key for q in cls)}")
