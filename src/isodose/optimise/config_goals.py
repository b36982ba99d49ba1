"""From the objectives of a configuration to goals, with everything that cannot be meant refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path

from isodose.biology.models import check_ion, model
from isodose.biology.tissue import TissueMap, read_tissue_map, tissue
from isodose.errors import InputError
from isodose.optimise.cluster_quantity import cluster_dose, cluster_quantity
from isodose.optimise.config import ObjectiveEntry, PlanConfig
from isodose.optimise.dvh_points import MaxDvh, MinDvh
from isodose.optimise.extremes import MaxDose, MinDose
from isodose.optimise.goal import Goal, voxels_by_structure
from isodose.optimise.objective import Objective
from isodose.optimise.objectives import OBJECTIVES
from isodose.optimise.rbe_quantity import rbe_dose
from isodose.optimise.squared import SquaredDeviation, SquaredOverdosing, SquaredUnderdosing
from isodose.optimise.voxel_quantity import LetOfDose, LetTimesDose, PhysicalDose, VoxelQuantity
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.structure import Role

_FROM_BELOW = (SquaredDeviation, SquaredUnderdosing, MinDose)
_FROM_ABOVE = (SquaredDeviation, SquaredOverdosing, MaxDose)


def goals_of(config: PlanConfig, patient: Patient, grid: Grid) -> tuple[Goal, ...]:
    """Goals of a configuration.

    Parameters
    ----------
    config
        The configuration.
    patient
        Has the structures.
    grid
        Of the influence matrix.

    Raises
    ------
    InputError
        If an objective is unknown, lacks a parameter or has one that it does not take; if two contradict each
        other; if a structure is not there or has no voxel left; or for an RBE model that is not for the beam.
    """
    functions = [_objective(entry, f"objectives[{i}]") for i, entry in enumerate(config.objectives)]
    check_contradictions(config.objectives, functions)
    # Names as the patient has them, so that structures are the same whatever their case.
    names = [patient.structure(entry.structure).name for entry in config.objectives]
    voxels = voxels_by_structure(patient, grid, _ranks(config, patient, names))
    quantities = _quantities(config, patient, grid)
    return tuple(
        Goal(function, voxels[name], entry.priority, name, quantities[entry.quantity], entry.robust)
        for entry, function, name in zip(config.objectives, functions, names, strict=True)
    )


def check_contradictions(entries: Sequence[ObjectiveEntry], functions: Sequence[Objective]) -> None:
    """Refuse objectives that no dose could meet, or that are there twice.

    Raises
    ------
    InputError
        Naming both.
    """
    for i, (first, wanted) in enumerate(zip(entries, functions, strict=True)):
        for j, (second, limit) in enumerate(zip(entries, functions, strict=True)):
            same = first.structure.casefold() == second.structure.casefold()
            if i == j or not same or first.quantity != second.quantity:
                continue
            if j > i and wanted == limit:
                raise InputError(f"objectives[{j}]", f"the same as objectives[{i}]", "each objective once")
            if _contradict(wanted, limit):
                expected = f"one that goes with {limit} of objectives[{j}]"
                raise InputError(f"objectives[{i}] for {first.structure!r}", wanted, expected)


def _contradict(wanted: Objective, limit: Objective) -> bool:
    if isinstance(wanted, MinDvh) and isinstance(limit, MaxDvh):
        return wanted.d >= limit.d and wanted.v_min > limit.v_max
    from_below = isinstance(wanted, (*_FROM_BELOW, MinDvh))
    from_above = isinstance(limit, _FROM_ABOVE)
    if from_below and isinstance(limit, MaxDvh) and not isinstance(wanted, MinDvh):
        return wanted.reference > limit.d
    return from_below and from_above and wanted.reference > limit.reference


def _objective(entry: ObjectiveEntry, place: str) -> Objective:
    if entry.objective not in OBJECTIVES:
        raise InputError(f"{place}.objective", repr(entry.objective), f"one of {', '.join(OBJECTIVES)}")
    kind, given = OBJECTIVES[entry.objective], entry.given()
    takes = signature(kind).parameters
    for name in given:
        if name not in takes:
            raise InputError(f"{place}.{name}", given[name], f"{', '.join(takes)} for {entry.objective}")
    for name, parameter in takes.items():
        if parameter.default is parameter.empty and name not in given:
            raise InputError(f"{place}.{name}", "nothing", f"a value for {entry.objective}")
    return kind(**given)


def _ranks(config: PlanConfig, patient: Patient, names: Sequence[str]) -> dict[str, int]:
    given = {patient.structure(name).name: rank for name, rank in config.ranks.items()}
    for name in given:
        if name not in names:
            raise InputError(f"ranks.{name}", given[name], "ranks of structures that have objectives")
    return {name: given.get(name, _usual_rank(patient.structure(name).role)) for name in names}


def _usual_rank(role: Role) -> int:
    if role.is_target:
        return 1
    return 3 if role is Role.EXTERNAL else 2


def _quantities(config: PlanConfig, patient: Patient, grid: Grid) -> Mapping[str, VoxelQuantity]:
    found: dict[str, VoxelQuantity] = {
        "dose": PhysicalDose(),
        "letd": LetOfDose(),
        "let_dose": LetTimesDose(),
    }
    if config.rbe is not None:
        chosen = model(config.rbe.model)
        check_ion(chosen, config.ion)
        found["rbe_dose"] = rbe_dose(chosen, patient, tissues_of(config), grid)
    for i, entry in enumerate(config.objectives):
        clusters = cluster_quantity(entry.quantity)
        if clusters is not None and entry.quantity not in found:
            found[entry.quantity] = cluster_dose(clusters, patient, grid)
        if entry.quantity not in found:
            raise InputError(
                f"objectives[{i}].quantity", entry.quantity, "an RBE model under rbe.model for it"
            )
    return found


def tissues_of(config: PlanConfig) -> TissueMap:
    """Response to photons of the structures, by default that of alpha/beta 2 Gy everywhere."""
    if config.rbe is None or config.rbe.tissues is None:
        return TissueMap(tissue("chordoma"))
    return read_tissue_map(Path(config.rbe.tissues))
