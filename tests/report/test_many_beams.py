"""Plans of many beams, such as arcs, in a report."""

from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from isodose.report import figures


@pytest.mark.parametrize(("count", "shown"), [(2, 2), (6, 6), (13, 5), (72, 6)])
def test_profiles_and_spots_are_of_a_few_beams(head, two_fields, two_field_dose, monkeypatch, count, shown):
    drawn = []
    monkeypatch.setattr(figures, "beam_profiles", lambda *a: drawn.append(a[2]) or Figure())
    monkeypatch.setattr(figures, "spot_maps", lambda beams: drawn.append(beams) or Figure())
    for name in ("three_planes", "dvh_figure"):
        monkeypatch.setattr(figures, name, lambda *a: Figure())
    dose = replace(two_field_dose, uncertainty={}, spectra={})
    plan = replace(two_fields, beams=tuple(replace(two_fields.beams[0], name=f"{i}") for i in range(count)))
    pictures = {picture.key: picture for picture in figures.dose_pictures(head, plan, dose, {})}
    assert [len(beams) for beams in drawn] == [shown, shown]
    for key in ("profiles", "spots"):
        assert (f"{shown} of {count} beams" in pictures[key].caption) == (shown < count)
