"""Plans of photon fields as YAML files: the fluence of every field, to compute again.

A file holds these keys (those with a value here may be left out)::

    modality: photon
    name: nasopharynx
    machine: generic_6mv             # name of the kernel
    bixel_mm: 5.0                    # side of a bixel on the isocentre plane
    fractions: 1
    prescription_gy: 2.0             # per fraction, or null
    target: PTV                      # name of a structure, or null
    beams:
      - name: left
        gantry_angle_deg: 90.0       # IEC 61217
        couch_angle_deg: 0.0
        isocentre_mm: [0.0, 12.5, -30.0]
        bixels:                      # x and y of the middle on the isocentre plane in mm, monitor units
          - [-5.0, 0.0, 0.71]
          - [0.0, 0.0, 0.93]
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import yaml
from pydantic import Field

from isodose.machine.yaml_schema import Count, NotNegative, Number, Positive, Strict, Text, read_yaml
from isodose.patient.files import atomic_path
from isodose.photon.bixels import VOLTAGE_MV
from isodose.photon.generic_6mv import GENERIC_6MV
from isodose.photon.photon_plan import PHOTON, PhotonPlan
from isodose.plan.plan import Beam, Layer, Spots


class _BeamEntry(Strict):
    name: Text
    gantry_angle_deg: Number
    couch_angle_deg: Number = 0.0
    isocentre_mm: tuple[Number, Number, Number]
    bixels: Annotated[list[tuple[Number, Number, NotNegative]], Field(min_length=1)]


class _PlanFile(Strict):
    modality: Literal["photon"]
    name: Text
    machine: Text = GENERIC_6MV.name
    bixel_mm: Positive = 5.0
    fractions: Count = 1
    prescription_gy: Positive | None = None
    target: Text | None = None
    beams: Annotated[list[_BeamEntry], Field(min_length=1)]


def read_photon_plan(path: str | Path) -> PhotonPlan:
    """Plan of a YAML file.

    Raises
    ------
    InputError
        Naming the file and the field that is wrong.
    """
    entry = read_yaml(path, _PlanFile)
    beams = []
    for beam in entry.beams:
        x, y, units = np.array(beam.bixels, dtype=np.float64).T
        layer = Layer(VOLTAGE_MV, Spots(x, y, units))
        beams.append(
            Beam(beam.name, beam.gantry_angle_deg, beam.couch_angle_deg, beam.isocentre_mm, (layer,))
        )
    return PhotonPlan(
        name=entry.name,
        ion=PHOTON,
        machine=entry.machine,
        beams=tuple(beams),
        fractions=entry.fractions,
        prescription_gy=entry.prescription_gy,
        target=entry.target,
        bixel_mm=entry.bixel_mm,
    )


def write_photon_plan(plan: PhotonPlan, path: str | Path) -> None:
    """Write a plan; what `read_photon_plan` reads from it gives the same dose.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    document = {
        "modality": PHOTON,
        "name": plan.name,
        "machine": plan.machine,
        "bixel_mm": float(plan.bixel_mm),
        "fractions": int(plan.fractions),
        "prescription_gy": None if plan.prescription_gy is None else float(plan.prescription_gy),
        "target": plan.target,
        "beams": [
            {
                "name": beam.name,
                "gantry_angle_deg": float(beam.gantry_angle_deg),
                "couch_angle_deg": float(beam.couch_angle_deg),
                "isocentre_mm": [float(v) for v in beam.isocentre_mm],
                "bixels": [
                    [float(x), float(y), float(units)]
                    for layer in beam.layers
                    for x, y, units in zip(
                        layer.spots.x_mm, layer.spots.y_mm, layer.spots.particles, strict=True
                    )
                ],
            }
            for beam in plan.beams
        ],
    }
    text = yaml.safe_dump(document, sort_keys=False, default_flow_style=None)
    with atomic_path(Path(path)) as file:
        file.write_text(text, encoding="utf-8")
