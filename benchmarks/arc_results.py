"""What ``benchmarks/arc_selectors.py`` and ``benchmarks/arc_robust.py`` keep of each case, read again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wilcoxon

BASELINE = "swarm"
TARGET, STEM = "PTV70", "Brainstem"
"""Structures by whose names ``arc_robust.py`` keeps its curves."""
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Case:
    """Results of one patient.

    Parameters
    ----------
    name
        Stem of its files.
    numbers
        The JSON file.
    arrays
        The npz file: histograms, and a slice of the dose.
    robust
        Curves over scenarios of the same patient; empty where there are none. Of each selector and structure
        ``selector/structure/dvh`` has a row a scenario, the nominal one first, and ``.../rvh`` is that of the
        deviation, both in percent of the volume on the axis ``dose_gy``.
    """

    name: str
    numbers: Mapping[str, Any]
    arrays: Arrays
    robust: Arrays

    @property
    def selectors(self) -> tuple[str, ...]:
        """Names, in the order of the table."""
        return tuple(self.numbers["selectors"])

    @property
    def target_cm3(self) -> float:
        """Volume of the target."""
        return float(self.numbers["target_cm3"])

    @property
    def dose_ref_gy(self) -> float:
        """Prescription, per fraction."""
        return float(self.arrays["dose_ref_gy"])

    def of(self, selector: str, key: str) -> float:
        """Number of a selector: of the file, or D2 and D98 of the target and the largest of the brainstem."""
        if key in ("d2_gy", "d98_gy"):
            return self.at_least("dvh_target", selector, float(key[1:-3]) / 100.0)
        if key == "stem_max_gy":
            return self.at_least("dvh_stem", selector, 0.0)
        return float(self.numbers["selectors"][selector][key])

    def at_least(self, which: str, selector: str, part: float) -> float:
        """Dose that a part of a structure receives at least; of part 0 the largest dose, to a bin's width."""
        curve = np.asarray(self.row(which, selector), dtype=np.float64)
        dose = np.asarray(self.arrays["dose_gy"], dtype=np.float64)
        if part <= 0.0:
            return float(dose[np.flatnonzero(curve > 0.0)[-1]])
        return float(np.interp(-part, -curve, dose))

    def row(self, which: str, selector: str) -> NDArray[Any]:
        """Row of a selector in one of the stored arrays."""
        names = [str(name) for name in self.arrays["selectors"]]
        if selector not in names:
            raise SystemExit(f"{self.name}: no {which} of {selector!r}, only of {', '.join(names)}")
        return np.asarray(self.arrays[which][names.index(selector)])

    def in_scenarios(self, selector: str, structure: str, kind: str) -> NDArray[np.float64]:
        """Curves over scenarios, percent; of kind ``dvh`` ``(scenarios, n)``, of kind ``rvh`` ``(n,)``.

        Of kind ``rvh_area`` the area under the latter, Gy.
        """
        key = f"{selector}/{structure}/{kind}"
        if key not in self.robust:
            names = sorted({k.split("/")[0] for k in self.robust if "/" in k})
            raise SystemExit(f"{self.name}: no {key} over scenarios, only of {', '.join(names)}")
        return np.asarray(self.robust[key], dtype=np.float64)

    def energies(self, selector: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Gantry angle and energy of every layer, in the order of delivery."""
        found = self.numbers["selectors"][selector]
        angle = np.asarray(self.numbers["gantry_deg"], dtype=np.float64)[found["point"]]
        return angle, np.asarray(self.numbers["energies_mev_u"], dtype=np.float64)[found["energy"]]


def read_cases(folder: Path, robust: Path | None = None) -> list[Case]:
    """Cases of a folder that have both files, ordered by the target's volume."""
    cases = []
    for path in sorted(folder.glob("*.json")):
        arrays = path.with_suffix(".npz")
        if arrays.exists():
            name = path.stem.rpartition("_")[0]
            found = [] if robust is None else sorted(robust.glob(f"{name}_*.npz"))
            more = _arrays(found[0]) if found else {}
            cases.append(Case(name, json.loads(path.read_text()), _arrays(arrays), more))
    if not cases:
        raise SystemExit(f"{folder}: no case with a .json and a .npz file; run benchmarks/arc_selectors.py")
    return sorted(cases, key=lambda case: case.target_cm3)


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


def column(cases: Sequence[Case], selector: str, key: str) -> NDArray[np.float64]:
    """One number of all cases, ``(cases,)``."""
    return np.array([case.of(selector, key) for case in cases])


def chance(values: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Probability of Wilcoxon's signed-rank test that the difference is chance; NaN where it cannot tell."""
    difference = values - others
    if difference.size < 2 or np.allclose(difference, 0.0):
        return float("nan")
    return float(wilcoxon(difference).pvalue)


def common_selectors(cases: Sequence[Case]) -> list[str]:
    """Selectors that every case has, in the order of the first, the baseline first."""
    common = [name for name in cases[0].selectors if all(name in case.selectors for case in cases)]
    if BASELINE not in common:
        raise SystemExit(f"no results of the baseline {BASELINE!r} in every case")
    return [BASELINE, *(name for name in common if name != BASELINE)]
