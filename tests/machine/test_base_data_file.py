"""Base data in files: what is kept, how exactly, how large, and what a wrong file is told."""

import json
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isodose.errors import InputError, IsodoseError, OutputError
from isodose.machine.base_data import BaseData, DepthSpectra, PencilKernel
from isodose.machine.base_data_file import (
    RELATIVE_ROUNDING,
    SPECTRA_ROUNDING,
    read_base_data,
    write_base_data,
)

PROVENANCE = {"command": "isodose machine build", "seed": 7, "histories": [10, 20]}


def some_data(energies: int = 3, depths: int = 50, gaussians: int = 3, seed: int = 1) -> BaseData:
    """Noisy base data: nothing in them compresses by chance."""
    rng = np.random.default_rng(seed)
    kernels = []
    for i in range(energies):
        n = depths + i  # each energy has its own depths
        weight = rng.uniform(0.01, 1.0, (n, gaussians))
        kernels.append(
            PencilKernel(
                70.0 + 2.5 * i,
                np.concatenate([[0.0], np.cumsum(rng.uniform(0.1, 1.0, n - 1))]),
                rng.uniform(1.0, 100.0, n),
                np.sort(rng.lognormal(1.0, 1.0, (n, gaussians)), axis=1),
                weight / weight.sum(axis=1, keepdims=True),
                rng.lognormal(1.0, 1.0, (n, gaussians)),
            )
        )
    return BaseData("carbon", tuple(kernels), provenance=PROVENANCE)


def some_spectra(energies: int = 2, depths: int = 9, classes: int = 3, bins: int = 11) -> DepthSpectra:
    rng = np.random.default_rng(2)
    shape = (energies, depths, classes, bins)
    length = rng.lognormal(-5.0, 3.0, shape) * (rng.uniform(size=shape) < 0.05)
    return DepthSpectra(
        tuple(f"class {i}" for i in range(classes)),
        np.geomspace(0.01, 5000.0, bins + 1),
        np.linspace(70.0, 400.0, energies),
        np.linspace(40.0, 280.0, energies),
        np.linspace(0.0, 1.6, depths),
        length.astype(np.float32),
    )


def test_round_trip(tmp_path: Path) -> None:
    data = replace(some_data(), spectra=some_spectra())
    write_base_data(tmp_path / "mine.npz", data)
    back = read_base_data(tmp_path / "mine.npz")
    assert (back.ion, back.provenance) == ("carbon", PROVENANCE)
    np.testing.assert_array_equal(back.energies_mev_u, data.energies_mev_u)
    for got, want in zip(back.kernels, data.kernels, strict=True):
        np.testing.assert_array_equal(got.depth_mm, want.depth_mm)
        assert got.letd is not None
        assert want.letd is not None
        for a, b in ((got.dose, want.dose), (got.sigma_mm, want.sigma_mm), (got.letd, want.letd)):
            np.testing.assert_allclose(a, b, rtol=RELATIVE_ROUNDING)
        np.testing.assert_allclose(got.weight.sum(axis=1), 1.0, rtol=1e-12)
        # Rounded, and then scaled to add up to 1 again: twice the rounding at most.
        np.testing.assert_allclose(got.weight, want.weight, rtol=2.0 * RELATIVE_ROUNDING)
    assert 2.0 * RELATIVE_ROUNDING < 3e-4


def test_round_trip_of_spectra(tmp_path: Path) -> None:
    spectra = some_spectra()
    write_base_data(tmp_path / "mine.npz", replace(some_data(), spectra=spectra))
    back = read_base_data(tmp_path / "mine.npz").spectra
    assert back is not None
    assert back.classes == spectra.classes
    for name in ("energy_edges_mev", "energy_mev_u", "range_mm", "part"):
        np.testing.assert_array_equal(getattr(back, name), getattr(spectra, name))
    np.testing.assert_array_equal(back.track_length > 0.0, spectra.track_length > 0.0)
    np.testing.assert_allclose(back.track_length, spectra.track_length, rtol=SPECTRA_ROUNDING)
    assert back.track_length.dtype == np.float32


def test_what_was_read_is_written_the_same(tmp_path: Path) -> None:
    write_base_data(tmp_path / "one.npz", replace(some_data(), spectra=some_spectra()))
    once = read_base_data(tmp_path / "one.npz")
    write_base_data(tmp_path / "two.npz", once)
    twice = read_base_data(tmp_path / "two.npz")
    for a, b in zip(once.kernels, twice.kernels, strict=True):
        np.testing.assert_array_equal(a.dose, b.dose)
        np.testing.assert_array_equal(a.sigma_mm, b.sigma_mm)


def test_without_let(tmp_path: Path) -> None:
    data = some_data(gaussians=1)
    data = replace(data, kernels=(data.kernels[0], replace(data.kernels[1], letd=None)))
    write_base_data(tmp_path / "mine.npz", data)
    assert all(k.letd is None for k in read_base_data(tmp_path / "mine.npz").kernels)


@pytest.mark.parametrize("most", [3, 4])
def test_fewer_gaussians_for_comparison(tmp_path: Path, most: int) -> None:
    data = some_data(gaussians=most)
    fewer = range(most - 1, 0, -1)
    simpler = []
    for k in fewer:
        own = some_data(gaussians=k, seed=5).kernels
        pairs = zip(data.kernels, own, strict=True)
        simpler.append(tuple(replace(a, sigma_mm=b.sigma_mm, weight=b.weight, letd=b.letd) for a, b in pairs))
    write_base_data(tmp_path / "mine.npz", replace(data, simpler=tuple(simpler)))
    back = read_base_data(tmp_path / "mine.npz")
    assert [k[0].gaussians for k in (back.kernels, *back.simpler)] == [most, *fewer]
    for k, kernels in zip(fewer, simpler, strict=True):
        for got, want in zip(back.with_gaussians(k).kernels, kernels, strict=True):
            np.testing.assert_allclose(got.dose, want.dose, rtol=RELATIVE_ROUNDING)
            np.testing.assert_allclose(got.sigma_mm, want.sigma_mm, rtol=RELATIVE_ROUNDING)
            np.testing.assert_allclose(got.weight, want.weight, rtol=2.0 * RELATIVE_ROUNDING)


def test_size(tmp_path: Path) -> None:
    # Random numbers are the worst case: those of a machine compress to a half of it.
    write_base_data(tmp_path / "kernels.npz", some_data(64, 400))
    assert (tmp_path / "kernels.npz").stat().st_size < 1.0e6
    write_base_data(tmp_path / "spectra.npz", replace(some_data(), spectra=some_spectra(32, 100, 18, 123)))
    assert (tmp_path / "spectra.npz").stat().st_size < 2.0e6


def test_provenance_that_is_no_json(tmp_path: Path) -> None:
    for wrong in ({"path": tmp_path}, {"uncertainty": float("nan")}):
        with pytest.raises(InputError, match="provenance"):
            write_base_data(tmp_path / "mine.npz", replace(some_data(), provenance=wrong))
    assert not list(tmp_path.iterdir())


def test_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="could not be written"):
        write_base_data(tmp_path / "none" / "mine.npz", some_data())


def test_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "foreign.npz"
    with pytest.raises(InputError, match=r"foreign\.npz: file: found No such file"):
        read_base_data(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="undamaged"):
        read_base_data(path)
    path.write_text("energy;dose\n")
    with pytest.raises(InputError, match="undamaged"):
        read_base_data(path)
    with path.open("wb") as stream:
        np.save(stream, np.ones(3))
    with pytest.raises(InputError, match="a single array"):
        read_base_data(path)
    np.savez(path, dose=np.ones(3))
    with pytest.raises(InputError, match=r"format: found 'nothing', expected 'isodose base data 1'"):
        read_base_data(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("format.npy", "no array")
    with pytest.raises(InputError, match=r"foreign\.npz"):
        read_base_data(path)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("a pickle was opened",))


def test_no_pickle_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    np.savez(path, format=np.array([Bomb()], dtype=object))
    with pytest.raises(InputError, match=r"bomb\.npz"):
        read_base_data(path)
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(InputError, match=r"bomb\.npz"):
        read_base_data(path)


def changed(path: Path, **change: np.ndarray | None) -> Path:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files} | change
    other = path.with_name("changed.npz")
    np.savez(other, **{name: array for name, array in arrays.items() if array is not None})
    return other


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"dose": None}, "dose: found nothing"),
        ({"ion": None}, "ion: found nothing"),
        ({"first": np.array([0, 5, 3, 9])}, "first"),
        ({"first": np.array([0, 153])}, "energy_mev_u: found 3 energies, expected 1"),
        ({"energy_mev_u": np.array([3.0, 2.0, 1.0])}, "ascending energies"),
        ({"dose": np.zeros((4, 9), dtype=np.uint8)}, "dose: found 9 depths, expected 153"),
        ({"dose": np.ones(3)}, "arrays that do not fit"),
        ({"depth_mm": np.zeros(153)}, "depth_mm"),
        ({"provenance": np.array("{")}, "arrays that do not fit"),
        ({"spectra_step": np.full((4, 3), 255, dtype=np.uint8)}, "arrays that do not fit"),
        ({"spectra_part": None}, "spectra_part: found nothing"),
        ({"format": np.array("isodose base data 2")}, "isodose base data 2"),
    ],
)
def test_files_with_wrong_arrays(tmp_path: Path, change: dict[str, np.ndarray | None], says: str) -> None:
    write_base_data(tmp_path / "mine.npz", replace(some_data(), spectra=some_spectra()))
    with pytest.raises(InputError, match=f"changed.npz: .*{says}"):
        read_base_data(changed(tmp_path / "mine.npz", **change))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0.0, 1.0, exclude_max=True), byte=st.integers(0, 255), cut=st.booleans())
def test_damaged_files(tmp_path: Path, at: float, byte: int, cut: bool) -> None:
    path = tmp_path / "mine.npz"
    if not path.exists():
        write_base_data(path, some_data(2, 20))
    content = bytearray(path.read_bytes())
    place = int(at * len(content))
    damaged = content[:place] if cut else content[:place] + bytes([byte]) + content[place + 1 :]
    other = tmp_path / "damaged.npz"
    other.write_bytes(damaged)
    try:
        back = read_base_data(other)
    except IsodoseError as error:
        assert "damaged.npz" in str(error)  # noqa: PT017 - it may be undamaged where it matters
    else:
        assert json.loads(json.dumps(dict(back.provenance))) == PROVENANCE
