"""How far an engine is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """A report that an engine gives now and then.

    Parameters
    ----------
    done, total
        Work finished and wanted.
    elapsed_s, remaining_s
        Time so far and an estimate of what is left, in seconds.
    uncertainty
        Mean relative uncertainty of the dose above half of its maximum; nan where it is not known.
    unit
        What is counted.
    """

    done: int
    total: int
    elapsed_s: float
    remaining_s: float
    uncertainty: float = float("nan")
    unit: str = "histories"
