"""From the objectives of a configuration to goals, with everything that cannot be meant refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path

import numpy as np

from isodose.biology.models import check_ion, model
from isodose.biology.tissue import TissueMap, read_tissue_map, tissue
from isodose.errors import InputError
from isodose.optimise.cluster_quantity import cluster_dose, cluster_quantity
from isodose.optimise.config import GoalsConfig, ObjectiveEntry, PhotonConfig, PlanConfig
from isodose.optimise.constraint import Constraint
from isodose.optimise.dvh_points import MaxDvh, MinDvh
from isodose.optimise.extremes import MaxDose, MinDose
from isodose.optimise.goal import Goal, voxels_by_structure, voxels_of
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


def goals_of(config: GoalsConfig, patient: Patient, grid: Grid) -> tuple[Goal, ...]:
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


def constraints_of(config: GoalsConfig, patient: Patient, grid: Grid) -> tuple[Constraint, ...]:
    """Constraints of a configuration, of all voxels of their structures whatever their ranks.

    Parameters
    ----------
    config, patient, grid
        As of `goals_of`.

    Raises
    ------
    InputError
        If a structure is not there or has no voxel, a constraint is there twice, or two cannot both hold.
    """
    quantities = _quantities(config, patient, grid)
    found = []
    for entry in config.constraints:
        structure = patient.structure(entry.structure)
        voxels, quantity = voxels_of(structure, grid), quantities[entry.quantity]
        found.append(
            Constraint(entry.constraint, entry.limit, voxels, structure.name, quantity, entry.robust)
        )
    _check_constraints(found)
    return tuple(found)


def _check_constraints(constraints: Sequence[Constraint]) -> None:
    """Refuse constraints that are there twice, and pairs that no dose can keep."""
    for j, second in enumerate(constraints):
        for i, first in enumerate(constraints[:j]):
            if first.quantity.label != second.quantity.label:
                continue
            if (first.kind, first.structure) == (second.kind, second.structure):
                expected = f"one {second.kind} in {second.structure!r}, as constraints[{i}]"
                raise InputError(f"constraints[{j}]", "another one", expected)
            low, high = (second, first) if first.kind.from_above else (first, second)
            if low.kind.from_above or not high.kind.from_above or low.limit <= high.limit:
                continue
            shared = _where_both_hold(low, high)
            if shared:
                found = f"{second.kind} {second.limit:g} in {second.structure!r}"
                expected = (
                    f"a limit that goes with {first.kind} {first.limit:g} of constraints[{i}] in {shared}"
                )
                raise InputError(f"constraints[{j}]", found, expected)


def _where_both_hold(low: Constraint, high: Constraint) -> str:
    """Where a lower limit above an upper one cannot be kept, in words; empty where both can."""
    if low.structure == high.structure:
        return repr(low.structure)
    if low.kind.of_mean or high.kind.of_mean:
        return ""
    shared = np.intersect1d(low.voxels, high.voxels, assume_unique=True).size
    return f"the {shared} voxels that {low.structure!r} and {high.structure!r} share" if shared else ""


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


def _ranks(config: GoalsConfig, patient: Patient, names: Sequence[str]) -> dict[str, int]:
    given = {patient.structure(name).name: rank for name, rank in config.ranks.items()}
    for name in given:
        if name not in names:
            raise InputError(f"ranks.{name}", given[name], "ranks of structures that have objectives")
    return {name: given.get(name, _usual_rank(patient.structure(name).role)) for name in names}


def _usual_rank(role: Role) -> int:
    if role.is_target:
        return 1
    return 3 if role is Role.EXTERNAL else 2


def _quantities(config: GoalsConfig, patient: Patient, grid: Grid) -> Mapping[str, VoxelQuantity]:
    found: dict[str, VoxelQuantity] = {"dose": PhysicalDose()}
    expected = "an RBE model under rbe.model for it"
    if isinstance(config, PhotonConfig):
        expected = "dose, which is all that photons have"
    else:
        found |= {"letd": LetOfDose(), "let_dose": LetTimesDose()}
    if isinstance(config, PlanConfig) and config.rbe is not None:
        chosen = model(config.rbe.model)
        check_ion(chosen, config.ion)
        found["rbe_dose"] = rbe_dose(chosen, patient, tissues_of(config), grid)
    wanted = [(f"objectives[{i}].quantity", entry.quantity) for i, entry in enumerate(config.objectives)]
    wanted += [(f"constraints[{i}].quantity", entry.quantity) for i, entry in enumerate(config.constraints)]
    for field, quantity in wanted:
        clusters = cluster_quantity(quantity) if isinstance(config, PlanConfig) else None
        if clusters is not None and quantity not in found:
            found[quantity] = cluster_dose(clusters, patient, grid)
        if quantity not in found:
            raise InputError(field, quantity, expected)
    return found


def tissues_of(config: PlanConfig) -> TissueMap:
    """Response to photons of the structures, by default that of alpha/beta 2 Gy everywhere."""
    if config.rbe is None or config.rbe.tissues is None:
        return TissueMap(tissue("chordoma"))
    return read_tissue_map(Path(config.rbe.tissues))
