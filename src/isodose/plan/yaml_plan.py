"""Plans as YAML files, short enough to write by hand.

A plan file holds these keys (those with a value here may be left out)::

    name: head and neck
    ion: carbon                      # proton, helium, carbon or oxygen
    machine: generic_carbon          # a built-in machine or the path of its YAML file
    fractions: 1
    prescription_gy: 2.0             # physical dose per fraction, or null
    target: PTV                      # name of a structure, or null
    metadata: {}                     # any texts
    beams:
      - name: left
        gantry_angle_deg: 90.0       # IEC 61217
        couch_angle_deg: 0.0
        isocentre_mm: [0.0, 12.5, -30.0]
        snout_position_mm: null
        range_shifter: null          # or {name: RS20, thickness_mm: 20, material: pmma, distance_mm: 400}
        layers:                      # in the order of delivery
          - energy_mev_u: 212.5      # nominal, before a range shifter
            focus: null              # or the name of one of the machine's foci
            sigma_mm: null           # or [3.1, 3.2], spot size x and y at the isocentre if not the machine's
            spots:                   # x and y on the isocentre plane in mm, particles per fraction
              - [-3.0, 0.0, 1.2e6]
              - [0.0, 0.0, 1.5e6]
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field

from isodose.machine.yaml_schema import Count, NotNegative, Number, Positive, Strict, Text, read_yaml
from isodose.patient.files import atomic_path
from isodose.plan.plan import Beam, Layer, Plan, RangeShifter, Spots

_SpotRow = tuple[Number, Number, NotNegative]


class _LayerEntry(Strict):
    energy_mev_u: Positive
    focus: Text | None = None
    sigma_mm: tuple[Positive, Positive] | None = None
    spots: list[_SpotRow]


class _ShifterEntry(Strict):
    name: Text
    thickness_mm: Positive
    material: Text = "lexan"
    distance_mm: NotNegative = 300.0


class _BeamEntry(Strict):
    name: Text
    gantry_angle_deg: Number
    couch_angle_deg: Number = 0.0
    isocentre_mm: tuple[Number, Number, Number]
    snout_position_mm: Number | None = None
    range_shifter: _ShifterEntry | None = None
    layers: list[_LayerEntry]


class _PlanFile(Strict):
    name: Text
    ion: Literal["proton", "helium", "carbon", "oxygen"]
    machine: Text
    fractions: Count = 1
    prescription_gy: Positive | None = None
    target: Text | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    beams: Annotated[list[_BeamEntry], Field(min_length=1)]


def read_plan(path: str | Path) -> Plan:
    """Plan of a YAML file.

    Raises
    ------
    InputError
        Naming the file and the field that is wrong, as ``beams[0].layers[2].energy_mev_u``.
    """
    entry = read_yaml(path, _PlanFile)
    return Plan(
        name=entry.name,
        ion=entry.ion,
        machine=entry.machine,
        beams=tuple(_beam(beam) for beam in entry.beams),
        fractions=entry.fractions,
        prescription_gy=entry.prescription_gy,
        target=entry.target,
        metadata=dict(entry.metadata),
    )


def _beam(entry: _BeamEntry) -> Beam:
    shifter = entry.range_shifter
    return Beam(
        name=entry.name,
        gantry_angle_deg=entry.gantry_angle_deg,
        couch_angle_deg=entry.couch_angle_deg,
        isocentre_mm=entry.isocentre_mm,
        layers=tuple(_layer(layer) for layer in entry.layers),
        range_shifter=None if shifter is None else RangeShifter(**shifter.model_dump()),
        snout_position_mm=entry.snout_position_mm,
    )


def _layer(entry: _LayerEntry) -> Layer:
    columns = [list(column) for column in zip(*entry.spots, strict=True)] or [[], [], []]
    spots = Spots(*columns)  # type: ignore[arg-type]  # made arrays by Spots
    return Layer(entry.energy_mev_u, spots, entry.sigma_mm, entry.focus)


class _Row(list[float]):
    """A list that is written on one line."""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Safe dumper that writes a `_Row` on one line."""


_Dumper.add_representer(
    _Row, lambda dumper, row: dumper.represent_sequence("tag:yaml.org,2002:seq", row, flow_style=True)
)


def write_plan(plan: Plan, path: str | Path) -> None:
    """Write a plan as YAML; `read_plan` gives back the same numbers."""
    document: dict[str, Any] = {
        "name": plan.name,
        "ion": plan.ion,
        "machine": plan.machine,
        "fractions": plan.fractions,
        "prescription_gy": plan.prescription_gy,
        "target": plan.target,
        "metadata": dict(plan.metadata),
        "beams": [_beam_entry(beam) for beam in plan.beams],
    }
    with atomic_path(Path(path)) as beside, beside.open("w", encoding="utf-8") as stream:
        yaml.dump(document, stream, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


def _beam_entry(beam: Beam) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": beam.name,
        "gantry_angle_deg": float(beam.gantry_angle_deg),
        "couch_angle_deg": float(beam.couch_angle_deg),
        "isocentre_mm": _Row(float(v) for v in beam.isocentre_mm),
    }
    if beam.snout_position_mm is not None:
        entry["snout_position_mm"] = float(beam.snout_position_mm)
    if beam.range_shifter is not None:
        shifter = beam.range_shifter
        entry["range_shifter"] = {
            "name": shifter.name,
            "thickness_mm": float(shifter.thickness_mm),
            "material": shifter.material,
            "distance_mm": float(shifter.distance_mm),
        }
    entry["layers"] = [
        {
            "energy_mev_u": float(layer.energy_mev_u),
            **({} if layer.focus is None else {"focus": layer.focus}),
            **({} if layer.sigma_mm is None else {"sigma_mm": _Row(layer.sigma_mm)}),
            "spots": [
                _Row(row)
                for row in zip(
                    layer.spots.x_mm.tolist(),
                    layer.spots.y_mm.tolist(),
                    layer.spots.particles.tolist(),
                    strict=True,
                )
            ],
        }
        for layer in beam.layers
    ]
    return entry
