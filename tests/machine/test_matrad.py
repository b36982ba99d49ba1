"""Machines of matRad: what is read, how it compares with pyRadPlan's dose, and what wrong files are told."""

import copy
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from isodose.errors import InputError, IsodoseError
from isodose.machine.matrad import ImportedMachine, read_matrad
from isodose.machine.matrad_biology import GapsInTablesWarning
from isodose.machine.matrad_foci import SpotFocus
from isodose.physics.constants import GY_PER_MEV_PER_G
from isodose.plan.beam_frame import source_position, spot_rays
from isodose.plan.plan import Beam

ENERGIES = (80.0, 90.0, 100.0, 110.0, 120.0)
FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))


def entry(energy: float, foci: int = 2) -> dict[str, Any]:
    """Invented beam with every lateral model, offset, two foci that diverge, LET, and two tissues."""
    reach = 0.022 * energy**1.77
    depth = np.concatenate([np.arange(0.0, 0.8, 0.02), np.arange(0.8, 1.15, 0.005)]) * reach
    part = depth / reach
    dose = 4.0 + 2.0 * part + 30.0 * np.exp(-0.5 * ((part - 0.98) / 0.02) ** 2)
    dose = dose / (1.0 + np.exp((part - 1.02) / 0.01))
    narrow = 0.01 * depth + 0.015 * reach * part**2
    distance = np.tile(np.array([1500, 1700, 1900, 2000, 2100, 2300], dtype=np.uint16), (foci, 1))
    z = distance.astype(float) - 2000.0
    at_isocentre = np.array([[3.0], [5.0]])[:foci] * (100.0 / energy)
    sigma = np.sqrt(at_isocentre**2 + 2.0 * 0.004 * z + (0.003 * z) ** 2)
    sigma_multi = np.stack([narrow, 1.0 + 3.0 * narrow, 4.0 + 8.0 * narrow], axis=1)
    alpha = 0.1 + np.outer(0.05 * part, [1.0, 2.0])
    return {
        "energy": energy,
        "range": reach,
        "peakPos": 0.98 * reach,
        "offset": 1.5,
        "depths": depth,
        "Z": dose,
        "sigma": narrow * 1.1,
        "sigma1": narrow,
        "sigma2": 2.0 + 5.0 * narrow,
        "weight": 0.05 + 0.1 * part,
        "sigmaMulti": sigma_multi,
        "weightMulti": np.stack([0.08 + 0.0 * part, 0.02 * part], axis=1),
        "LET": 1.0 + 5.0 * part,
        "alphaX": np.array([0.1, 0.5]),
        "betaX": np.array([0.05, 0.05]),
        "alpha": alpha,
        "beta": 0.04 + 0.0 * alpha,
        "initFocus": {
            "dist": distance,
            "sigma": sigma,
            "SisFWHMAtIso": FWHM_PER_SIGMA * at_isocentre.ravel(),
        },
        "energySpectrum": {"type": "gaussian", "mean": energy, "sigma": 0.8},
    }


def contents() -> dict[str, Any]:
    return {
        "meta": {
            "name": "Invented",
            "radiationMode": "protons",
            "dataType": "doubleGauss",
            "description": "an invented machine",
            "SAD": 2000,
            "BAMStoIsoDist": 500,
            "fitAirOffset": 100,
            "LUT_bxWidthminFWHM": np.array([[1.0, 6.0, np.inf], [5.0, 9.0, 9.0]]),
        },
        "data": [entry(energy) for energy in ENERGIES],
    }


def write(path: Path, content: dict[str, Any]) -> Path:
    """As MATLAB would: a struct array where the field is there in any entry is there, if empty, in all."""
    data = content.get("data")
    if isinstance(data, list):
        names = list(dict.fromkeys(name for one in data for name in one))
        array = np.zeros((1, len(data)), dtype=[(name, object) for name in names])
        for i, one in enumerate(data):
            for name in names:
                array[name][0, i] = one.get(name, np.zeros((0, 0)))
        content = content | {"data": array}
    savemat(path, {"machine": content}, do_compression=True)
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("matrad") / "protons_Invented.mat", contents())


@pytest.fixture(scope="module")
def imported(file: Path) -> ImportedMachine:
    return read_matrad(file)


def changed(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    content = copy.deepcopy(contents())
    change(content)
    return write(tmp_path / "protons_Changed.mat", content)


def test_machine(imported: ImportedMachine) -> None:
    machine = imported.machine
    assert (machine.name, machine.ion) == ("protons_Invented", "proton")
    assert machine.energies_mev_u == ENERGIES
    assert machine.energy_range_mev_u == (80.0, 120.0)
    assert machine.source_distance_mm == (2000.0, 2000.0)
    assert machine.nozzle_distance_mm == 500.0
    assert machine.description == "an invented machine"
    assert machine.energy_spread_percent(95.0 + 5.0) == 0.8
    assert machine.particles_per_mu(100.0) == 1e6
    assert imported.base_data.ion == "proton"
    assert machine.base_data is imported.base_data
    assert imported.base_data.provenance["imported_from"] == "protons_Invented.mat"
    assert imported.machine.fit_air_offset_mm == 100.0
    assert imported.focus == (0,) * 5


def test_kernels_of_each_model(file: Path) -> None:
    raw = entry(100.0)
    single, double, multi = (
        read_matrad(file, model=m).base_data.kernels[2] for m in ("single", "double", "multi")
    )
    assert [k.gaussians for k in (single, double, multi)] == [1, 2, 3]
    # Depths carry the offset, and the first values hold from there up to the surface.
    assert double.depth_mm[0] == 0.0
    np.testing.assert_allclose(double.depth_mm[1:-1], raw["depths"] + 1.5)
    assert double.dose[-1] == 0.0  # nothing beyond the tables
    np.testing.assert_allclose(double.dose[:-1], np.append(raw["Z"][0], raw["Z"]))
    np.testing.assert_allclose(single.sigma_mm[1:-1, 0], raw["sigma"])
    np.testing.assert_allclose(double.sigma_mm[1:-1], np.stack([raw["sigma1"], raw["sigma2"]], axis=1))
    np.testing.assert_allclose(double.weight[1:-1, 1], raw["weight"])
    np.testing.assert_allclose(multi.sigma_mm[1:-1], raw["sigmaMulti"])
    np.testing.assert_allclose(multi.weight[1:-1, 1:], raw["weightMulti"])
    np.testing.assert_allclose(multi.weight.sum(axis=1), 1.0)
    assert multi.letd is not None
    np.testing.assert_allclose(multi.letd[1:-1], np.tile(raw["LET"][:, None], 3))


def test_best_model_that_all_energies_have(tmp_path: Path) -> None:
    assert read_matrad(changed(tmp_path, lambda c: None)).base_data.kernels[0].gaussians == 3
    path = changed(tmp_path, lambda c: c["data"][3].pop("weightMulti"))
    assert read_matrad(path).base_data.kernels[0].gaussians == 2
    with pytest.raises(InputError, match=r"machine\.data\(4\)\.weightMulti: found an empty field"):
        read_matrad(path, model="multi")
    path = changed(tmp_path, lambda c: [d.pop(n) for d in c["data"] for n in ("sigmaMulti", "sigma2")])
    assert read_matrad(path).base_data.kernels[0].gaussians == 1
    path = changed(
        tmp_path, lambda c: [d.pop(n) for d in c["data"] for n in ("sigmaMulti", "sigma2", "sigma")]
    )
    with pytest.raises(InputError, match=r"machine\.data\(1\): found no lateral model"):
        read_matrad(path)


def test_offset_that_brings_depths_before_the_surface(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda c: [d.update(offset=-4.0) for d in c["data"]])
    raw, kernel = entry(80.0), read_matrad(path).base_data.kernels[0]
    assert kernel.depth_mm[0] == 0.0
    assert kernel.dose[0] == pytest.approx(np.interp(4.0, raw["depths"], raw["Z"]))
    assert kernel.depth_mm[-2] == pytest.approx(raw["depths"][-1] - 4.0)


def test_weights_at_a_surface_where_all_widths_are_zero(tmp_path: Path) -> None:
    def undetermined(content: dict[str, Any]) -> None:
        for one in content["data"]:
            one["sigmaMulti"][0] = 0.0
            one["weightMulti"][0] = [1.49, 0.001]

    kernel = read_matrad(changed(tmp_path, undetermined)).base_data.kernels[0]
    np.testing.assert_allclose(kernel.weight[1], kernel.weight[2])


def test_transposed_tables(tmp_path: Path, imported: ImportedMachine) -> None:
    def transpose(content: dict[str, Any]) -> None:
        for one in content["data"]:
            for name in ("sigmaMulti", "weightMulti", "alpha", "beta"):
                one[name] = one[name].T

    turned = read_matrad(changed(tmp_path, transpose))
    np.testing.assert_array_equal(turned.base_data.kernels[1].weight, imported.base_data.kernels[1].weight)
    np.testing.assert_array_equal(turned.tissues[1].alpha.value, imported.tissues[1].alpha.value)


def test_optics_are_the_foci(imported: ImportedMachine) -> None:
    # The invented beam is Gaussian in phase space, so the fit must find it.
    for i, energy in enumerate(ENERGIES):
        sigma = 3.0 * 100.0 / energy
        assert imported.machine.spot_sigma_mm(energy) == pytest.approx((sigma, sigma), rel=1e-4)
        assert imported.machine.divergence_rad(energy) == pytest.approx((0.003, 0.003), rel=1e-3)
        correlation = 0.004 / (sigma * 0.003)
        assert imported.machine.correlation(energy)[1] == pytest.approx(correlation, rel=1e-3)
        assert imported.foci[i][0].sigma_at(0.0) == pytest.approx(sigma)
        assert imported.foci[i][1].fwhm_mm == pytest.approx(FWHM_PER_SIGMA * 500.0 / energy)


@pytest.mark.parametrize("sigma", [[4.0, 4.0], [4.0, 6.0], [6.0, 4.0]])
def test_foci_of_two_distances(sigma: list[float]) -> None:
    focus = SpotFocus(1.0, np.array([-10000.0, 10000.0]), np.array(sigma))
    at, divergence, correlation = focus.phase_space(1000.0)
    for z in (-1000.0, 0.0, 1000.0):
        variance = at**2 + 2.0 * correlation * at * divergence * z + (divergence * z) ** 2
        assert np.sqrt(variance) == pytest.approx(focus.sigma_at(z), rel=1e-4)
    assert abs(correlation) <= 1.0


def test_focus_for_a_spot_spacing(tmp_path: Path, file: Path) -> None:
    # Narrow foci have 8.8 mm at 80 MeV to 5.9 mm at 120 MeV, wide ones 14.7 to 9.8 mm. The table asks for
    # 5 mm at spacings of 1 mm, 9 mm from 6 mm on.
    assert read_matrad(file, spot_spacing_mm=1.0).focus == (0, 0, 0, 0, 0)
    assert read_matrad(file, spot_spacing_mm=3.5).focus == (0, 0, 0, 1, 1)
    wide = read_matrad(file, spot_spacing_mm=8.0)
    assert wide.focus == (1, 1, 1, 1, 1)
    assert wide.machine.spot_sigma_mm(100.0)[0] == pytest.approx(5.0, rel=1e-4)
    path = changed(
        tmp_path, lambda c: c["meta"].update(LUT_bxWidthminFWHM=np.array([[1.0, 6.0], [5.0, 12.0]]))
    )
    with pytest.raises(
        InputError, match=r"machine\.data\(3\)\.initFocus\.SisFWHMAtIso: .*11\.7741 mm.*above 12 mm"
    ):
        read_matrad(path, spot_spacing_mm=7.0)


def test_one_focus(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda c: c.update(data=[entry(e, 1) for e in ENERGIES]))
    assert [len(f) for f in read_matrad(path).foci] == [1] * 5


def test_one_energy(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda c: c.update(data=[entry(100.0)]))
    assert read_matrad(path).machine.energies_mev_u == (100.0,)


def test_energies_are_sorted(tmp_path: Path, imported: ImportedMachine) -> None:
    turned = read_matrad(changed(tmp_path, lambda c: c["data"].reverse()))
    np.testing.assert_array_equal(turned.base_data.energies_mev_u, ENERGIES)
    np.testing.assert_array_equal(turned.machine.optics.sigma_mm, imported.machine.optics.sigma_mm)


def test_air_before_the_skin(imported: ImportedMachine) -> None:
    # Nozzle at 500 mm, skin at 150 mm: 350 mm of air, of which the kernels hold 100 mm.
    assert imported.machine.air_depth_mm(150.0) == pytest.approx(0.0011 * 250.0)
    assert imported.machine.air_depth_mm(450.0) == pytest.approx(-0.0011 * 50.0)


def test_tissues(imported: ImportedMachine) -> None:
    first, second = imported.tissues
    assert (first.alpha_x, first.beta_x, second.alpha_x) == (0.1, 0.05, 0.5)
    raw, kernel = entry(100.0), imported.base_data.kernels[2]
    at = np.linspace(0.05, 1.05, 40)
    truth = np.interp(at * kernel.range_mm, raw["depths"] + 1.5, raw["alpha"][:, 1])
    np.testing.assert_allclose(second.alpha.at(100.0, at), truth, rtol=1e-3)
    np.testing.assert_allclose(second.beta.at(87.0, at), 0.04)


def test_gaps_in_tissues(tmp_path: Path, imported: ImportedMachine) -> None:
    def gaps(content: dict[str, Any]) -> None:
        content["data"][2]["alpha"][0] = np.nan

    path = changed(tmp_path, gaps)
    with pytest.warns(GapsInTablesWarning, match=r"NaN in 1 tables, the first machine\.data\(3\)\.alpha"):
        tables = read_matrad(path).tissues
    part = np.linspace(0.1, 1.1, 9)
    np.testing.assert_allclose(tables[0].alpha.at(100.0, part), imported.tissues[0].alpha.at(100.0, part))


def test_no_tissues_no_let_no_spectrum(tmp_path: Path) -> None:
    path = changed(
        tmp_path, lambda c: [d.pop(n) for d in c["data"] for n in ("alpha", "LET", "energySpectrum")]
    )
    bare = read_matrad(path)
    assert bare.tissues == ()
    assert bare.base_data.kernels[0].letd is None
    assert bare.machine.energy_spread_percent(100.0) == 0.0


# Of pyRadPlan 0.5.0 with this machine (one focus, two Gaussians, no cut-off): water with its surface at
# x = 80 mm, gantry 90, isocentre (0, -25, 0) mm, one spot of 120 MeV at (20, -20) mm in the beam's eye view.
# Position in mm, depth in water in mm by its ray tracer, and dose in Gy of a million protons.
PYRADPLAN_DOSES = [
    ((71.0, -3.0, -17.0), 9.000972, 6.1020209e-04),
    ((71.0, -3.0, -19.0), 9.001029, 9.5060270e-04),
    ((-23.0, 3.0, -15.0), 103.012352, 1.8035232e-04),
    ((-23.0, 3.0, -23.0), 103.016411, 3.5992335e-04),
    ((-29.0, -9.0, -19.0), 109.008606, 2.7859738e-04),
    ((-7.0, 1.0, -19.0), 87.011192, 2.0272800e-04),
    ((15.0, -7.0, -25.0), 65.007942, 2.2093767e-04),
    ((-25.0, 1.0, -21.0), 105.014191, 1.5535533e-03),
    ((-25.0, -1.0, -17.0), 105.010475, 2.2184507e-03),
    ((-17.0, -3.0, -27.0), 97.014717, 1.2837911e-04),
    ((-25.0, -5.0, -21.0), 105.010880, 5.7958923e-03),
]


@pytest.mark.physics
def test_dose_of_a_spot_is_that_of_pyradplan(file: Path) -> None:
    beam = read_matrad(file, model="double")
    kernel, focus = beam.base_data.kernels[4], beam.foci[4][0]
    field = Beam("G90", 90.0, 0.0, (0.0, -25.0, 0.0), ())
    (on_plane,), (along,) = spot_rays(field, 20.0, -20.0, beam.machine.source_distance_mm)
    source = source_position(field, 2000.0)
    skin = on_plane + along * (80.0 - on_plane[0]) / along[0]
    # The programs take the distance from the source along the spot's ray as if it were the axis.
    to_skin = 2000.0 - float(np.linalg.norm(skin - source))
    spot = focus.sigma_at(-to_skin)
    position, depth, expected = (np.array(column) for column in zip(*PYRADPLAN_DOSES, strict=True))
    from_source = position - source
    own_path = np.linalg.norm(from_source, axis=1) * (80.0 - position[:, 0]) / -from_source[:, 0]
    np.testing.assert_allclose(depth, own_path, atol=0.01)

    off_axis = np.sum(from_source**2, axis=1) - (from_source @ along) ** 2
    at = depth + beam.machine.air_depth_mm(to_skin)
    variance, weight = (
        np.stack([np.interp(at, kernel.depth_mm, c) for c in columns.T])
        for columns in (kernel.sigma_mm, kernel.weight)
    )
    variance = variance**2 + spot**2
    lateral = np.sum(weight * np.exp(-off_axis / (2.0 * variance)) / (2.0 * np.pi * variance), axis=0)
    # MeV cm2/g per proton times 1/mm2, for a million protons.
    dose = 1e6 * GY_PER_MEV_PER_G * 100.0 * np.interp(at, kernel.depth_mm, kernel.dose) * lateral
    # Their positions are of single precision.
    np.testing.assert_allclose(dose, expected, rtol=3e-5)


def set_at(*path: str | int, to: object) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        place: Any = content
        for step in path[:-1]:
            place = place[step]
        if to is None:
            del place[path[-1]]
        else:
            place[path[-1]] = to

    return change


WRONG: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (set_at("meta", to=None), r"machine\.meta: found nothing"),
    (set_at("data", to=None), r"machine\.data: found nothing"),
    (set_at("data", to=3.0), r"machine\.data: found .*a struct array"),
    (set_at("meta", "SAD", to=None), r"machine\.meta\.SAD: found nothing"),
    (set_at("meta", "SAD", to="far"), r"machine\.meta\.SAD: found 'far', expected real numbers"),
    (set_at("meta", "SAD", to=400.0), r"machine\.meta\.BAMStoIsoDist: found 500, expected .* 400"),
    (set_at("meta", "BAMStoIsoDist", to=None), r"machine\.meta\.BAMStoIsoDist: found nothing"),
    (
        set_at("meta", "radiationMode", to="photons"),
        r"radiationMode: found 'photons', expected one of protons",
    ),
    (set_at("meta", "radiationMode", to=7.0), r"radiationMode: .*expected a text"),
    (set_at("meta", "LUT_bxWidthminFWHM", to=np.ones(3)), r"LUT_bxWidthminFWHM: .*two rows"),
    (set_at("data", 1, "energy", to=None), r"machine\.data\(2\)\.energy: found an empty field"),
    (
        set_at("data", 1, "energy", to=120.0),
        r"machine\.data\(5\)\.energy: found 120 as in machine\.data\(2\)",
    ),
    (set_at("data", 1, "energy", to=-1.0), r"machine\.data\(2\)\.energy: found -1"),
    (set_at("data", 1, "depths", to=None), r"machine\.data\(2\)\.depths: found an empty field"),
    (set_at("data", 1, "depths", to=np.arange(5.0)), r"machine\.data\(2\)\.depths: .*at least 10"),
    (
        set_at("data", 1, "depths", 7, to=0.5),
        r"machine\.data\(2\)\.depths\(8\): found 0\.5 after .*ascending",
    ),
    (set_at("data", 1, "depths", 7, to=np.nan), r"machine\.data\(2\)\.depths\(8\): found nan"),
    (set_at("data", 4, "Z", 11, to=np.nan), r"machine\.data\(5\)\.Z\(12\): found nan, expected a finite"),
    (set_at("data", 4, "Z", 11, to=-2.0), r"machine\.data\(5\)\.Z: found -2"),
    (set_at("data", 4, "Z", to=np.ones(20)), r"machine\.data\(5\)\.Z: found shape \(20,\)"),
    (set_at("data", 4, "Z", to=np.zeros(110)), r"machine\.data\(5\)\.Z: found zero everywhere"),
    (set_at("data", 0, "sigmaMulti", (3, 1), to=np.inf), r"machine\.data\(1\)\.sigmaMulti\(4,2\): found inf"),
    (set_at("data", 0, "weightMulti", (3, 0), to=1.2), r"weightMulti\(4\): .*up to 1"),
    (set_at("data", 0, "weightMulti", to=np.ones((110, 3))), r"weightMulti: found 3 columns, expected 2"),
    (set_at("data", 0, "offset", to=-1e4), r"machine\.data\(1\)\.offset: found -10000"),
    (set_at("data", 0, "LET", 2, to=np.nan), r"machine\.data\(1\)\.LET\(3\)"),
    (set_at("data", 0, "initFocus", to=None), r"machine\.data\(1\)\.initFocus: found an empty field"),
    (set_at("data", 0, "initFocus", "dist", to=None), r"machine\.data\(1\)\.initFocus\.dist: found nothing"),
    (set_at("data", 0, "initFocus", "dist", to=7.0), r"initFocus\.dist: found 1 distance"),
    (set_at("data", 0, "initFocus", "dist", to=np.ones((2, 6))), r"initFocus\.dist: .*ascending"),
    (set_at("data", 0, "initFocus", "sigma", to=np.ones((2, 5))), r"initFocus\.sigma: .*as dist"),
    (set_at("data", 0, "initFocus", "sigma", to=np.zeros((2, 6))), r"initFocus\.sigma: found 0, .*positive"),
    (set_at("data", 0, "initFocus", "SisFWHMAtIso", to=3.0), r"SisFWHMAtIso: found 1 numbers"),
    (set_at("data", 0, "alphaX", 0, to=0.3), r"alphaX: .*as the first energy"),
    (set_at("data", 0, "alpha", to=np.ones((110, 3))), r"machine\.data\(1\)\.alpha: found 3 columns"),
    (set_at("data", 0, "alpha", to=np.full((110, 2), np.nan)), r"machine\.data\(1\)\.alpha: found no finite"),
    (set_at("data", 0, "energySpectrum", to=5.0), r"machine\.data\(1\)\.energySpectrum: .*a struct"),
]


@pytest.mark.parametrize(("change", "says"), WRONG, ids=[says[:60] for _, says in WRONG])
def test_wrong_fields(tmp_path: Path, change: Callable[[dict[str, Any]], object], says: str) -> None:
    assert entry(100.0)["Z"].size == 110  # as the shapes above have it
    with pytest.raises(InputError, match=rf"protons_Changed\.mat: .*{says}"):
        read_matrad(changed(tmp_path, change), spot_spacing_mm=5.0)


def test_wrong_files(tmp_path: Path) -> None:
    path = tmp_path / "wrong.mat"
    with pytest.raises(InputError, match=r"wrong\.mat: file: found No such file"):
        read_matrad(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"wrong\.mat: file: .*an undamaged MATLAB file"):
        read_matrad(path)
    path.write_text("energy;dose\n" * 40)
    with pytest.raises(InputError, match=r"wrong\.mat: file: .*an undamaged MATLAB file"):
        read_matrad(path)
    # The header of a version 7.3 file: text, version 0x0200, byte order.
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(512))
    with pytest.raises(
        InputError, match=r"a MATLAB 7\.3 \(HDF5\) file, expected one saved with save\(\.\.\., '-v7'"
    ):
        read_matrad(path)
    savemat(path, {"other": 1.0})
    with pytest.raises(InputError, match="machine: found nothing"):
        read_matrad(path)
    savemat(path, {"machine": 1.0})
    with pytest.raises(InputError, match=r"machine: .*struct of a matRad machine"):
        read_matrad(path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0.0, 1.0, exclude_max=True), byte=st.integers(0, 255), cut=st.booleans())
def test_damaged_files(tmp_path: Path, at: float, byte: int, cut: bool) -> None:
    path = tmp_path / "small.mat"
    if not path.exists():
        write(path, contents() | {"data": [entry(100.0)]})
    content = bytearray(path.read_bytes())
    place = int(at * len(content))
    damaged = tmp_path / "damaged.mat"
    damaged.write_bytes(content[:place] if cut else content[:place] + bytes([byte]) + content[place + 1 :])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scipy, about the file
        try:
            read_matrad(damaged)
        except IsodoseError as error:
            assert "damaged.mat" in str(error)  # noqa: PT017 - it may be undamaged where it matters
