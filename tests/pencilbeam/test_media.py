import numpy as np
import pytest

from isodose.errors import InputError
from isodose.patient.grid import Grid
from isodose.patient.hounsfield import HounsfieldCalibration, calibration_of
from isodose.patient.volume import Volume
from isodose.pencilbeam.media import Media, media_of


def ct(*hu: float) -> Volume:
    return Volume(
        Grid((0, 0, 0), (1, 1, 1), (1, 1, len(hu))), np.array(hu, dtype=np.float32).reshape(1, 1, -1)
    )


def phantom() -> Media:
    return media_of(calibration_of("phantom"), ct(0.0))


def at(media: Media, hu: float) -> tuple[float, float, float]:
    row = int(media.row(np.array([hu], dtype=np.float32))[0])
    return media.stopping[row], media.scattering[row], media.dose_factor[row]


def test_water_is_the_unit() -> None:
    # The calibration's water is that of ICRU at 1 g/cm3.
    assert at(phantom(), 0.0) == pytest.approx((1.0, 1.0, 1.0), abs=2e-3)


@pytest.mark.physics
def test_cortical_bone_and_lung() -> None:
    """PSTAR at 100 MeV: 7.289 (water), 6.423 (cortical bone, ICRU), 7.263 (lung, ICRU) MeV cm2/g.

    Densities of the phantom are 1.92 and 0.26 g/cm3. Scattering goes as the inverse radiation length, but for
    screening and electrons: 36.08 g/cm2 of water over 25.9 (cortical bone, ICRU) and 36.5 (lung).
    """
    stopping, scattering, factor = at(phantom(), 1525.0)
    assert stopping / factor == pytest.approx(1.92, rel=0.01)
    assert factor == pytest.approx(6.423 / 7.289, rel=0.01)
    assert scattering == pytest.approx(1.92 * 36.08 / 25.9, rel=0.05)
    stopping, scattering, factor = at(phantom(), -740.0)
    assert stopping == pytest.approx(0.26 * 7.263 / 7.289, rel=0.01)
    assert scattering == pytest.approx(0.26 * 36.08 / 36.5, rel=0.03)


def test_rows_are_whole_numbers_within_the_table() -> None:
    media = phantom()
    rows = media.row(np.array([0.4, -0.4, 0.6, -5000.0, 1e6], dtype=np.float32)) + media.lowest_hu
    assert rows.tolist() == [0, 0, 1, -1024, media.lowest_hu + media.stopping.size - 1]


def test_only_stopping_is_known_of_a_table_of_it() -> None:
    table = HounsfieldCalibration("mine", rsp_knots=((-1000.0, 0.001), (0.0, 1.0), (2000.0, 2.0)))
    media = media_of(table, ct(0.0, 2000.0))
    assert at(media, 1000.0) == pytest.approx((1.5, 1.5, 1.0))
    assert media.stopping.dtype == media.scattering.dtype == media.dose_factor.dtype == np.float32


@pytest.mark.parametrize("hu", [np.nan, np.inf, -np.inf, 30_000.0])
def test_unusable_numbers_are_refused(hu: float) -> None:
    with pytest.raises(InputError, match=r"\(2, 0, 0\)|\[0, 0, 2\]|voxel"):
        media_of(calibration_of("phantom"), ct(0.0, 10.0, hu))
