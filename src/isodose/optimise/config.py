"""What to plan, as a YAML file: beams or an arc, objectives, scenarios and when to stop.

A file holds these keys (those with a value here may be left out)::

    name: null                       # of the plan; by default patient and ion
    ion: proton                      # proton, helium, carbon or oxygen
    machine: null                    # a built-in machine or a YAML file; by default the ion's generic one
    fractions: 30
    prescription_gy: 2.0             # per fraction; doses below are per fraction too
    target: PTV                      # spots are placed over it
    beams:
      - gantry_deg: 90.0
        couch_deg: 0.0
        range_shifter: null          # one of the machine's by name, or {material: pmma, thickness_mm: 20.0,
                                     # distance_mm: 300.0}; null: the machine's thinnest, if one is needed
    arc:                             # in place of beams
      start_deg: 0.0
      stop_deg: 360.0                # below start_deg: counter-clockwise
      spacing_deg: 5.0               # of the control points
      couch_deg: 0.0
      range_shifter: null            # as of a beam, over the whole arc; null: none
      arcs: 1                        # or 2, the second one back
      layers_per_point: 1
      selector: joint                # joint, exact, coverage, swarm or unet: who chooses the energy layers
      budget_s: 51.0                 # switching time; the swarm knows none, all but joint may have null
      switching: cyclotron           # a preset of isodose.arc.switch_table, or a file (YAML or CSV) with a
                                     # table of isodose.arc.switch_table_file
      organs: []                     # spots that reach them count less; not for joint and coverage, but
                                     # for the frontier; the unet needs one
      delivery:                      # for the time of delivery; it does not tell which layers are chosen
        gantry_speed_deg_s: 6.0
        gantry_acceleration_deg_s2: null  # null: speed changes at once
        spot_switch_s: 0.002         # from one spot to the next
        s_per_mu: 0.005
    spots:                           # null: by the size of the machine's spots
      spacing_mm: null
      layer_spacing_mm: null
      lateral_margin_mm: null
      proximal_margin_mm: 2.0
      distal_margin_mm: 2.0
      minimum_mu: 0.0                # monitor units of the smallest spot in one fraction
    dose_spacing_mm: 3.0
    rbe: null                        # or {model: mkm, tissues: file.yaml}
    objectives:
      - structure: PTV
        objective: squared_deviation # see isodose.optimise.objectives; its parameters follow
        d_ref: 2.0
        priority: 100.0
        quantity: dose               # dose, rbe_dose, letd, let_dose (LETd x dose), or cluster dose:
                                     # cluster_f1 to cluster_f10, with d_ref, d_max, ... in 1e15/kg
        robust: false                # in all scenarios, or in the nominal one only
    constraints:                     # limits that the plan must keep, whatever the ranks
      - structure: SpinalCord
        constraint: max_dose         # or min_dose, max_mean, min_mean
        limit: 1.2
        quantity: dose               # as of an objective
        robust: false                # max_dose and min_dose only: in every scenario
    ranks: {}                        # by structure: 1 keeps the voxels it shares with 2; by default targets
                                     # have 1, others 2, the body's outline 3
    scenarios:
      count: 1                       # 1, 9 or 21
      setup_mm: 3.0
      range_percent: 3.5
      robustness: expectation        # or composite_, objective_wise_ or voxel_wise_worst_case
      memory_gib: 8.0                # of the matrices of all scenarios
    solver: {iterations: 500, value_tolerance: 1.0e-3, optimality_tolerance: 1.0e-8, seconds: null}

Photons have ``modality: photon`` in place of ``ion``, no machine, arc, range shifter, spots, rbe or scenarios
and no quantity but ``dose``, and::

    bixels:
      side_mm: 5.0                   # on the isocentre plane
      margin_mm: 5.0                 # from the target's shadow to the middle of a bixel
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from isodose.dose.quantity import CLUSTER_DOSES
from isodose.errors import InputError
from isodose.machine.yaml_schema import Count, NotNegative, Number, Positive, Strict, Text, read_yaml
from isodose.optimise.constraint import Kind
from isodose.optimise.robustness import Robustness

TEMPLATES = ("head", "thorax", "pelvis", "arc_head", "photon_head")
"""Configurations that come with the package, for the built-in patients that their names end in."""

USUAL_BUDGET_S = 51.0
"""Switching time of the published plans that Yang et al. (arXiv 2506.15803) compare with."""

PARAMETERS = ("d_ref", "d_min", "d_max", "d", "v_min", "v_max", "eud_ref", "k", "f_diff", "softness_gy")
"""What objectives may be given."""


_OBJECTIVES_IN = ("dose", "rbe_dose", "letd", "let_dose", *(q.stem for q in CLUSTER_DOSES))


def _known_quantity(name: str) -> str:
    if name not in _OBJECTIVES_IN:
        raise ValueError(f"one of {', '.join(_OBJECTIVES_IN)}")
    return name


class ShifterEntry(Strict):
    """A range shifter: one of the machine's by its name, or a slab of a thickness."""

    name: Annotated[Text, Field(max_length=16)] | None = None
    thickness_mm: Positive | None = None
    material: Text | None = None
    distance_mm: NotNegative | None = None

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if self.thickness_mm is None and self.name is None:
            raise ValueError("the name of one of the machine's range shifters, or a slab's thickness_mm")
        if self.thickness_mm is None and self.material is not None:
            raise ValueError("a thickness_mm beside the material, or a name alone")
        return self


def _by_name(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


Shifter = Annotated[ShifterEntry, BeforeValidator(_by_name)]


class BeamEntry(Strict):
    """A field."""

    gantry_deg: Number
    couch_deg: Number = 0.0
    range_shifter: Shifter | None = None


class DeliveryEntry(Strict):
    """How fast the gantry turns and spots follow one another."""

    gantry_speed_deg_s: Positive = 6.0
    gantry_acceleration_deg_s2: Positive | None = None
    spot_switch_s: NotNegative = 0.002
    s_per_mu: NotNegative = 0.005


def _usual_budget(entry: dict[str, Any]) -> float | None:
    return None if entry.get("selector") == "swarm" else USUAL_BUDGET_S


class ArcEntry(Strict):
    """An arc, and how its energy layers are chosen."""

    start_deg: Number = 0.0
    stop_deg: Number = 360.0
    spacing_deg: Positive = 5.0
    couch_deg: Number = 0.0
    range_shifter: Shifter | None = None
    arcs: Literal[1, 2] = 1
    layers_per_point: Count = 1
    selector: Literal["joint", "exact", "coverage", "swarm", "unet"] = "joint"
    budget_s: NotNegative | None = Field(default_factory=_usual_budget)
    switching: Text = "cyclotron"
    organs: Annotated[tuple[Text, ...], Field(validate_default=True)] = ()
    delivery: DeliveryEntry = DeliveryEntry()

    @field_validator("budget_s")
    @classmethod
    def _goes_with_selector(cls, value: float | None, info: ValidationInfo) -> float | None:
        selector = info.data.get("selector")
        if selector == "swarm" and value is not None:
            raise ValueError("null for the swarm, which knows no budget")
        if selector == "joint" and value is None:
            raise ValueError("a time in s for the joint selector")
        return value

    @field_validator("organs")
    @classmethod
    def _read_by_selector(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("selector") == "unet" and not value:
            raise ValueError("at least one organ to avoid, whose spots the unet reads")
        return value


class SpotsEntry(Strict):
    """Where spots may be."""

    spacing_mm: Positive | None = None
    layer_spacing_mm: Positive | None = None
    lateral_margin_mm: NotNegative | None = None
    proximal_margin_mm: NotNegative = 2.0
    distal_margin_mm: NotNegative = 2.0
    minimum_mu: NotNegative = 0.0


class RbeEntry(Strict):
    """How RBE-weighted dose comes about."""

    model: Text
    tissues: Text | None = None


class ObjectiveEntry(Strict):
    """An objective in a structure."""

    structure: Text
    objective: Text
    priority: Positive = 1.0
    quantity: Annotated[Text, AfterValidator(_known_quantity)] = "dose"
    robust: bool = False
    d_ref: NotNegative | None = None
    d_min: NotNegative | None = None
    d_max: NotNegative | None = None
    d: NotNegative | None = None
    v_min: Positive | None = None
    v_max: Positive | None = None
    eud_ref: NotNegative | None = None
    k: Number | None = None
    f_diff: Literal["linear", "quadratic"] | None = None
    softness_gy: Positive | None = None

    def given(self) -> dict[str, float | str]:
        """Parameters of the objective that the file has."""
        values = {name: getattr(self, name) for name in PARAMETERS}
        return {name: value for name, value in values.items() if value is not None}


class ConstraintEntry(Strict):
    """A limit in a structure that the plan must keep."""

    structure: Text
    constraint: Kind
    limit: Positive
    quantity: Annotated[Text, AfterValidator(_known_quantity)] = "dose"
    robust: bool = False

    @field_validator("robust")
    @classmethod
    def _not_of_means(cls, value: bool, info: ValidationInfo) -> bool:
        if value and "constraint" in info.data and info.data["constraint"].of_mean:
            raise ValueError("false for a mean")
        return value


class ScenariosEntry(Strict):
    """What may go wrong."""

    count: Literal[1, 9, 21] = 1
    setup_mm: Positive = 3.0
    range_percent: Positive = 3.5
    robustness: Robustness = Robustness.EXPECTATION
    memory_gib: Positive = 8.0


class SolverEntry(Strict):
    """When to stop."""

    iterations: Count = 500
    value_tolerance: NotNegative = 1e-3
    optimality_tolerance: NotNegative = 1e-8
    seconds: Positive | None = None


class GoalsConfig(Strict):
    """What to reach, whatever is to reach it."""

    name: Text | None = None
    fractions: Count = 1
    prescription_gy: Positive
    target: Text
    dose_spacing_mm: Positive = 3.0
    objectives: Annotated[tuple[ObjectiveEntry, ...], Field(min_length=1)]
    constraints: tuple[ConstraintEntry, ...] = ()
    ranks: dict[str, Count] = Field(default_factory=dict)
    solver: SolverEntry = SolverEntry()


class PlanConfig(GoalsConfig):
    """What to plan with ions."""

    modality: Literal["ion"] = "ion"
    ion: Literal["proton", "helium", "carbon", "oxygen"]
    machine: Text | None = None
    beams: tuple[BeamEntry, ...] = ()
    arc: ArcEntry | None = Field(default=None, validate_default=True)
    spots: SpotsEntry = SpotsEntry()
    rbe: RbeEntry | None = None
    scenarios: ScenariosEntry = ScenariosEntry()

    @field_validator("arc")
    @classmethod
    def _in_place_of_beams(cls, value: ArcEntry | None, info: ValidationInfo) -> ArcEntry | None:
        if "beams" in info.data and bool(info.data["beams"]) == (value is not None):
            raise ValueError("no arc beside beams" if value is not None else "an arc, or at least one beam")
        return value


class PhotonBeamEntry(Strict):
    """A field of photons."""

    gantry_deg: Number
    couch_deg: Number = 0.0


class BixelsEntry(Strict):
    """Where bixels are."""

    side_mm: Annotated[Number, Field(ge=1.0, le=100.0)] = 5.0
    margin_mm: Annotated[Number, Field(ge=0.0, le=100.0)] = 5.0


class PhotonConfig(GoalsConfig):
    """What to plan with photons."""

    modality: Literal["photon"]
    beams: Annotated[tuple[PhotonBeamEntry, ...], Field(min_length=1)]
    bixels: BixelsEntry = BixelsEntry()


class _Modality(Strict):
    """The one key that tells which of the two a file is."""

    model_config = ConfigDict(extra="ignore")
    modality: Literal["ion", "photon"] = "ion"


def read_config(path: str | Path) -> PlanConfig | PhotonConfig:
    """Configuration of a YAML file, or the template of a name in `TEMPLATES`.

    Raises
    ------
    InputError
        Naming the file and the field that is wrong.
    """
    if str(path) in TEMPLATES:
        path = Path(str(files("isodose.optimise") / "templates" / f"{path}.yaml"))
    if not Path(path).exists():
        raise InputError("CONFIG", repr(str(path)), f"a YAML file, or one of {', '.join(TEMPLATES)}")
    if read_yaml(path, _Modality).modality == "photon":
        return read_yaml(path, PhotonConfig)
    return read_yaml(path, PlanConfig)
