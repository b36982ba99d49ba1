"""The report of a machine's base data and their validation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from isodose.commissioning.spot_comparison import base_data
from isodose.commissioning.validation import RANGE_TOLERANCE, RANGE_TOLERANCE_MM, Validation
from isodose.machine.base_data import BaseData, PencilKernel
from isodose.machine.machine import Machine
from isodose.report.figures import Picture
from isodose.report.html import Fact, write_page
from isodose.report.machine_checks import (
    OUTSIDE,
    depth_comparison,
    energies_table,
    figures_table,
    lateral_comparison,
    smoothness_table,
)
from isodose.report.machine_curves import (
    beam_in_air,
    depth_doses,
    lateral_gaussians,
    letd_by_depth,
    range_figure,
    spectra_by_depth,
)
from isodose.report.tables import Table, provenance_table

_SPECTRA_AT = (0.5, 0.98)
"""Parts of the range at which spectra are drawn."""


def write_machine_report(folder: str | Path, machine: Machine, validation: Validation) -> Path:
    """Write ``report.html`` and its figures in ``figures/``.

    Parameters
    ----------
    folder
        Where; made if it is not there.
    machine
        With base data.
    validation
        Of `isodose.commissioning.validation.validate`.

    Returns
    -------
    Path
        The HTML file.

    Raises
    ------
    InputError
        If the machine has no base data.
    OutputError
        If a file cannot be written.
    """
    data = base_data(machine)
    failed = "Not every check passed; the tables mark those that did not with ✗."
    return write_page(
        Path(folder),
        f"Machine {machine.name}",
        f"{machine.ion} machine, base data against Monte Carlo",
        _facts(machine, data, validation),
        [*_data_pictures(machine, data, validation), *_spot_pictures(validation)],
        _tables(validation),
        provenance_table(validation.provenance),
        [] if validation.passed else [failed],
    )


def _facts(machine: Machine, data: BaseData, validation: Validation) -> list[Fact]:
    energies = data.energies_mev_u
    figures = [f for spot in validation.spots for f in spot.figures]
    passed = sum(f.passed for f in figures) + sum(e.passed for e in validation.energies)
    facts = [
        Fact("Ion", machine.ion),
        Fact("Energies of the base data", f"{energies.size}: {energies[0]:g} to {energies[-1]:g}", "MeV/u"),
        Fact("Ranges", f"{data.kernels[0].range_mm:.0f} to {data.kernels[-1].range_mm:.0f}", "mm of water"),
        Fact("Lateral Gaussians", f"{data.kernels[0].gaussians}"),
        Fact("Checks passed", f"{passed} of {len(figures) + len(validation.energies)}"),
    ]
    histories = data.provenance.get("histories_per_energy")
    if histories is not None:
        facts.append(Fact("Histories per energy", f"{int(histories):,}".replace(",", "\u202f")))
    return facts


def _some(kernels: tuple[PencilKernel, ...], count: int) -> list[PencilKernel]:
    return [kernels[i] for i in np.unique(np.linspace(0, len(kernels) - 1, count).round().astype(int))]


def _data_pictures(machine: Machine, data: BaseData, validation: Validation) -> list[Picture]:
    r80, csda = (np.array([getattr(e, name) for e in validation.energies]) for name in ("r80_mm", "csda_mm"))
    tolerance = np.maximum(RANGE_TOLERANCE * csda, RANGE_TOLERANCE_MM)
    pictures = [
        Picture("depth_dose", depth_doses(data.kernels), "Depth doses", "Over the plane, all energies."),
        Picture(
            "range",
            range_figure(data.energies_mev_u, r80, csda, tolerance),
            "Ranges",
            "Distal depth of 80 % of the peak less the range in the continuous slowing-down approximation; "
            "the band is the tolerance.",
        ),
        Picture(
            "gaussians",
            lateral_gaussians(_some(data.kernels, 3)),
            "Lateral Gaussians",
            "Of an infinitely narrow beam, without the size of the spot. A core below 0.35 mm follows the "
            "theory of Fermi and Eyges; dashed: R80.",
        ),
    ]
    if all(k.letd is not None for k in data.kernels):
        caption = "Dose-averaged LET in water where there is at least 0.2 % of the peak dose."
        pictures.append(Picture("letd", letd_by_depth(_some(data.kernels, 7)), "Dose-averaged LET", caption))
    if data.spectra is not None:
        middle = float(data.spectra.energy_mev_u[data.spectra.energy_mev_u.size // 2])
        pictures.append(
            Picture(
                "spectra",
                spectra_by_depth(data.spectra, middle, _SPECTRA_AT),
                f"Particle spectra, {middle:g} MeV/u",
                "Track length over the plane of the classes with the most of it.",
            )
        )
    caption = "On the isocentre plane in air, usual focus; the energy spread is that behind a ripple filter."
    pictures.append(Picture("optics", beam_in_air(machine), "Beam in air", caption))
    return pictures


def _spot_pictures(validation: Validation) -> list[Picture]:
    if not validation.spots:
        return []
    return [
        Picture(
            "spot_depth",
            depth_comparison(validation.spots),
            "A single spot in depth",
            "Over a plane of 101 mm around the axis, with one standard deviation of Monte Carlo as a band.",
        ),
        Picture(
            "spot_lateral",
            lateral_comparison(validation.spots),
            "A single spot across",
            "Dose summed over one direction, mean of both, with one standard deviation of Monte Carlo as a "
            "band.",
        ),
    ]


def _tables(validation: Validation) -> dict[str, Table]:
    tables = {"range": energies_table(validation.energies), "gaussians": smoothness_table(validation)}
    if validation.spots:
        names = [f.name for f in validation.spots[0].figures]
        lateral = [n for n in names if n.startswith("sigma") or OUTSIDE in n]
        tables["spot_depth"] = figures_table(validation.spots, [n for n in names if n not in lateral])
        tables["spot_lateral"] = figures_table(validation.spots, lateral)
    return tables
