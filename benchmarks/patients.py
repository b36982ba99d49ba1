"""The pencil beam against Monte Carlo in heads and thoraxes: ``python benchmarks/patients.py [CASE ...]``.

Built-in patients and, where they are there, CTs of OpenKBP, with one to three fields by `simple_plan`, four
ions. Printed for every case: D95, D50 and D5 of the target of the pencil beam less those of Monte Carlo, in
percent of Monte Carlo's D50; gamma 2 %/2 mm (global, above 10 %), Monte Carlo being the reference; and what
the noise of Monte Carlo alone leaves of that gamma. Monte Carlo runs as two halves: what they differ by tells
the statistical uncertainty of the figures of their mean.

    python benchmarks/patients.py head_1 thorax_1 --ions proton carbon --uncertainty 0.02
"""

from __future__ import annotations

import argparse
import math
import runpy
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from beams import SHARED
from noise import gamma_of_noise

import isodose
from isodose.dose.quantity import Quantity
from isodose.errors import IsodoseWarning
from isodose.evaluate.dvh import dvh
from isodose.evaluate.gamma import gamma
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.pencilbeam.engine import PencilBeam
from isodose.plan.placement import Placement
from isodose.plan.plan import IONS, Plan
from isodose.plan.simple_plan import simple_plan
from isodose.transport.engine import MonteCarlo

OPENKBP = SHARED / "data" / "openkbp"
SPACING_MM = 2.0
PLACEMENT = Placement(spot_spacing_mm=4.0, layer_spacing_mm=3.0)
"""Coarser than by default, which would lay 100,000s of spots of carbon; both engines get the same plan."""
PERCENTS = (95.0, 50.0, 5.0)


@dataclass(frozen=True, slots=True)
class Case:
    """Where to irradiate what: `source` is a built-in patient and its seed, or a file of OpenKBP."""

    site: str
    source: tuple[str, int] | str
    target: str
    angles: tuple[float, ...]


CASES = {
    "head_1": Case("head", ("head", 0), "PTV", (270.0,)),
    "head_2": Case("head", ("head", 1), "PTV", (70.0, 290.0)),
    "head_3": Case("head", ("head", 2), "PTV", (60.0, 180.0, 300.0)),
    "neck_2": Case("head", ("head", 0), "PTVn", (50.0, 310.0)),
    "kbp_201": Case("head", "validation/pt_201", "PTV70", (60.0, 300.0)),
    "kbp_215": Case("head", "validation/pt_215", "PTV70", (90.0, 180.0, 270.0)),
    "thorax_1": Case("thorax", ("thorax", 0), "PTV", (90.0,)),
    "thorax_2": Case("thorax", ("thorax", 1), "PTV", (200.0, 280.0)),
    "thorax_3": Case("thorax", ("thorax", 2), "PTV", (20.0, 90.0, 160.0)),
}


@dataclass(frozen=True, slots=True)
class Result:
    """Of one case and ion; all in percent.

    Parameters
    ----------
    uncertainty
        Mean standard uncertainty of Monte Carlo above half of its maximum.
    differences
        Of D95, D50 and D5.
    scatter
        Half of the differences between the halves of Monte Carlo, of the same figures.
    passed, noise_alone
        Gamma of the pencil beam, and of the pencil beam with Monte Carlo's noise against itself.
    """

    uncertainty: float
    differences: tuple[float, ...]
    scatter: tuple[float, ...]
    passed: float
    noise_alone: float


def patient_of(case: Case, folder: Path) -> Patient:
    """Patient of a case; those of OpenKBP are expanded into a folder."""
    if not isinstance(case.source, str):
        name, seed = case.source
        return isodose.builtin_patient(name, spacing_mm=SPACING_MM, seed=seed)
    expanded = folder / Path(case.source).name
    if not expanded.exists():
        runpy.run_path(str(OPENKBP / "expand.py"))["expand"](OPENKBP / f"{case.source}.kbp.xz", expanded)
    return isodose.load_patient(expanded)


def compare(patient: Patient, plan: Plan, target: str, uncertainty: float) -> Result:
    """Both engines on one plan."""
    structure = patient.structure(target)
    halves, relative, squares = [], [], []
    for seed in (1, 2):
        half = MonteCarlo(uncertainty=uncertainty * math.sqrt(2.0), seed=seed).compute(patient, plan)
        halves.append(half.volume())
        relative.append(float(half.provenance["relative_uncertainty"]))
        squares.append(np.square(half.uncertainty[Quantity.DOSE]))
    mean = Volume(halves[0].grid, 0.5 * (halves[0].values + halves[1].values))
    pencil = PencilBeam().compute(patient, plan).volume()
    curves = [dvh(volume, structure) for volume in (mean, pencil, *halves)]
    reference, other, a, b = ([curve.d(p) for p in PERCENTS] for curve in curves)
    scale = 100.0 / curves[0].d(50.0)
    return Result(
        100.0 * 0.5 * math.hypot(*relative),
        tuple(scale * (y - x) for x, y in zip(reference, other, strict=True)),
        tuple(scale * 0.5 * abs(y - x) for x, y in zip(a, b, strict=True)),
        gamma(mean, pencil).pass_rate,
        gamma_of_noise(pencil, 0.5 * np.sqrt(squares[0] + squares[1])),
    )


def plan_of(patient: Patient, case: Case, ion: str) -> Plan:
    return simple_plan(patient, case.target, ion, gantry_angles=case.angles, placement=PLACEMENT)


def row(name: str, ion: str, fields: int, spots: int, result: Result, seconds: float) -> None:
    figures = "".join(f"{d:+7.2f} ({s:.2f})" for d, s in zip(result.differences, result.scatter, strict=True))
    print(
        f"{name:10s}{ion:8s}{fields:3d}{spots:8d}{result.uncertainty:7.2f}{figures}"
        f"{result.passed:9.2f}{result.noise_alone:10.2f}{seconds:8.0f}",
        flush=True,
    )


def summary(results: dict[str, list[Result]]) -> None:
    print("\nmeans over cases and ions")
    for site, found in results.items():
        size = np.mean([np.abs(r.differences) for r in found], axis=0)
        signed = np.mean([r.differences for r in found], axis=0)
        rates = [r.passed for r in found]
        print(
            f"{site:8s}{len(found):3d} cases: |difference| of D95, D50, D5 "
            + ", ".join(f"{a:.2f} % (mean {b:+.2f})" for a, b in zip(size, signed, strict=True))
            + f"; gamma {np.mean(rates):.2f} % (worst {min(rates):.2f})"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("cases", nargs="*", help="all by default: " + ", ".join(CASES))
    parser.add_argument("--ions", nargs="+", default=list(IONS), choices=list(IONS))
    parser.add_argument("--uncertainty", type=float, default=0.01)
    chosen = parser.parse_args(arguments)
    warnings.simplefilter("ignore", IsodoseWarning)
    print(
        f"{'case':10s}{'ion':8s}{'n':>3s}{'spots':>8s}{'MC %':>7s}{'dD95 %':>14s}{'dD50 %':>14s}"
        f"{'dD5 %':>14s}{'gamma %':>9s}{'noise %':>10s}{'s':>8s}"
    )
    results: dict[str, list[Result]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen.cases or CASES:
            case = CASES[name]
            if isinstance(case.source, str) and not OPENKBP.is_dir():
                print(f"{name}: skipped, {OPENKBP} is not there")
                continue
            patient = patient_of(case, Path(folder))
            for ion in chosen.ions:
                begun = time.perf_counter()
                plan = plan_of(patient, case, ion)
                result = compare(patient, plan, case.target, chosen.uncertainty)
                results[case.site].append(result)
                spots = sum(beam.spot_count for beam in plan.beams)
                row(name, ion, len(plan.beams), spots, result, time.perf_counter() - begun)
    summary(results)


if __name__ == "__main__":
    main()
