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
    CLUSTER_F1 = ("cluster:F1", "1/kg", "Cluster dose F1")
    CLUSTER_F2 = ("cluster:F2", "1/kg", "Cluster dose F2")
    CLUSTER_F3 = ("cluster:F3", "1/kg", "Cluster dose F3")
    CLUSTER_F4 = ("cluster:F4", "1/kg", "Cluster dose F4")
    CLUSTER_F5 = ("cluster:F5", "1/kg", "Cluster dose F5")
    CLUSTER_F6 = ("cluster:F6", "1/kg", "Cluster dose F6")
    CLUSTER_F7 = ("cluster:F7", "1/kg", "Cluster dose F7")
    CLUSTER_F8 = ("cluster:F8", "1/kg", "Cluster dose F8")
    CLUSTER_F9 = ("cluster:F9", "1/kg", "Cluster dose F9")
    CLUSTER_F10 = ("cluster:F10", "1/kg", "Cluster dose F10")

    def __init__(self, key: str, unit: str, label: str) -> None:
        self.key, self.unit, self.label = key, unit, label

    @property
    def cluster_size(self) -> str | None:
        """Of a cluster dose the quantity of the nanodosimetric database, such as ``"F4"``; None of others."""
        return self.key.partition(":")[2] or None

    @property
    def stem(self) -> str:
        """Name of its files."""
        return self.key.replace(":", "_").lower()

    @property
    def adds_up(self) -> bool:
        """Whether those of the fractions add up to that of the treatment, as doses do."""
        return self.unit.startswith("Gy") or self.cluster_size is not None

    @classmethod
    def of(cls, key: str) -> Quantity:
        """Quantity by its name on the command line."""
        from isodose.errors import InputError

        for quantity in cls:
            if quantity.key == key:
                return quantity
        raise InputError("quantity", repr(key), f"one of {', '.join(q.key for q in cls)}")


CLUSTER_DOSES = tuple(quantity for quantity in Quantity if quantity.cluster_size is not None)
"""Ionisation clusters per mass: targets with so many ionisations or more."""
