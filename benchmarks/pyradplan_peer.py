"""Run pyRadPlan and keep what isodose is compared with: ``PEER/bin/python benchmarks/pyradplan_peer.py OUT``.

It runs in an environment of its own (``pip install pyradplan==0.5.0 pydantic==2.13.5``), so it imports
neither isodose nor anything from this folder. It times spot placement and the influence matrix, prints the
figures, and writes one ``.npz`` with

- the CT: ``ct_hu`` [z, y, x], ``ct_spacing`` and ``ct_origin`` (x, y, z in mm), ``mask_NAME`` of
  each structure and ``target``;
- the dose grid: ``dose_spacing``, ``dose_origin``, ``rsp`` as pyRadPlan traces it (0 outside the patient)
  and, per beam, ``depth_BEAM``, the water-equivalent depth of each voxel (mm, NaN where it has none);
- the beams: ``gantry_deg``, ``isocentre`` (x, y, z in mm), ``source_distance``, ``nozzle_distance``;
- the spots: ``beam``, ``energy`` (MeV/u), ``x`` and ``y`` on the isocentre plane in IEC 61217 gantry axes
  (mm), ``skin_distance`` from the source (mm), and ``weight`` of a flat target dose (millions of particles);
- the doses in Gy: ``dose_uniform`` of a million particles in each spot, ``dose`` of ``weight``, and
  ``dose_of_spot`` of a million particles in each of the spots ``chosen``; ``let_dose`` likewise where the
  machine has LET;
- ``figures``, the timings as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
from pyRadPlan import IonPlan, generate_stf, load_tg119, settings
from pyRadPlan.cst import ExternalVOI, StructureSet, Target, create_cst
from pyRadPlan.ct import CT, create_ct
from pyRadPlan.dose.engines import get_engine
from pyRadPlan.machines import load_from_name
from scipy.sparse import csc_array, save_npz

WATER_MM = (160.0, 320.0, 160.0)
TARGET_MM = ((-30.0, -50.0, -30.0), (30.0, 0.0, 30.0))


def main() -> None:
    options = parse()
    settings.xp.prefer_gpu = False
    settings.xp.preferred_cpu_array_backend = "numpy"
    ct, structures = load_tg119() if options.phantom == "tg119" else water_box()
    plan = IonPlan(radiation_mode=options.ion, machine="Generic")
    angles = [float(a) for a in options.angles.split(",")]
    plan.prop_stf = {
        "gantry_angles": angles,
        "couch_angles": [0.0] * len(angles),
        "bixel_width": options.spacing,
    }
    plan.prop_dose_calc["dose_grid"] = {"resolution": dict.fromkeys("xyz", options.grid)}
    plan.prop_dose_calc["lateral_model"] = options.model
    plan.prop_dose_calc["dosimetric_lateral_cutoff"] = options.cutoff
    plan.prop_dose_calc["calc_bio_dose"] = options.biology
    if options.energy is not None:
        plan.prop_stf |= {"generator": "ionSingleSpot", "fix_energy": options.energy}
    figures: dict[str, Any] = {"options": vars(options) | {"out": options.out.name}}
    steering = timed(figures, "steering", lambda: generate_stf(ct, structures, plan))
    engine = get_engine(plan)
    watched = Watched(engine)
    influence = timed(figures, "influence", lambda: engine.calc_dose_influence(ct, structures, steering))
    matrix = csc_array(influence.physical_dose.flat[0])
    figures |= {"spots": matrix.shape[1], "nonzeros": int(matrix.nnz), "voxels": matrix.shape[0]}
    out = patient_arrays(ct, structures) | grid_arrays(engine, watched.depths)
    out |= spot_arrays(options.ion, steering, watched.skin)
    let = None if influence.let_dose is None else csc_array(influence.let_dose.flat[0])
    out |= dose_arrays(matrix, let, out, options.chosen)
    out["figures"] = np.array(json.dumps(figures))
    np.savez_compressed(options.out, **out)
    if options.save_matrix:
        save_npz(options.out.with_name(options.out.stem + "_matrix.npz"), matrix, compressed=False)
    print(json.dumps(figures, indent=1))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run pyRadPlan as a peer of isodose.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--ion", default="protons", choices=["protons", "helium", "carbon", "oxygen"])
    parser.add_argument("--phantom", default="tg119", choices=["tg119", "water"])
    parser.add_argument("--angles", default="0", help="gantry angles, degree")
    parser.add_argument("--spacing", type=float, default=5.0, help="of spots, mm")
    parser.add_argument("--grid", type=float, default=3.0, help="of the dose, mm")
    parser.add_argument("--model", default="single", choices=["single", "double", "multi"])
    parser.add_argument("--cutoff", type=float, default=0.995, help="part of the dose of a spot that is kept")
    parser.add_argument("--biology", action="store_true", help="alpha and beta x dose too, from its tables")
    parser.add_argument("--energy", type=float, help="one spot on the axis with the energy nearest to this")
    parser.add_argument("--chosen", type=int, default=3, help="spots whose own dose is kept")
    parser.add_argument("--save-matrix", action="store_true", help="keep the influence matrix too")
    return parser.parse_args()


def timed(figures: dict[str, Any], name: str, work: Any) -> Any:
    start, cpu = time.perf_counter(), sum(os.times()[:2])
    result = work()
    figures[f"{name}_s"] = round(time.perf_counter() - start, 3)
    figures[f"{name}_cpu_s"] = round(sum(os.times()[:2]) - cpu, 3)
    figures[f"{name}_peak_gib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3)
    return result


def water_box() -> tuple[CT, StructureSet]:
    """Water with its surface 160 mm above the isocentre (y = -160 mm), and a box to treat."""
    spacing = 2.0
    shape = [int(length / spacing) for length in WATER_MM]
    image = SimpleITK.GetImageFromArray(np.zeros(shape[::-1], dtype=np.float32))
    image.SetSpacing((spacing,) * 3)
    image.SetOrigin([-(length - spacing) / 2.0 for length in WATER_MM])
    ct = create_ct(cube_hu=image)
    z, y, x = np.meshgrid(
        *(np.arange(n) * spacing - (n - 1) * spacing / 2.0 for n in shape[::-1]), indexing="ij"
    )
    inside = np.ones(x.shape, dtype=bool)
    for axis, low, high in zip((x, y, z), *TARGET_MM, strict=True):
        inside &= (axis > low) & (axis < high)
    masks = {"target": inside, "body": np.ones(x.shape, dtype=bool)}
    images = {name: SimpleITK.GetImageFromArray(mask.astype(np.uint8)) for name, mask in masks.items()}
    for mask in images.values():
        mask.CopyInformation(image)
    vois = [
        Target(name="target", ct_image=ct, mask=images["target"]),
        ExternalVOI(name="body", ct_image=ct, mask=images["body"]),
    ]
    return ct, create_cst(vois, ct=ct)


class Watched:
    """What pyRadPlan keeps to itself: distances from source to skin, ``[beam][ray]``, and depth cubes."""

    def __init__(self, engine: Any) -> None:
        self.skin: list[list[float]] = []
        self.depths: list[SimpleITK.Image] = []
        self._prepare = engine._init_beam
        self._engine = engine
        engine._init_beam = self._init_beam

    def _init_beam(self, *args: Any, **kwargs: Any) -> Any:
        tracer = self._engine._raytracer
        trace = type(tracer).trace_cubes

        def traced(beam: Any) -> Any:
            cubes = trace(tracer, beam)
            self.depths.append(cubes[0])
            return cubes

        tracer.trace_cubes = traced
        beam = self._prepare(*args, **kwargs)
        self.skin.append([float(ray["SSD"]) for ray in beam["beam"]["rays"]])
        return beam


def patient_arrays(ct: CT, structures: StructureSet) -> dict[str, Any]:
    out = {
        "ct_hu": SimpleITK.GetArrayFromImage(ct.cube_hu).astype(np.float32),
        "ct_spacing": np.array(ct.cube_hu.GetSpacing()),
        "ct_origin": np.array(ct.cube_hu.GetOrigin()),
    }
    for voi in structures.vois:
        out["mask_" + voi.name.replace(" ", "_")] = SimpleITK.GetArrayFromImage(voi.mask).astype(bool)
        if voi.voi_type == "TARGET":
            out["target"] = out["mask_" + voi.name.replace(" ", "_")]
    return out


def grid_arrays(engine: Any, depths: list[SimpleITK.Image]) -> dict[str, Any]:
    traced = engine._raytracer.cubes[0]
    out = {
        "rsp": SimpleITK.GetArrayFromImage(traced).astype(np.float32),
        "dose_spacing": np.array(traced.GetSpacing()),
        "dose_origin": np.array(traced.GetOrigin()),
    }
    for i, cube in enumerate(depths):
        out[f"depth_{i}"] = SimpleITK.GetArrayFromImage(cube).astype(np.float32)
    return out


def spot_arrays(ion: str, steering: Any, skin: list[list[float]]) -> dict[str, Any]:
    machine = load_from_name(ion, "Generic")
    rows = [
        (b, spot.energy, ray.ray_pos_bev[0], ray.ray_pos_bev[2], skin[b][r])
        for b, beam in enumerate(steering.beams)
        for r, ray in enumerate(beam.rays)
        for spot in ray.beamlets
    ]
    columns = np.array(rows, dtype=np.float64).T
    return {
        "beam": columns[0].astype(np.int32),
        **dict(zip(("energy", "x", "y", "skin_distance"), columns[1:], strict=True)),
        "gantry_deg": np.array([beam.gantry_angle for beam in steering.beams]),
        "isocentre": np.array([beam.iso_center for beam in steering.beams]).reshape(-1, 3),
        "source_distance": machine.sad,
        "nozzle_distance": machine.bams_to_iso_dist,
    }


def dose_arrays(
    matrix: csc_array, let: csc_array | None, have: dict[str, Any], chosen: int
) -> dict[str, Any]:
    shape = have["rsp"].shape
    weight = flat_weights(matrix, target_on_dose_grid(have).ravel())
    spots = np.unique(np.linspace(0, matrix.shape[1] - 1, chosen + 2).astype(int)[1:-1])
    if matrix.shape[1] == 1:
        spots = np.array([0])
    out: dict[str, Any] = {"weight": weight, "chosen": spots}
    for name, quantity in (("dose", matrix), ("let_dose", let)):
        if quantity is not None:
            out[name] = (quantity @ weight).astype(np.float32).reshape(shape)
            out[f"{name}_uniform"] = (quantity @ np.ones(weight.size)).astype(np.float32).reshape(shape)
            of_spot = [np.asarray(quantity[:, [s]].todense()).reshape(shape) for s in spots]
            out[f"{name}_of_spot"] = np.array(of_spot, dtype=np.float32)
    return out


def target_on_dose_grid(have: dict[str, Any]) -> np.ndarray:
    image = SimpleITK.GetImageFromArray(have["target"].astype(np.uint8))
    image.SetSpacing(have["ct_spacing"].tolist())
    image.SetOrigin(have["ct_origin"].tolist())
    like = SimpleITK.GetImageFromArray(have["rsp"])
    like.SetSpacing(have["dose_spacing"].tolist())
    like.SetOrigin(have["dose_origin"].tolist())
    return (
        SimpleITK.GetArrayFromImage(
            SimpleITK.Resample(image, like, SimpleITK.Transform(), SimpleITK.sitkNearestNeighbor)
        )
        > 0
    )


def flat_weights(matrix: csc_array, target: np.ndarray) -> np.ndarray:
    """Positive weights for 2 Gy in the target, by 40 steps of the multiplicative rule for least squares."""
    rows = matrix.tocsr()[np.flatnonzero(target)]
    weight = np.ones(matrix.shape[1])
    wanted = rows.T @ np.full(rows.shape[0], 2.0)
    for _ in range(40):
        got = rows.T @ (rows @ weight)
        weight *= np.divide(wanted, got, out=np.zeros_like(got), where=got > 0.0)
    return weight


if __name__ == "__main__":
    main()
