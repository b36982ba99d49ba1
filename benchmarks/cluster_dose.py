"""Cluster dose by pencil beam against Monte Carlo: ``python benchmarks/cluster_dose.py [PART ...]``.

``water``: one carbon beam at four energies, plane by plane and along its axis. ``media``: a beam in large
blocks of one CT number each, where nothing but the conversion of CT numbers and the kind of dose can differ.
``head``: single beams in the built-in head, voxel by voxel in the 16 x 16 voxels around the axis, and the
figures that Schwarze et al. give for their network (distal 90 % depth, position across, height and width of
the peak), with the CPU time of a Monte Carlo of 2 % in the Bragg peak (they need 7.1e6 s). ``speed``: a beam
and a field of 10^4 spots by pencil beam (in the literature 114 to 1719 s). Voxels are of 1 mm, as the pencil
beam gives the dose in their middle. All times are CPU seconds of one thread.

    python benchmarks/cluster_dose.py water --histories 200000 --database clusters.npz
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from beams import water
from numpy.typing import NDArray

from isodose.biology.cluster_dose import cluster_weightings, compute_cluster_dose
from isodose.biology.mixed_field import spectra_of
from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.evaluate.bragg import DepthProfile
from isodose.machine.machine_file import machine
from isodose.patient.builtin import builtin_patient
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume
from isodose.pencilbeam.engine import PencilBeam
from isodose.plan.depth_dose import range_mm
from isodose.plan.placement import Placement
from isodose.plan.plan import Beam, Layer, Plan, Spots
from isodose.plan.simple_plan import simple_plan
from isodose.track.database import ClusterDatabase, cluster_database, load_database

SIZES = (Quantity.CLUSTER_F2, Quantity.CLUSTER_F4, Quantity.CLUSTER_F5, Quantity.CLUSTER_F7)
PARTS = ("water", "media", "head", "speed")
WATER_MEV_U = (104.2, 177.1, 250.0, 350.0)
"""The lowest, a middle and the highest energy of Schwarze et al., and one beyond."""
HEAD_BEAMS = ((270.0, 170.0, 0.0), (270.0, 220.0, 0.0), (90.0, 200.0, 12.0), (0.0, 180.0, 0.0))
"""Gantry in degrees, energy in MeV/u, and distance of the axis from the target's middle along z in mm."""
REGION = 16
TISSUE_FROM_HU = -500.0
"""Voxels below are air, where the dose means little and is noisy."""

BLOCK_HU = (-250.0, -60.0, 60.0, 800.0)
BLOCK_MEV_U = 180.0
HALF_WIDTH_MM = 40.0
PAPER_CPU_S = 7.14e6
LITERATURE_FIELD_S = (114.0, 1719.0)
FIELD_SPOTS = 10_000
WANTED = 0.02


@dataclass(frozen=True, slots=True)
class Region:
    """A cluster dose along a beam: ``[depth, across, across]``, its uncertainty, and where tissue is."""

    depth_mm: NDArray[np.float64]
    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    tissue: NDArray[np.bool_]

    @property
    def axis(self) -> NDArray[np.float64]:
        """Mean of the four voxels around the axis, by depth."""
        return self._middle(self.values).mean(axis=(1, 2))

    @property
    def axis_error(self) -> NDArray[np.float64]:
        """Its uncertainty."""
        return np.sqrt(np.square(self._middle(self.errors)).sum(axis=(1, 2))) / 4.0

    @property
    def planes(self) -> NDArray[np.float64]:
        """Mean over the region's tissue, by depth; 0 where there is less than half of it."""
        enough = self.tissue.mean(axis=(1, 2)) >= 0.5
        return np.where(
            enough, self.values.mean(axis=(1, 2), where=self.tissue | ~enough[:, None, None]), 0.0
        )

    def _middle(self, array: NDArray[np.float64]) -> NDArray[np.float64]:
        a, b = array.shape[1] // 2, array.shape[2] // 2
        return array[:, a - 1 : a + 1, b - 1 : b + 1]

    def place(self) -> NDArray[np.float64]:
        """Centre of mass across the beam in the plane of the peak, in voxels."""
        plane = self.values[int(np.argmax(self.planes))]
        rows, columns = np.indices(plane.shape)
        return np.array([(plane * rows).sum(), (plane * columns).sum()]) / plane.sum()


def region_of(dose: Dose, patient: Patient, quantity: Quantity, axis: str, backwards: bool) -> Region:
    """Voxels around the middle of the grid, depth first."""
    order = {"y": (1, 0, 2), "x": (2, 0, 1)}[axis]
    arrays = [dose.values[quantity], dose.uncertainty.get(quantity, np.zeros(dose.grid.shape))]
    arrays.append(patient.ct.values > TISSUE_FROM_HU)
    cut = []
    for array in arrays:
        turned = np.transpose(array, order).astype(np.float64)
        a, b = turned.shape[1] // 2 - REGION // 2, turned.shape[2] // 2 - REGION // 2
        turned = turned[:, a : a + REGION, b : b + REGION]
        cut.append(turned[::-1] if backwards else turned)
    depth = (np.arange(cut[0].shape[0]) + 0.5) * dose.grid.spacing_mm["xyz".index(axis)]
    return Region(depth, cut[0], cut[1], cut[2] > 0.0)


def one_beam(gantry: float, energy: float, isocentre: tuple[float, float, float]) -> Plan:
    spots = Spots(np.zeros(1), np.zeros(1), np.full(1, 1e6))
    beam = Beam("carbon", gantry, 0.0, isocentre, (Layer(energy, spots),))
    return Plan("one beam", "carbon", "generic_carbon", (beam,))


def cropped_head(gantry: float, shift_mm: float) -> tuple[Patient, tuple[float, float, float]]:
    """Head at 1 mm near a beam's axis, which runs between voxels in the middle; and the isocentre."""
    head = builtin_patient("head", spacing_mm=2.0)
    x, y, z = head.structure("PTV").centre_mm
    centre = np.array([x, y, z + shift_mm])
    low, high = np.array(head.grid.lower_mm), np.array(head.grid.upper_mm)
    across = [0, 2] if gantry == 0.0 else [1, 2]
    for axis in across:
        low[axis], high[axis] = centre[axis] - HALF_WIDTH_MM, centre[axis] + HALF_WIDTH_MM
    shape = np.rint(high - low).astype(int)
    grid = Grid(tuple(low + 0.5), (1.0, 1.0, 1.0), tuple(int(n) for n in shape[::-1]))
    outline = Volume(head.grid, head.structure("External").occupancy).on(grid)
    body = Structure("External", Role.EXTERNAL, grid, (outline.values >= 0.5).astype(np.float32))
    ct = head.ct.on(grid, outside=-1000.0)
    return Patient("head", ct, {"External": body}, calibration=head.calibration), tuple(centre)


def both(patient: Patient, plan: Plan, database: ClusterDatabase, histories: int) -> tuple[Dose, Dose, float]:
    """Doses of both engines, and the CPU seconds of the Monte Carlo."""
    compute_cluster_dose(patient, plan, SIZES, "montecarlo", database, histories=20, threads=1)
    begun = time.process_time()
    slow = compute_cluster_dose(
        patient, plan, SIZES, "montecarlo", database, histories=histories, threads=1, seed=1
    )
    seconds = time.process_time() - begun
    fast = compute_cluster_dose(patient, plan, SIZES, "pencilbeam", database, threads=1)
    return slow, fast, seconds


def compare(label: str, slow: Region, fast: Region, slow_dose: Region, fast_dose: Region) -> None:
    """One line: differences in percent of the highest value of Monte Carlo, and figures of the peak.

    ``per dose`` is what is left if the pencil beam's value per dose is taken with the dose of Monte Carlo,
    whose noise both share: the part that the particle spectra make.
    """
    axis, planes, tissue = slow.axis, slow.planes, slow.tissue
    of_axis = 100.0 * np.abs(fast.axis - axis) / axis.max()
    of_planes = 100.0 * np.abs(fast.planes - planes) / planes.max()
    per_dose = [
        100.0 * np.abs(with_dose(f, g, h) - v).max() / v.max()
        for f, g, h, v in (
            (fast.planes, fast_dose.planes, slow_dose.planes, planes),
            (fast.axis, fast_dose.axis, slow_dose.axis, axis),
        )
    ]
    top = slow.values[tissue].max()
    noise = 100.0 * slow.errors[tissue] / top
    voxels = 100.0 * np.abs(fast.values - slow.values)[tissue] / top
    within = np.mean(voxels <= np.hypot(3.0, 2.0 * noise))
    a, b = DepthProfile(slow.depth_mm, axis), DepthProfile(fast.depth_mm, fast.axis)
    place = fast.place() - slow.place()
    peak = int(np.argmax(axis))
    at_peak = 100.0 * slow.axis_error[peak] / axis[peak]
    print(
        f"{label:24s}{of_planes.max():8.2f}{of_axis.max():8.2f}{at_peak:8.2f}{per_dose[0]:8.2f}"
        f"{per_dose[1]:8.2f}{100 * within:9.2f}"
        f"{np.sqrt(np.mean(voxels**2)):8.3f}{b.r90_mm - a.r90_mm:9.2f}{100 * (b.peak / a.peak - 1):9.2f}"
        f"{b.width_mm - a.width_mm:8.2f}{place[0]:8.2f}{place[1]:7.2f}",
        flush=True,
    )


def compare_all(label: str, slow: Dose, fast: Dose, patient: Patient, axis: str, backwards: bool) -> None:
    """Lines of the dose and of all cluster doses of a beam."""
    doses = [region_of(dose, patient, Quantity.DOSE, axis, backwards) for dose in (slow, fast)]
    for quantity in (Quantity.DOSE, *SIZES):
        regions = [region_of(dose, patient, quantity, axis, backwards) for dose in (slow, fast)]
        compare(f"{label} {quantity.key}", *regions, *doses)


def with_dose(
    value: NDArray[np.float64], dose: NDArray[np.float64], other: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Value per dose times another dose."""
    return np.divide(value, dose, out=np.zeros_like(value), where=dose > 0.0) * other


def heading(what: str) -> None:
    print(
        f"\n{what}\n{'':40s}{'':8s}{'per dose:':>16s}\n"
        f"{'':24s}{'planes':>8s}{'axis':>8s}{'noise':>8s}{'planes':>8s}{'axis':>8s}"
        f"{'3 % vox':>9s}{'rms':>8s}{'dR90':>9s}"
        f"{'dpeak':>9s}{'dFWHM':>8s}{'dx':>8s}{'dy':>7s}\n"
        f"{'':24s}{'% max':>8s}{'% max':>8s}{'%':>8s}{'% max':>8s}{'% max':>8s}{'%':>9s}"
        f"{'% max':>8s}{'mm':>9s}{'%':>9s}{'mm':>8s}{'mm':>8s}{'mm':>7s}"
    )


def in_water(database: ClusterDatabase, histories: int) -> None:
    heading("Water: worst difference by depth of planes and axis; voxels within 3 % or noise; the peak")
    for energy in WATER_MEV_U:
        length = int(1.2 * float(range_mm("carbon", energy)) + 10.0)
        patient = water((60, length, 60), (1.0, 1.0, 1.0))
        slow, fast, _ = both(patient, one_beam(0.0, energy, (0.0, 0.0, 0.0)), database, histories)
        compare_all(f"{energy:.0f} MeV/u", slow, fast, patient, "y", False)


def in_media(database: ClusterDatabase, histories: int) -> None:
    print(f"\nUniform blocks, {BLOCK_MEV_U:.0f} MeV/u: whole planes, pencil beam over Monte Carlo")
    for hu in BLOCK_HU:
        tank = water((40, 110, 40), (2.0, 1.0, 2.0))
        block = Volume(tank.grid, np.full(tank.grid.shape, hu, dtype=np.float32))
        patient = Patient("block", block, calibration="schneider")
        slow, fast, _ = both(patient, one_beam(0.0, BLOCK_MEV_U, (0.0, 0.0, 0.0)), database, histories)
        line = f"{hu:6.0f} HU"
        for quantity in (Quantity.DOSE, Quantity.CLUSTER_F4):
            a, b = (d.values[quantity].sum(axis=(0, 2), dtype=np.float64) for d in (slow, fast))
            plateau = slice(5, int(0.8 * np.argmax(a)))
            line += f"   {quantity.key}: plateau {b[plateau].sum() / a[plateau].sum():.4f}"
            if a.argmax() < a.size - 10:
                depth = np.arange(a.size) + 0.5
                shift = DepthProfile(depth, b).r90_mm - DepthProfile(depth, a).r90_mm
                line += f", peak {b.max() / a.max():.4f}, distal 90 % {shift:+.2f} mm"
        print(line, flush=True)


def in_head(database: ClusterDatabase, histories: int) -> None:
    heading("Head: the same")
    for gantry, energy, shift in HEAD_BEAMS:
        patient, isocentre = cropped_head(gantry, shift)
        plan = one_beam(gantry, energy, isocentre)
        slow, fast, seconds = both(patient, plan, database, histories)
        axis, backwards = ("y", False) if gantry == 0.0 else ("x", gantry == 90.0)
        compare_all(f"{gantry:.0f} deg {energy:.0f}", slow, fast, patient, axis, backwards)
        region = region_of(slow, patient, Quantity.CLUSTER_F4, axis, backwards)
        k = int(np.argmax(region.axis))
        voxel = region.values[k].max()
        part = float(region.errors[k].flat[int(region.values[k].argmax())] / voxel)
        needed = seconds * (part / WANTED) ** 2
        print(
            f"    {histories} histories, {seconds:.0f} CPU s: {100 * part:.2f} % of F4 in the highest voxel; "
            f"for {100 * WANTED:.0f} % {needed:.0f} CPU s (aim: 2000), 1/{PAPER_CPU_S / needed:.2g} of theirs"
        )


def speed(database: ClusterDatabase) -> None:
    head = builtin_patient("head", spacing_mm=2.0)
    plan = one_beam(270.0, 200.0, tuple(head.structure("PTV").centre_mm))
    size = Quantity.CLUSTER_F4

    def clock(work) -> float:  # type: ignore[no-untyped-def]
        work()
        times = []
        for _ in range(5):
            begun = time.process_time()
            work()
            times.append(time.process_time() - begun)
        return min(times)

    engine = PencilBeam(
        weightings=cluster_weightings(spectra_of(machine("generic_carbon")), [size], database), threads=1
    )
    column = clock(lambda: engine.influence(head, plan, (Quantity.DOSE, size)))
    whole = clock(lambda: compute_cluster_dose(head, plan, [size], "pencilbeam", database, threads=1))
    print(f"\nOne beam in a head of {head.grid.size / 1e6:.1f} million voxels, dose and F4, pencil beam:")
    print(f"    influence column {column:.2f} CPU s, dose of the whole head {whole:.2f} CPU s (aim: 0.2 s)")
    field = simple_plan(
        head, "PTV", "carbon", gantry_angles=(270.0,), placement=Placement(spot_spacing_mm=2.4)
    )
    spots = sum(beam.spot_count for beam in field.beams)
    seconds = clock(lambda: compute_cluster_dose(head, field, [size], "pencilbeam", database, threads=1))
    per = seconds * FIELD_SPOTS / spots
    print(f"Field of {spots} spots: {seconds:.1f} CPU s, {per:.1f} for {FIELD_SPOTS} (aim: 20 s)")
    ratios = " to ".join(f"{s / per:.0f}" for s in LITERATURE_FIELD_S)
    print(f"    {ratios} times as fast as in the literature ({LITERATURE_FIELD_S} s, Facchiano et al. 2025)")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"all by default: {', '.join(PARTS)}")
    parser.add_argument("--histories", type=int, default=400_000)
    parser.add_argument("--database", type=Path, help="of clusters; the package's by default")
    chosen = parser.parse_args(arguments)
    database = cluster_database() if chosen.database is None else load_database(chosen.database)
    for part in chosen.parts or PARTS:
        if part == "water":
            in_water(database, chosen.histories)
        elif part == "media":
            in_media(database, chosen.histories)
        elif part == "head":
            in_head(database, chosen.histories)
        elif part == "speed":
            speed(database)
        else:
            parser.error(f"unknown part {part!r}")


if __name__ == "__main__":
    main()
