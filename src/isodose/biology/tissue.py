"""Tissues and their response to photons, and which structure is made of which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.machine.yaml_schema import NotNegative, Positive, Strict, Text, read_yaml
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume


@dataclass(frozen=True, slots=True)
class Tissue:
    """Linear-quadratic response of a tissue to photons.

    Parameters
    ----------
    name
        As in figures and tables.
    alpha_x
        1/Gy, positive.
    beta_x
        1/Gy2, at least 0.
    source
        Where the numbers come from.
    """

    name: str
    alpha_x: float
    beta_x: float
    source: str = ""

    def __post_init__(self) -> None:
        if not 0.0 < self.alpha_x < np.inf:
            raise InputError(f"tissue {self.name!r}: alpha_x", self.alpha_x, "a positive number in 1/Gy")
        if not 0.0 <= self.beta_x < np.inf:
            raise InputError(f"tissue {self.name!r}: beta_x", self.beta_x, "a number of at least 0 in 1/Gy2")

    @property
    def ratio_gy(self) -> float:
        """alpha/beta in Gy; infinite without a quadratic term."""
        return self.alpha_x / self.beta_x if self.beta_x else np.inf


TISSUES: Mapping[str, Tissue] = {
    tissue.name: tissue
    for tissue in (
        Tissue("chordoma", 0.1, 0.05, "chordoma, alpha/beta 2 Gy: default input of LEM I in GATE"),
        Tissue(
            "hsg", 0.19, 0.05, "human salivary gland cells, 200 kVp X rays (Kase et al. 2006, as in TOPAS)"
        ),
        Tissue("v79", 0.184, 0.02, "Chinese hamster cells, X rays (PMC3650740, figure 8)"),
    )
}
"""Named tissues."""


def tissue(name: str) -> Tissue:
    """Named tissue.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in TISSUES:
        raise InputError("tissue", repr(name), f"one of {', '.join(TISSUES)}")
    return TISSUES[name]


@dataclass(frozen=True, slots=True)
class TissueMap:
    """Which structure is made of which tissue.

    Parameters
    ----------
    default
        Tissue outside all of them.
    structures
        Tissue by structure, the first one winning where they overlap.
    """

    default: Tissue
    structures: Mapping[str, Tissue] = field(default_factory=dict)

    def voxels(self, patient: Patient, grid: Grid) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Alpha in 1/Gy and beta in 1/Gy2 of photons, ``[z, y, x]``.

        A voxel belongs to a structure that fills at least half of it.

        Raises
        ------
        InputError
            If the patient lacks a structure of the map.
        """
        alpha = np.full(grid.shape, self.default.alpha_x, dtype=np.float32)
        beta = np.full(grid.shape, self.default.beta_x, dtype=np.float32)
        for inside, made_of in self._lowest_priority_first(patient, grid):
            alpha[inside], beta[inside] = made_of.alpha_x, made_of.beta_x
        return alpha, beta

    def _lowest_priority_first(
        self, patient: Patient, grid: Grid
    ) -> Iterator[tuple[NDArray[np.bool_], Tissue]]:
        for name, made_of in reversed(list(self.structures.items())):
            structure = patient.structure(name)
            yield Volume(structure.grid, structure.occupancy).on(grid).values >= 0.5, made_of


class _TissueEntry(Strict):
    name: Text
    alpha_x: Positive
    beta_x: NotNegative
    source: str = ""


class _StructureEntry(Strict):
    structure: Text
    tissue: Text


class _TissueFile(Strict):
    default: Text
    tissues: tuple[_TissueEntry, ...] = ()
    structures: tuple[_StructureEntry, ...] = ()


def read_tissue_map(path: str | Path) -> TissueMap:
    """Tissue map of a YAML file.

    The file names a ``default`` tissue, may define ``tissues`` (``name``, ``alpha_x``, ``beta_x``,
    ``source``) beside the built-in ones, and lists ``structures`` (``structure``, ``tissue``), first come
    first served where they overlap.

    Raises
    ------
    InputError
        Naming the file and the field, for unknown tissues and structures or tissues given twice.
    """
    entry = read_yaml(path, _TissueFile)
    known = dict(TISSUES)
    for i, row in enumerate(entry.tissues):
        if row.name in known:
            raise InputError(f"tissues[{i}].name", repr(row.name), "a name that is not taken", path)
        known[row.name] = Tissue(row.name, row.alpha_x, row.beta_x, row.source)

    def named(name: str, place: str) -> Tissue:
        if name not in known:
            raise InputError(place, repr(name), f"one of {', '.join(known)}", path)
        return known[name]

    structures: dict[str, Tissue] = {}
    for i, choice in enumerate(entry.structures):
        if choice.structure in structures:
            raise InputError(f"structures[{i}].structure", repr(choice.structure), "each once", path)
        structures[choice.structure] = named(choice.tissue, f"structures[{i}].tissue")
    return TissueMap(named(entry.default, "default"), structures)
