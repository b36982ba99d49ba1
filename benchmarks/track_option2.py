"""Ions in single cylinders against reference runs of Geant4-DNA option 2, and what the differences come from.

    python benchmarks/track_option2.py [--tracks 600] [--shared ../shared]

The reference (``reference/track`` of the shared data) takes Rudd's cross-sections at all energies and the
electrons of option 2; its ions slow down on their way. Four combinations are compared with it: ions of
isodose, or of Rudd and Miller-Green alone as they are, without the factor to ICRU 90; electrons of isodose,
or ones made like those of option 2. The latter are fitted to the reference's runs of electrons alone: all
excitations by one factor, to the ionisations of 1 keV, and all inelastic cross-sections by a guess,
1 + exp(-T / 50 eV), to electrons of 0.5 and 1 keV that start at a cylinder's surface towards its axis
(1 + exp(-T / 100 eV) / 2 does as well for protons of 0.5 MeV).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np

from isodose.physics.species import species
from isodose.track.dielectric import recoil_integrals
from isodose.track.electron_tables import build_electron_tables, electron_tables
from isodose.track.electron_tracks import electron_track
from isodose.track.electron_yield import electron_yield
from isodose.track.energy_grid import ENERGIES_EV
from isodose.track.events import IONISATION
from isodose.track.ion_spectra import ion_spectra
from isodose.track.ion_tables import ion_tables
from isodose.track.ion_tracks import Segment, ion_track
from isodose.track.liquid_water import SHELLS
from isodose.track.random_cylinders import cylinder_sizes
from isodose.track.shell_targets import DIAMETER_NM

CASES = (("p_seg_0.5", "p", 0.5, 0.5), ("p_seg_2", "p", 2.0, 1.0), ("p_seg_10", "p", 10.0, 2.5))
CASES += (("c_seg_5", "C12", 5.0, 0.17),)  # key, ion, MeV/u, share of --tracks
IMPACTS_NM = (0.0, 1.0, 2.0, 3.0, 5.0)
SIZES = np.arange(400)
SLOW_EV = 50.0


def less_excitation(factor):
    """Dielectric response with all excitations by a factor."""
    integrals = recoil_integrals()
    integral, optical = integrals.integral.copy(), integrals.optical.copy()
    integral[len(SHELLS) :] *= factor
    optical[len(SHELLS) :] *= factor
    return integrals._replace(integral=integral, optical=optical)


def electrons_like_option_2(ionisations_of_1_kev):
    low, high = 0.0, 1.0
    for _ in range(12):
        factor = 0.5 * (low + high)
        found = electron_yield(less_excitation(factor), 1100.0)
        enough = np.interp(1e3, found.energy_ev, found.ionisations) > ionisations_of_1_kev
        low, high = (factor, high) if enough else (low, factor)
    tables = build_electron_tables(less_excitation(factor))
    rates = np.diff(tables.cumulative, axis=1, prepend=0.0)
    rates[:, 1:] *= 1.0 + np.exp(-ENERGIES_EV / SLOW_EV)[:, None]
    cumulative = np.cumsum(rates, axis=1)
    total = np.ascontiguousarray(cumulative[:, -1])
    print(f"electrons like option 2: excitations by {factor:.3f}")
    return tables._replace(total=total, cumulative=np.ascontiguousarray(cumulative))


def unscaled(ion, energy_mev_u):
    found = ion_spectra(ion, energy_mev_u)
    rates = {name: getattr(found, name) / found.scale for name in ("ionisation", "excitation", "exchange")}
    return replace(found, scale=1.0, stopping_ev_nm=found.stopping_ev_nm / found.scale, **rates)


@contextmanager
def models(electrons, rudd_alone: bool) -> Iterator[None]:
    with ExitStack() as stack:
        for module in ("electron_tracks", "ion_tracks"):
            stack.enter_context(patch(f"isodose.track.{module}.electron_tables", lambda: electrons))
        if rudd_alone:
            stack.enter_context(patch("isodose.track.ion_spectra.share_of_born", lambda energy: 0.0))
            stack.enter_context(patch("isodose.track.ion_tables.ion_spectra", unscaled))
        ion_tables.cache_clear()
        yield
    ion_tables.cache_clear()


def compared(ours, theirs):
    """Mean of a histogram against another's, and the standard uncertainty, in percent."""
    means, variance = [], 0.0
    for histogram in (ours, theirs):
        share = histogram / histogram.sum()
        mean = share @ SIZES
        variance += (share @ SIZES**2 - mean**2) / histogram.sum() / mean**2
        means.append(mean)
    return f"{100.0 * (means[0] / means[1] - 1.0):+6.1f} ({100.0 * math.sqrt(variance):.1f})"


def electrons_alone(reference, tracks):
    """Electrons that start on the surface of a cylinder towards its axis."""
    cells, cylinder = [], np.array([[0.0, 0.0, 0.5 * DIAMETER_NM, 1.0, 0.0, 0.0]])
    for energy in (500.0, 1000.0):
        counts, number = np.zeros(SIZES.size), np.zeros(tracks)
        for track in range(tracks):
            found = electron_track(energy, track=track)
            points = found.positions_nm[found.kinds == IONISATION]
            counts += cylinder_sizes(points, cylinder, SIZES.size)
            number[track] = len(points)
        key = f"e_cyl_{energy / 1e3:g}"
        all_of_them = number.mean() / reference[f"{key}/events"][:, 0].mean() - 1.0
        inside = compared(counts, reference[f"{key}/hist_cluster"][0])
        cells.append(f"{energy:g} eV: all {100.0 * all_of_them:+.1f}, in the cylinder {inside}")
    print("  electrons alone, ionisations:", "; ".join(cells))


def ions(reference, tracks):
    for key, name, energy, share in CASES:
        means = reference[f"{key}/events"].mean(axis=0)
        length, nucleons = float(means[4]), species(name).nucleons
        counts = np.zeros((len(IMPACTS_NM), SIZES.size))
        sums, rng, number = np.zeros(3), np.random.default_rng(2), max(1, int(share * tracks))
        for track in range(number):
            events = ion_track(Segment(name, energy, path_nm=length), track=track)
            points = events.positions_nm[events.kinds == IONISATION]
            on_axis = np.count_nonzero(np.hypot(points[:, 0], points[:, 1]) < 1e-9)
            sums += events.energies_ev.sum(), on_axis, len(points)
            z = np.arange(60.0, length - 59.0, 10.0)
            a = 2.0 * np.pi * rng.random(z.size)
            cos, sin, zero = np.cos(a), np.sin(a), np.zeros(z.size)
            for row, b in enumerate(IMPACTS_NM):
                cylinders = np.stack([-b * sin, b * cos, z, cos, sin, zero], axis=1)
                counts[row] += cylinder_sizes(points, cylinders, SIZES.size)
        theirs = np.array([energy * nucleons * 1e6 - means[5], means[1], means[0]])
        differences = 100.0 * (sums / number / theirs - 1.0)
        cells = (compared(*rows) for rows in zip(counts, reference[f"{key}/hist_cluster"], strict=False))
        hit, hit_there = (1.0 - h[0] / h.sum() for h in (counts[0], reference[f"{key}/hist_cluster"][0]))
        line = "loss, by the ion, all " + " ".join(f"{value:+6.1f}" for value in differences)
        line += f"; W {sums[0] / sums[2]:.2f} {theirs[0] / theirs[2]:.2f} eV"
        print(f"  {key:9s} {line}; sizes {' '.join(cells)}; F1 {100.0 * (hit / hit_there - 1.0):+.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tracks", type=int, default=600)
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    arguments = parser.parse_args()
    path = arguments.shared / "reference" / "track" / "geant4dna_option2_like.npz"
    if not path.exists():
        print(f"no reference: {path} is not there")
        return
    reference = np.load(path, allow_pickle=False)
    print("Less the reference in percent: energy lost, ionisations by the ion itself, all; W here and there;")
    print(f"mean cluster sizes in cylinders {IMPACTS_NM} nm off the axis (standard uncertainty); F1 on it\n")
    like = electrons_like_option_2(reference["e_inf_1/events"][:, 0].mean())
    for electrons, label in ((electron_tables(), "electrons of isodose"), (like, "electrons like option 2")):
        for rudd_alone in (False, True):
            print("Rudd alone, not scaled," if rudd_alone else "ions of isodose,", label)
            with models(electrons, rudd_alone):
                if not rudd_alone:
                    electrons_alone(reference, 8 * arguments.tracks)
                ions(reference, arguments.tracks)


if __name__ == "__main__":
    main()
