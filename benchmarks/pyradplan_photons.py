"""Run pyRadPlan's photon beam and keep what isodose is compared with: ``PEER/bin/python ... OUT``.

It runs in an environment of its own, as `pyradplan_peer.py` does. It times the influence matrix of TG119's
target from the given angles, with bixels of 5 mm and pyRadPlan's cut-off, and writes one ``.npz``: the CT
(``ct_hu`` [z, y, x], ``ct_spacing``, ``ct_origin``), ``body`` and ``target``, the dose grid
(``dose_spacing``, ``dose_origin``), ``dose`` of bixels of weight 1, the bixels (``beam``, ``x``, ``y``),
``gantry_deg``, ``isocentre``, and ``figures`` as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
import SimpleITK
from pyRadPlan import PhotonPlan, generate_stf, load_tg119, settings
from pyRadPlan.dose.engines import get_engine


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--angles", default="0", help="gantry angles, degree")
    parser.add_argument("--grid", type=float, default=3.0, help="of the dose, mm")
    options = parser.parse_args()
    settings.xp.prefer_gpu = False
    settings.xp.preferred_cpu_array_backend = "numpy"
    ct, structures = load_tg119()
    plan = PhotonPlan()
    angles = [float(a) for a in options.angles.split(",")]
    plan.prop_stf = {"gantry_angles": angles, "couch_angles": [0.0] * len(angles), "bixel_width": 5.0}
    plan.prop_dose_calc["dose_grid"] = {"resolution": dict.fromkeys("xyz", options.grid)}
    steering = generate_stf(ct, structures, plan)
    engine = get_engine(plan)
    begun = sum(os.times()[:2])
    influence = engine.calc_dose_influence(ct, structures, steering)
    seconds = sum(os.times()[:2]) - begun
    matrix = influence.physical_dose.flat[0]
    grid = influence.dose_grid
    shape = [int(n) for n in grid.dimensions][::-1]
    rays = [(b, *ray.ray_pos_bev[[0, 2]]) for b, beam in enumerate(steering.beams) for ray in beam.rays]
    columns = np.array(rays, dtype=np.float64).T
    masks = {v.name: SimpleITK.GetArrayFromImage(v.mask).astype(bool) for v in structures.vois}
    figures = {
        "cpu_s": round(seconds, 2),
        "nonzeros": int(matrix.nnz),
        "cutoff_mm": float(engine.geometric_lateral_cutoff),
    }
    np.savez_compressed(
        options.out,
        ct_hu=SimpleITK.GetArrayFromImage(ct.cube_hu).astype(np.float32),
        ct_spacing=ct.cube_hu.GetSpacing(),
        ct_origin=ct.cube_hu.GetOrigin(),
        body=masks["BODY"],
        target=masks["OuterTarget"],
        dose_spacing=[float(grid.resolution[a]) for a in "xyz"],
        dose_origin=[float(v) for v in grid.origin],
        dose=(matrix @ np.ones(matrix.shape[1])).astype(np.float32).reshape(shape),
        beam=columns[0].astype(np.int32),
        x=columns[1],
        y=columns[2],
        gantry_deg=angles,
        isocentre=np.array([beam.iso_center for beam in steering.beams]).reshape(-1, 3),
        figures=json.dumps(figures),
    )


if __name__ == "__main__":
    main()
