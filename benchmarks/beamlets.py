"""Pencil beam against explicit splitting: ``python benchmarks/beamlets.py [--spots N] [--spacing MM]``.

A proton plan of three fields on the built-in head. First the whole command (without import) and its kernels
are timed, and how the time grows with spots, rays and voxels. Then a sample of neighbouring spots is computed
twice: by the engine, and spot by spot with 27 x 27 = 729 beamlets each - every one with its own ray, depth
and scattering - summed voxel by voxel, which is what pencil-beam splitting means. Printed are the agreement
in percent of the maximum, what the explicit sum would take for the plan, and how far both are from Monte
Carlo. ``--picture FILE`` draws how the time grows.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from numba import njit

import isodose
from isodose.dose.quantity import Quantity
from isodose.machine.machine import Machine
from isodose.machine.machine_file import machine
from isodose.patient.patient import Patient
from isodose.pencilbeam import spreading
from isodose.pencilbeam.engine import PencilBeam
from isodose.plan.beam_frame import beam_axes
from isodose.plan.placement import Placement
from isodose.plan.plan import Beam, Layer, Plan, Spots
from isodose.transport.engine import MonteCarlo

SPLIT = 27
REACH_SIGMAS = 3.5
STEP_MM = 0.5


def head_plan(spot_spacing_mm: float) -> tuple[Patient, Plan]:
    patient = isodose.builtin_patient("head", spacing_mm=2.0)
    placement = Placement(spot_spacing_mm=spot_spacing_mm, layer_spacing_mm=2.5)
    plan = isodose.simple_plan(
        patient, "PTV", "proton", gantry_angles=(0.0, 90.0, 270.0), placement=placement
    )
    return patient, plan


def timed(patient: Patient, plan: Plan, threads: int, **options: Any) -> tuple[float, float, float, int]:
    """Wall and kernel seconds, CPU seconds and rays: the best of three."""
    best = (math.inf, math.inf, math.inf, 0)
    for _ in range(3):
        began, cpu = time.perf_counter(), time.process_time()
        dose = PencilBeam(threads=threads, **options).compute(patient, plan)
        seconds, used = time.perf_counter() - began, time.process_time() - cpu
        best = min(best, (seconds, dose.provenance["kernel_seconds"], used, dose.provenance["rays"]))
    return best


def sample(plan: Plan, beam: int, side_mm: float) -> Plan:
    """Spots of three layers in a square around the middle of a beam, without its range shifter."""
    one = plan.beams[beam]
    layers = []
    for index in (len(one.layers) // 4, len(one.layers) // 2, 3 * len(one.layers) // 4):
        spots = one.layers[index].spots
        inside = (abs(spots.x_mm - np.median(spots.x_mm)) < side_mm) & (
            abs(spots.y_mm - np.median(spots.y_mm)) < side_mm
        )
        chosen = Spots(spots.x_mm[inside], spots.y_mm[inside], np.full(int(inside.sum()), 1e7))
        layers.append(Layer(one.layers[index].energy_mev_u, chosen))
    return replace(plan, beams=(replace(one, layers=tuple(layers), range_shifter=None),))


def explicit(patient: Patient, plan: Plan, of: Machine, engine: PencilBeam) -> np.ndarray:
    """Dose to water of a plan of one beam without range shifter, beamlet by beamlet."""
    beam: Beam = plan.beams[0]
    grid, anatomy = engine.grid(patient), engine.anatomy(patient)
    axes = np.array([*beam_axes(beam, patient.position), beam.isocentre_mm])
    corners = np.array([patient.grid.lower_mm, patient.grid.upper_mm])
    reach = float(np.linalg.norm(corners[1] - corners[0]))
    dose = np.zeros(grid.shape)
    stopping = anatomy.media.stopping[anatomy.rows]
    scattering = anatomy.media.scattering[anatomy.rows]
    assert of.base_data is not None
    for layer in beam.layers:
        kernel = of.base_data.kernel(layer.energy_mev_u)
        power = spreading.scattering_power(of.ion, kernel.range_mm)
        water = spreading.water_variance(power, kernel.range_mm)
        depths = np.arange(0.0, kernel.depth_mm[-1], 0.1)
        columns = np.stack([np.interp(depths, kernel.depth_mm, c) for c in kernel.sigma_mm.T], axis=1) ** 2
        dose_of = np.interp(depths, kernel.depth_mm, kernel.dose)
        weights = np.stack([np.interp(depths, kernel.depth_mm, c) for c in kernel.weight.T], axis=1)
        at = 0.75 * kernel.range_mm
        scale = np.interp(at, kernel.depth_mm, kernel.sigma_mm[:, 0]) ** 2 / np.interp(
            at, spreading.STEP_MM * np.arange(water.size), water
        )
        sigma, angle = layer.spot_sigma_mm(of)[0], of.divergence_rad(layer.energy_mev_u)[0]
        _explicit(
            layer.spots.x_mm,
            layer.spots.y_mm,
            layer.spots.particles,
            sigma,
            angle,
            axes,
            np.array(of.source_distance_mm),
            reach,
            stopping,
            scattering,
            np.array(patient.grid.lower_mm),
            np.array(patient.grid.spacing_mm),
            power,
            water,
            kernel.range_mm,
            scale,
            dose_of,
            columns,
            weights,
            np.array(grid.origin_mm),
            np.array(grid.spacing_mm),
            dose,
        )
    return dose * 100.0 * 1.602176634e-10


@njit(error_model="numpy", fastmath=True)
def _explicit(  # type: ignore[no-untyped-def]
    xs,
    ys,
    particles,
    sigma,
    angle,
    axes,
    source,
    reach,
    stopping,
    scattering,
    lower,
    spacing,
    power,
    water,
    range_mm,
    scale,
    dose_of,
    variance_of,
    weight_of,
    origin,
    step,
    out,
):
    pitch = 2.0 * REACH_SIGMAS * sigma / (SPLIT - 1)
    own = pitch**2  # variance of a beamlet in air
    rest = sigma**2 - own
    count = int(2.0 * reach / STEP_MM)
    depth, excess = np.zeros(count), np.zeros(count)
    gaussians = variance_of.shape[1]
    total = 0.0
    for i in range(SPLIT):
        total += math.exp(-0.5 * ((i - SPLIT // 2) * pitch) ** 2 / rest)
    candidates = np.empty((out.size, 3), dtype=np.int32)
    for spot in range(xs.size):
        voxels = 0
        for kz in range(out.shape[0]):
            for ky in range(out.shape[1]):
                for kx in range(out.shape[2]):
                    dx = origin[0] + kx * step[0] - axes[3, 0]
                    dy = origin[1] + ky * step[1] - axes[3, 1]
                    dz = origin[2] + kz * step[2] - axes[3, 2]
                    w = dx * axes[2, 0] + dy * axes[2, 1] + dz * axes[2, 2]
                    far_u = (
                        dx * axes[0, 0] + dy * axes[0, 1] + dz * axes[0, 2] - xs[spot] * (1.0 + w / source[0])
                    )
                    far_v = (
                        dx * axes[1, 0] + dy * axes[1, 1] + dz * axes[1, 2] - ys[spot] * (1.0 + w / source[1])
                    )
                    if far_u**2 + far_v**2 < (30.0 + REACH_SIGMAS * sigma) ** 2:
                        candidates[voxels, 0], candidates[voxels, 1], candidates[voxels, 2] = kz, ky, kx
                        voxels += 1
        for i in range(SPLIT):
            for j in range(SPLIT):
                du, dv = (i - SPLIT // 2) * pitch, (j - SPLIT // 2) * pitch
                part = math.exp(-0.5 * (du * du + dv * dv) / rest) / total**2
                if part < 1e-6:
                    continue
                u, v = xs[spot] + du, ys[spot] + dv
                # Beamlets of a spot are parallel: its width in air does not follow the deflection's source.
                slope_u, slope_v = xs[spot] / source[0], ys[spot] / source[1]
                long = math.sqrt(1.0 + slope_u**2 + slope_v**2)
                passed, a0, a1, a2, last = 0.0, 0.0, 0.0, 0.0, 0
                for n in range(count):
                    w = -reach + (n + 0.5) * STEP_MM
                    p = [0.0, 0.0, 0.0]
                    for k in range(3):
                        p[k] = (
                            axes[3, k]
                            + (u + slope_u * w) * axes[0, k]
                            + (v + slope_v * w) * axes[1, k]
                            + w * axes[2, k]
                            - lower[k]
                        ) / spacing[k]
                    iz, iy, ix = math.floor(p[2]), math.floor(p[1]), math.floor(p[0])
                    inside = (
                        0 <= iz < stopping.shape[0]
                        and 0 <= iy < stopping.shape[1]
                        and 0 <= ix < stopping.shape[2]
                    )
                    here, dull = (stopping[iz, iy, ix], scattering[iz, iy, ix]) if inside else (0.0, 0.0)
                    length = STEP_MM * long
                    middle = passed + 0.5 * here * length
                    residual = range_mm - middle
                    growth = power[int(residual / 0.5)] * dull if residual > 0.0 else 0.0
                    half = 0.5 * length
                    there = a2 + 2.0 * a1 * half + a0 * half**2 + growth * half**3 / 3.0
                    at = max(min(middle, range_mm - 0.5), 0.0) / 0.5
                    low = min(int(at), water.size - 2)
                    depth[n] = middle
                    excess[n] = there - (water[low] + (at - low) * (water[low + 1] - water[low]))
                    a2 += 2.0 * a1 * length + a0 * length**2 + growth * length**3 / 3.0
                    a1 += a0 * length + growth * length**2 / 2.0
                    a0 += growth * length
                    passed += here * length
                    last = n
                    if middle > 0.1 * (dose_of.size - 3):
                        break
                for near in range(voxels):
                    kz, ky, kx = candidates[near]
                    dx = origin[0] + kx * step[0] - axes[3, 0]
                    dy = origin[1] + ky * step[1] - axes[3, 1]
                    dz = origin[2] + kz * step[2] - axes[3, 2]
                    w = dx * axes[2, 0] + dy * axes[2, 1] + dz * axes[2, 2]
                    n = int((w + reach) / STEP_MM - 0.5)
                    if n < 0 or n + 1 > last:
                        continue
                    across_u = dx * axes[0, 0] + dy * axes[0, 1] + dz * axes[0, 2] - u - slope_u * w
                    across_v = dx * axes[1, 0] + dy * axes[1, 1] + dz * axes[1, 2] - v - slope_v * w
                    square = across_u**2 + across_v**2
                    if square > 900.0:
                        continue
                    between = (w + reach) / STEP_MM - 0.5 - n
                    water_mm = depth[n] + between * (depth[n + 1] - depth[n])
                    row = int(water_mm / 0.1 + 0.5)
                    if row >= dose_of.size:
                        continue
                    value = 0.0
                    for g in range(gaussians):
                        first = max(variance_of[row, 0], 1e-6)
                        gain = scale * min(max(variance_of[row, g] / first, 1.0), 300.0)
                        s = variance_of[row, g] + gain * excess[n] + own + (angle * w) ** 2
                        s = max(s, own) + step[0] ** 2 / 12.0
                        value += weight_of[row, g] * math.exp(-0.5 * square / s) / (2.0 * math.pi * s)
                    out[kz, ky, kx] += particles[spot] * part * dose_of[row] * value


def growth(patient: Patient, spacing_mm: float, threads: int) -> dict[str, list[tuple[float, float, float]]]:
    """Number, whole and kernel seconds by what is varied: spots, rays or voxels."""
    print("\nspots   rays  voxel/mm  whole/s  kernels/s")
    curves: dict[str, list[tuple[float, float, float]]] = {"spots": [], "rays": [], "voxels": []}
    _, usual = head_plan(3.0)
    plans = [head_plan(mm)[1] for mm in (6.0, 3.0, 1.5)]
    runs: list[tuple[str, Plan, float, float | None]] = [("spots", plan, spacing_mm, None) for plan in plans]
    runs += [("rays", usual, spacing_mm, mm) for mm in (2.0, 1.4, 1.0)]
    runs += [("voxels", usual, mm, 2.0) for mm in (4.0, 3.0, 2.0)]
    for name, plan, voxel_mm, ray_mm in runs:
        whole, kernels, _, rays = timed(patient, plan, threads, spacing_mm=voxel_mm, ray_spacing_mm=ray_mm)
        spots = sum(b.spot_count for b in plan.beams)
        print(f"{spots:6d} {rays:6d} {voxel_mm:6.1f} {whole:10.2f} {kernels:8.2f}", flush=True)
        voxels = float(patient.grid.resampled(voxel_mm).size)
        curves[name].append(({"spots": spots, "rays": rays, "voxels": voxels}[name], whole, kernels))
    return curves


def draw(curves: dict[str, list[tuple[float, float, float]]], path: Path) -> None:
    """Time against each of the three numbers, beside a line of slope 1."""
    figure, axes = plt.subplots(1, 3, figsize=(9.0, 3.0), layout="constrained", sharey=True)
    for ax, (name, points) in zip(axes, curves.items(), strict=True):
        number, whole, kernels = np.array(points).T
        ax.loglog(number, whole, "o-", label="whole")
        ax.loglog(number, kernels, "s-", label="kernels")
        ax.loglog(number, whole[0] * number / number[0], ":", color="0.5", label="proportional")
        ax.set_xticks(number, [f"{n / 1000.0:,.0f}" for n in number])
        ax.minorticks_off()
        ax.set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
        ax.set_xlabel(f"{name} / 1000")
    axes[0].set_ylabel("time / s")
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spacing", type=float, default=2.0, help="voxel size of the dose, mm")
    parser.add_argument("--side", type=float, default=4.0, help="half side of the sample of spots, mm")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--histories", type=int, default=2_000_000, help="of Monte Carlo, for each sample")
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    patient, plan = head_plan(3.7)
    of = machine("generic_proton")
    spots = sum(b.spot_count for b in plan.beams)
    timed(patient, plan, arguments.threads, spacing_mm=arguments.spacing)  # compiles
    wall, kernels, cpu, rays = timed(patient, plan, arguments.threads, spacing_mm=arguments.spacing)
    print(
        f"{spots} spots, {rays} rays, {arguments.spacing:g} mm: whole {wall:.2f} s, kernels {kernels:.2f} s, "
        f"{cpu:.2f} CPU-s"
    )
    curves = growth(patient, arguments.spacing, arguments.threads)
    if arguments.picture:
        draw(curves, arguments.picture)
    for beam in range(len(plan.beams)):
        few = sample(plan, beam, arguments.side)
        engine = PencilBeam(spacing_mm=arguments.spacing, threads=arguments.threads)
        ours = engine.compute(patient, few, (Quantity.DOSE_TO_WATER,)).values[Quantity.DOSE_TO_WATER]
        explicit(patient, replace(few, beams=(replace(few.beams[0], layers=()),)), of, engine)
        began = time.process_time()
        theirs = explicit(patient, few, of, engine)
        seconds = time.process_time() - began
        theirs[ours == 0.0] = 0.0  # outside the body
        difference = np.abs(ours - theirs)
        top = theirs.max()
        high = theirs > 0.1 * top
        whole = seconds / few.beams[0].spot_count * spots
        print(
            f"beam {beam}: {few.beams[0].spot_count} spots explicitly in {seconds:.0f} CPU-s; difference: "
            f"largest {100 * difference.max() / top:.2f} %, 99th percentile above 10 % "
            f"{100 * np.percentile(difference[high], 99) / top:.2f} %, rms "
            f"{100 * np.sqrt((difference[high] ** 2).mean()) / top:.2f} % of the maximum; the plan would "
            f"take {whole:.0f} CPU-s, {whole / cpu:.0f} times as much"
        )
        simulation = MonteCarlo(arguments.histories, seed=0, spacing_mm=arguments.spacing)
        truth = simulation.compute(patient, few, (Quantity.DOSE_TO_WATER,)).values[Quantity.DOSE_TO_WATER]
        high = truth > 0.1 * truth.max()
        off = [100.0 * np.sqrt(np.mean((d[high] - truth[high]) ** 2)) / truth.max() for d in (ours, theirs)]
        print(f"        rms from Monte Carlo: engine {off[0]:.2f} %, explicit {off[1]:.2f} % of the maximum")


if __name__ == "__main__":
    main()
