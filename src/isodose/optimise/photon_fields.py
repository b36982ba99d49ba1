"""Plans of intensity-modulated photon fields: bixels placed, influence computed, weights optimised."""

from __future__ import annotations

from dataclasses import dataclass

from isodose.dose.dose import Dose
from isodose.optimise.config import PhotonConfig
from isodose.optimise.config_goals import constraints_of, goals_of
from isodose.optimise.constrained import kept
from isodose.optimise.problem import Problem
from isodose.optimise.solver import Watcher
from isodose.optimise.weighted_plan import (
    GoalTask,
    Say,
    WeightedPlan,
    optimised_weights,
    voxels_seen,
    with_weights,
)
from isodose.patient.patient import Patient
from isodose.photon.bixels import bixel_plan
from isodose.photon.engine import PhotonBeams
from isodose.photon.photon_plan import PhotonPlan
from isodose.plan.simple_plan import check_inside


@dataclass(frozen=True, slots=True, eq=False)
class PhotonFields(WeightedPlan):
    """A plan of photon fields, and how it came about.

    Parameters
    ----------
    plan, task, goal_values, kept, result
        As of a `WeightedPlan`; weights are monitor units of bixels.
    engine
        That computed the influence, for the dose.
    """

    plan: PhotonPlan
    engine: PhotonBeams

    def dose(self, patient: Patient) -> Dose:
        """Dose per fraction, with the scatter that the influence leaves out."""
        return self.engine.compute(patient, self.plan)


def plan_photons(
    patient: Patient,
    config: PhotonConfig,
    threads: int | None = None,
    progress: Watcher | None = None,
    say: Say = lambda _: None,
) -> PhotonFields:
    """Plan photon fields.

    Parameters
    ----------
    patient, config, threads, progress, say
        As of `isodose.optimise.field_plan.plan_fields`.

    Raises
    ------
    InputError
        If the configuration does not go with the patient.
    """
    engine = PhotonBeams(config.dose_spacing_mm, threads=threads)
    grid = engine.grid(patient)
    check_inside(patient, patient.structure(config.target))
    goals, constraints = goals_of(config, patient, grid), constraints_of(config, patient, grid)
    task = GoalTask(patient, config, goals, constraints)
    say("placing bixels")
    plan = bixel_plan(
        patient,
        config.target,
        [beam.gantry_deg for beam in config.beams],
        couch_angles=[beam.couch_deg for beam in config.beams],
        bixel_mm=config.bixels.side_mm,
        margin_mm=config.bixels.margin_mm,
        prescription_gy=config.prescription_gy,
        fractions=config.fractions,
        name=config.name,
    )
    say(f"influence matrix of {sum(beam.spot_count for beam in plan.beams)} bixels")
    influence = engine.influence(patient, plan, task.needs, mask=voxels_seen(task.terms, grid))
    problem = Problem(influence, task.terms, threads=threads)
    limits = f" and {len(constraints)} constraints" if constraints else ""
    say(f"optimising {problem.spots} bixels for {len(goals)} objectives{limits}")
    result = optimised_weights(problem, plan, task, progress)
    values = problem.goal_values(result.weights)[: len(goals)]
    held = kept(problem, constraints, result.weights)
    return PhotonFields(with_weights(plan, result.weights), task, values, held, result, engine)
