"""What every plan with optimised weights shows, notes and reports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from isodose.cli.run import Section
    from isodose.optimise.constrained import Kept
    from isodose.optimise.solver import Iteration, Watcher
    from isodose.optimise.weighted_plan import WeightedPlan


@contextmanager
def iterations_shown(console: Console) -> Iterator[Watcher]:
    """Line of progress for the solver."""
    from isodose.dose.progress import Progress
    from isodose.report.progress_line import progress_line

    with progress_line(console) as line:

        def progress(step: Iteration) -> None:
            left = step.seconds * (step.total - step.number) / max(step.number, 1)
            unit = f"iterations (objective {step.value:.4g})"
            line(Progress(step.number, step.total, step.seconds, left, unit=unit))

        yield progress


def weight_sections(made: WeightedPlan) -> list[Section]:
    """Sections of the report on the optimisation, and on the constraints where there are any."""
    from isodose.report.optimisation import constraint_section, optimisation_section

    sections = [optimisation_section(made.result, made.task.goals, made.goal_values)]
    return [*sections, constraint_section(made.kept)] if made.kept else sections


def weight_notes(made: WeightedPlan) -> dict[str, Any]:
    """What the record says of the optimisation."""
    notes: dict[str, Any] = {
        "objective": made.result.value,
        "iterations": made.result.history[-1].number,
        "stopped": made.result.stopped,
    }
    if made.kept:
        notes["constraints"] = [
            {
                "structure": result.constraint.structure,
                "constraint": str(result.constraint.kind),
                "limit": result.constraint.limit,
                "reached": result.value,
                "holds": result.holds,
            }
            for result in made.kept
        ]
    return notes


def say_how_it_went(console: Console, made: WeightedPlan) -> None:
    """Objective, why the solver stopped, and which constraints hold."""
    console.print(f"Objective {made.result.value:.4g}, stopped for: {made.result.stopped}")
    for result in made.kept:
        console.print(_outcome(result))


def _outcome(result: Kept) -> str:
    limit = result.constraint
    end = "holds" if result.holds else f"DOES NOT HOLD, off by {result.beyond:.3g}"
    return f"Constraint {limit.label} {limit.limit:g}: reached {result.value:.4g}, {end}"
