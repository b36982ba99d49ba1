from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isodose.biology.tissue import TISSUES, Tissue, TissueMap, read_tissue_map, tissue
from isodose.errors import InputError, IsodoseError

_TEXT = """
default: chordoma
tissues:
  - {name: nerve, alpha_x: 0.0499, beta_x: 0.0238, source: an example}
structures:
  - {structure: ptv, tissue: hsg}
  - {structure: body, tissue: nerve}
"""


@pytest.fixture
def tissue_file(tmp_path):
    path = tmp_path / "tissues.yaml"
    path.write_text(_TEXT, encoding="utf-8")
    return path


def test_ratio():
    assert tissue("chordoma").ratio_gy == pytest.approx(2.0)
    assert Tissue("linear", 0.3, 0.0).ratio_gy == np.inf
    assert all(t.source for t in TISSUES.values())


def test_voxels_follow_the_order_of_the_structures(head, tissue_file):
    tissues = read_tissue_map(tissue_file)
    alpha, beta = tissues.voxels(head, head.grid)
    body, target = head.structure("body").mask, head.structure("ptv").mask
    assert alpha.dtype == np.float32
    assert np.unique(alpha[target]) == pytest.approx([0.19])
    assert np.unique(alpha[body & ~target]) == pytest.approx([0.0499])
    assert np.unique(beta[~body & ~target]) == pytest.approx([0.05])
    swapped = TissueMap(tissues.default, dict(reversed(tissues.structures.items())))
    assert np.unique(swapped.voxels(head, head.grid)[0][body]) == pytest.approx([0.0499])


def test_another_grid(head, tissue_file):
    grid = head.grid.resampled(2.0)
    alpha, _ = read_tissue_map(tissue_file).voxels(head, grid)
    volume = np.count_nonzero(alpha == np.float32(0.19)) * grid.voxel_volume_cm3
    target = head.structure("ptv")
    # Voxels of 2 mm interpolated from 3 x 3 x 4 mm, each counted whole or not at all.
    assert volume == pytest.approx(target.volume_cm3, rel=0.03)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("default: chordoma", "default: liver", r"default: found 'liver', expected one of chordoma, hsg"),
        ("tissue: hsg", "tissue: hgs", r"structures\[0\].tissue: found 'hgs'"),
        (
            "name: nerve",
            "name: hsg",
            r"tissues\[0\].name: found 'hsg', expected a name that is not taken",
        ),
        ("structure: body", "structure: ptv", r"structures\[1\].structure: found 'ptv'"),
        ("alpha_x: 0.0499", "alpha_x: 0", r"tissues\[0\].alpha_x"),
        ("alpha_x: 0.0499", "alphax: 0.0499", r"unknown key 'alphax'.*did you mean 'alpha_x'"),
    ],
)
def test_bad_files(tissue_file, old, new, message):
    tissue_file.write_text(_TEXT.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_tissue_map(tissue_file)
    assert caught.value.file == tissue_file


@given(
    text=st.text(max_size=60) | st.sampled_from(["default: [hsg]", "default: hsg\nstructures: {a: b}", "[]"])
)
def test_no_text_makes_it_fall_over(text, tmp_path_factory):
    path = tmp_path_factory.mktemp("tissue") / "t.yaml"
    path.write_text(text, encoding="utf-8", errors="replace")
    with pytest.raises(IsodoseError):
        read_tissue_map(path)


def test_a_structure_that_the_patient_lacks(head):
    with pytest.raises(InputError, match="structure: found 'liver'"):
        TissueMap(tissue("hsg"), {"liver": tissue("chordoma")}).voxels(head, head.grid)


@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 0.1), (np.nan, 0.1), (0.1, -1.0), (0.1, np.inf)])
def test_impossible_tissues(alpha, beta):
    with pytest.raises(InputError, match="tissue 'x'"):
        Tissue("x", alpha, beta)


def test_unknown_tissue():
    with pytest.raises(InputError, match="tissue: found 'liver', expected one of chordoma"):
        tissue("liver")
