"""Clusters per energy lost: from the database, for all ions and energies, and down to rest."""

from __future__ import annotations

import numpy as np
import pytest

from isodose.biology.cluster_dose import cluster_responses
from isodose.biology.cluster_yield import ClusterYield, nearest_ion
from isodose.biology.energy_bins import energy_bins
from isodose.biology.radiation_model import let_kev_um
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.physics.ranges import csda_range, energy_of_range
from isodose.physics.species import SPECIES, species
from isodose.track.database import ClusterDatabase
from isodose.track.database_entry import DATABASE_IONS
from isodose.transport.lookup import ENERGY_OCTAVES, nodes
from isodose.transport.particle import LAST_STEP


def test_clusters_per_path_over_stopping_power(made_up_clusters):
    carbon = species("C12")
    energies = made_up_clusters.energies_mev_u("C12")[[3, 40, 70]]
    per_nm = made_up_clusters.table("C12", "F4")[0][[3, 40, 70]]
    expected = per_nm / (1e-3 * let_kev_um(carbon, energies))  # keV/um is 1e-3 keV/nm
    assert ClusterYield(made_up_clusters, "F4")(carbon, energies) == pytest.approx(expected, rel=1e-9)


def test_beyond_the_database_clusters_per_energy_stay(made_up_clusters):
    per_kev = ClusterYield(made_up_clusters, "F4")
    inside = per_kev(species("p"), np.array([0.01, 430.0]))
    assert per_kev(species("p"), np.array([1e-4, 600.0])) == pytest.approx(inside, rel=1e-12)
    with pytest.raises(InputError, match="energy_mev_u: found 600"):
        made_up_clusters.per_nm("p", "F4", 600.0)


def test_every_particle_that_is_transported_has_clusters(made_up_clusters):
    nearest = {s.name: nearest_ion(DATABASE_IONS, s) for s in SPECIES}
    assert all(species(found).charge == species(name).charge for name, found in nearest.items())
    assert all(nearest[name] == name for name in DATABASE_IONS)
    assert nearest["He6"] == "He4"
    assert nearest["B8"] == "B10"
    assert nearest["C14"] == "C12"
    assert nearest["O15"] == "O16"
    # An isotope has the clusters of its element at the same energy per nucleon.
    per_kev, energy = ClusterYield(made_up_clusters, "F2"), np.array([3.0, 80.0])
    assert per_kev(species("C14"), energy) == pytest.approx(per_kev(species("C12"), energy))


def test_a_database_without_an_element_is_refused(made_up_clusters):
    protons = ClusterDatabase(tuple(e for e in made_up_clusters.entries if e.ion == "p"), {})
    with pytest.raises(InputError, match="found ions p, expected one of the element of C12"):
        ClusterYield(protons, "F4")(species("C12"), np.array([100.0]))


@pytest.mark.physics
@pytest.mark.parametrize("name", ["p", "He4", "C12", "O16"])
def test_ends_of_tracks_are_those_of_slowing_down(made_up_clusters, name):
    # The last 0.08 mm leaves no track length. Direct: I along the way to 10 keV/u in steps of range, fine
    # ones where little is left; and below, where the database ends, clusters per energy as there.

    ion = species(name)
    last = float(csda_range(ion, 0.01))
    edges = last + (LAST_STEP - last) * np.linspace(0.0, 1.0, 20_001) ** 3
    energy = energy_of_range(ion, 0.5 * (edges[1:] + edges[:-1]))
    per_nm = made_up_clusters.per_nm(name, "F4", np.maximum(energy, 0.01))
    clusters = float(np.sum(per_nm * np.diff(edges))) * 1e7  # nm in a cm of water
    clusters += float(ClusterYield(made_up_clusters, "F4")(ion, np.array([0.01]))[0]) * 10.0 * ion.nucleons
    response = cluster_responses([Quantity.CLUSTER_F4], made_up_clusters)[Quantity.CLUSTER_F4]
    start = float(energy_of_range(ion, LAST_STEP))
    to_rest = np.interp(start, nodes(ENERGY_OCTAVES), response.to_rest[ion.index])
    # Per kg and per mm3 of a voxel: with 1e-6 kg in a mm3 the number of clusters is that times 1e-6.
    assert 1e-6 * to_rest == pytest.approx(clusters, rel=2e-3)


@pytest.mark.physics
def test_bins_hold_all_clusters_of_an_ion_that_stops(made_up_clusters):
    # As above, but for the spectra, whose lowest bins take the ends: carbon of 60 MeV/u to rest.
    ion, edges_mev = species("C12"), np.array([0.0, 30.0, 60.0, 120.0, 240.0, 480.0, 720.0])
    bins = energy_bins(("C12",), edges_mev)
    per_track = bins.average(ClusterYield(made_up_clusters, "F4"))[0] * bins.dose_per_track[0]
    unseen = 12.0 * float(energy_of_range(ion, 0.9 * LAST_STEP))
    seen = np.clip(edges_mev, unseen, None) / 12.0
    tracks_cm = np.diff(csda_range(ion, seen))
    from_bins = float(np.sum(tracks_cm * per_track)) * 1e3  # keV in a MeV
    energy = 60.0 * np.linspace(0.0, 1.0, 40_001)[1:] ** 2
    middle = np.concatenate([[0.5 * energy[0]], 0.5 * (energy[1:] + energy[:-1])])
    width_kev = 12e3 * np.diff(energy, prepend=0.0)
    direct = float(np.sum(ClusterYield(made_up_clusters, "F4")(ion, middle) * width_kev))
    assert from_bins == pytest.approx(direct, rel=5e-3)


def test_response_is_per_fluence(made_up_clusters):
    response = cluster_responses([Quantity.CLUSTER_F4], made_up_clusters)[Quantity.CLUSTER_F4]
    at = 200
    energy = nodes(ENERGY_OCTAVES)[at]
    per_mm = float(made_up_clusters.per_nm("C12", "F4", energy)) * 1e6
    # A particle per mm2 leaves so many clusters per mm3, each of 1e-6 kg.
    expected = per_mm / 1e-6
    assert response.per_length[species("C12").index, at] == pytest.approx(expected, rel=1e-5)
