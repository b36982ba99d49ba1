"""Machines of matRad and pyRadPlan: ``RADIATIONMODE_NAME.mat`` with spot widths in air and base data.

The conventions are matRad's (Wieser et al., Med Phys 44 (2017) 2556; its `HongPB` dose engine) and those of
pyRadPlan 0.5, which reads the same files:

- ``Z`` is the integral depth dose in MeV cm2/g per particle, which is `PencilKernel.dose` unchanged; the
  factor 1.602e-2 of both programs turns it into Gy mm2 per million particles.
- Depths are those in water plus ``offset``. Kernels hold no spot: their variance is added to that in air.
- Widths in air are tabulated over the distance from the virtual source, and are equal in x and y. Both
  programs keep the width that a spot has at the skin for all depths behind it.
- Kernels stand for a surface behind ``fitAirOffset`` mm of air. More air before the skin adds to the depth,
  as `Machine.air_depth_mm` says.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from isodose.machine.base_data import BaseData
from isodose.machine.machine import BeamOptics, Machine
from isodose.machine.matrad_biology import TissueTable, tissue_tables
from isodose.machine.matrad_fields import MatlabStruct, read_machine_struct
from isodose.machine.matrad_foci import SpotFocus, choose_focus, minimum_fwhm_mm, spot_foci
from isodose.machine.matrad_kernels import LateralModel, choose_model, pencil_kernel

_IONS = {"protons": "proton", "helium": "helium", "carbon": "carbon", "oxygen": "oxygen"}
_PARTICLES_PER_MU = 1e6
"""matRad counts weights in millions of particles and calls one a monitor unit."""


@dataclass(frozen=True, slots=True, eq=False)
class ImportedMachine:
    """A machine of matRad or pyRadPlan.

    Parameters
    ----------
    machine
        What plans and engines need. The phase spaces of `BeamOptics` are fits to the foci; the usual one is
        the chosen focus of each energy, the foci that all energies have are named by number, from ``"1"``.
    base_data
        Pencil beams in water.
    foci
        Widths in air of all foci, by energy.
    focus
        Which of the foci was chosen, by energy.
    tissues
        Tables of alpha and beta, where the file has any.
    """

    machine: Machine
    base_data: BaseData
    foci: tuple[tuple[SpotFocus, ...], ...]
    focus: tuple[int, ...]
    tissues: tuple[TissueTable, ...] = ()


def read_matrad(
    path: str | Path, *, spot_spacing_mm: float | None = None, model: LateralModel | None = None
) -> ImportedMachine:
    """Machine of a matRad file (MATLAB version 7 or older).

    Parameters
    ----------
    path
        The file.
    spot_spacing_mm
        Choose for each energy the first focus that is wider than the least width that the machine asks for at
        this spacing, as matRad does; without it the first focus, as pyRadPlan 0.5 always does.
    model
        ``"single"``, ``"double"`` or ``"multi"`` Gaussians; by default the most that the file has.

    Raises
    ------
    InputError
        Naming the file and the field (``machine.data(12).Z``) that is missing or wrong.

    Warns
    -----
    GapsInTablesWarning
        If the biological tables hold NaN.
    """
    path = Path(path)
    struct = read_machine_struct(path)
    meta, entries = struct.struct("meta"), struct.structs("data")
    mode = meta.text("radiationMode")
    if mode not in _IONS:
        raise meta.error("radiationMode", repr(mode), f"one of {', '.join(_IONS)}")
    entries = _by_energy(entries)
    chosen_model = choose_model(entries, model)
    kernels = tuple(pencil_kernel(entry, chosen_model) for entry in entries)
    base_data = BaseData(_IONS[mode], kernels, provenance=_provenance(meta, path, chosen_model))
    source_mm, nozzle_mm = meta.number("SAD"), meta.number("BAMStoIsoDist")
    if not 0.0 < nozzle_mm <= source_mm:
        raise meta.error("BAMStoIsoDist", f"{nozzle_mm:g}", f"above 0 and up to the SAD of {source_mm:g}")
    foci = tuple(spot_foci(entry, source_mm) for entry in entries)
    focus = (0,) * len(entries)
    if spot_spacing_mm is not None:
        least = minimum_fwhm_mm(meta, spot_spacing_mm)
        focus = tuple(choose_focus(e, f, least) for e, f in zip(entries, foci, strict=True))
    energies = tuple(kernel.energy_mev_u for kernel in kernels)
    machine = Machine(
        name=f"{mode}_{_name(meta, path)}",
        ion=_IONS[mode],
        description=meta.text("description") if meta.has("description") else "",
        energy_range_mev_u=(energies[0], energies[-1]),
        energies_mev_u=energies,
        optics=_optics(entries, [f[i] for f, i in zip(foci, focus, strict=True)], nozzle_mm),
        source_distance_mm=(source_mm, source_mm),
        nozzle_distance_mm=nozzle_mm,
        base_data=base_data,
        foci=_common_foci(entries, foci, nozzle_mm),
        fit_air_offset_mm=meta.number("fitAirOffset") if meta.has("fitAirOffset") else 0.0,
    )
    return ImportedMachine(machine, base_data, foci, focus, tissue_tables(entries, kernels))


def _provenance(meta: MatlabStruct, path: Path, model: LateralModel) -> dict[str, str]:
    provenance = {"imported_from": path.name, "format": "matRad", "lateral_model": model}
    for key in ("created_on", "created_by", "description"):
        if meta.has(key):
            provenance[key] = meta.text(key)
    return provenance


def _by_energy(entries: list[MatlabStruct]) -> list[MatlabStruct]:
    energies = [entry.number("energy") for entry in entries]
    for entry, energy in zip(entries, energies, strict=True):
        if energy <= 0.0:
            raise entry.error("energy", f"{energy:g}", "a positive energy")
    order = np.argsort(energies, kind="stable")
    for before, after in pairwise(order):
        if energies[before] == energies[after]:
            twin = f"{energies[after]:g} as in {entries[before].place}"
            raise entries[after].error("energy", twin, "different energies")
    return [entries[i] for i in order]


def _name(meta: MatlabStruct, path: Path) -> str:
    for key in ("name", "machine"):
        if meta.has(key):
            return meta.text(key)
    return path.stem.partition("_")[2] or path.stem


def _common_foci(
    entries: list[MatlabStruct], foci: tuple[tuple[SpotFocus, ...], ...], nozzle_mm: float
) -> dict[str, BeamOptics]:
    """Foci that all energies have, if there is a choice, by number."""
    count = min(len(f) for f in foci)
    if count == 1:
        return {}
    return {str(i + 1): _optics(entries, [f[i] for f in foci], nozzle_mm) for i in range(count)}


def _optics(entries: list[MatlabStruct], foci: list[SpotFocus], nozzle_mm: float) -> BeamOptics:
    n = len(entries)
    fitted = np.array([focus.phase_space(nozzle_mm) for focus in foci])
    sigma, divergence, correlation = (np.repeat(fitted[:, [i]], 2, axis=1) for i in range(3))
    spread = np.zeros(n)  # kernels hold the spread; only a Monte Carlo of the machine needs it apart
    for i, entry in enumerate(entries):
        if entry.has("energySpectrum"):
            spread[i] = entry.struct("energySpectrum").number("sigma")
    return BeamOptics(
        energy_mev_u=np.array([entry.number("energy") for entry in entries]),
        sigma_mm=sigma,
        divergence_rad=divergence,
        correlation=correlation,
        energy_spread_percent=spread,
        particles_per_mu=np.full(n, _PARTICLES_PER_MU),
    )
