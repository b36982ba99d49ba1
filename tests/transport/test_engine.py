from __future__ import annotations

import numpy as np
import pytest

from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.plan.plan import RangeShifter
from isodose.transport.engine import MonteCarlo

LETD = (Quantity.DOSE, Quantity.LETD)


def r80(dose, spacing=1.0):
    depth_dose = dose.values[Quantity.DOSE].sum(axis=(0, 2))
    peak = int(depth_dose.argmax())
    k = peak + int(np.argmax(depth_dose[peak:] < 0.8 * depth_dose[peak]))
    fall = (depth_dose[k - 1] - 0.8 * depth_dose[peak]) / (depth_dose[k - 1] - depth_dose[k])
    return (k - 0.5 + fall) * spacing


def test_one_seed_gives_one_result_on_any_number_of_threads(proton_machine, patient_of, plan_of):
    patient, plan = patient_of(), plan_of()
    one, two = (
        MonteCarlo(2000, seed=5, threads=n, machine=proton_machine).compute(patient, plan, LETD)
        for n in (1, 2)
    )
    for quantity in LETD:
        # float64 sums in another order, kept as float32
        assert one.values[quantity] == pytest.approx(two.values[quantity], rel=1e-6)
    other = MonteCarlo(2000, seed=6, machine=proton_machine).compute(patient, plan)
    assert not np.array_equal(other.values[Quantity.DOSE], one.values[Quantity.DOSE])


@pytest.mark.parametrize(
    ("ion", "energy"), [("proton", 90.0), ("helium", 90.0), ("carbon", 160.0), ("oxygen", 180.0)]
)
def test_energy_is_conserved(ion, energy, machine_of, patient_of, plan_of):
    machine = machine_of(ion, energy)
    dose = MonteCarlo(600, machine=machine).compute(patient_of(), plan_of(ion, energy))
    mean = dose.provenance["mean_energy_mev_per_primary"]
    found = mean["deposited"] + mean["escaped"] + mean["neutral"] + mean["binding"]
    assert found == pytest.approx(mean["source"], rel=1e-9)
    voxel_mass_g = dose.grid.voxel_volume_cm3
    scored = dose.values[Quantity.DOSE].sum(dtype=np.float64) * voxel_mass_g / 1.602176634e-10
    assert scored == pytest.approx(mean["deposited"], rel=1e-5)  # the result is float32


def test_uncertainty_is_the_spread_of_independent_runs(proton_machine, patient_of, plan_of):
    patient, plan = patient_of((5, 20, 5), (8.0, 5.0, 8.0)), plan_of()
    runs = [MonteCarlo(640, seed=s, machine=proton_machine).compute(patient, plan) for s in range(60)]
    values = np.array([run.values[Quantity.DOSE] for run in runs], dtype=np.float64)
    claimed = np.mean([run.uncertainty[Quantity.DOSE].astype(np.float64) ** 2 for run in runs], axis=0)
    hit = values.mean(axis=0) > 0.2 * values.mean(axis=0).max()
    ratio = np.sqrt(values.var(axis=0, ddof=1)[hit].mean() / claimed[hit].mean())
    # 60 runs know a standard deviation to 9 %, and some ten correlated voxels average it a little
    assert ratio == pytest.approx(1.0, abs=0.25)


def test_stops_at_the_wanted_uncertainty(proton_machine, patient_of, plan_of):
    engine = MonteCarlo(200_000, uncertainty=0.05, machine=proton_machine)
    dose = engine.compute(patient_of(), plan_of())
    assert dose.provenance["relative_uncertainty"] <= 0.05
    assert dose.provenance["histories"] < 200_000


def test_interrupted_run_is_marked_and_resumed_to_the_same_result(
    tmp_path, proton_machine, patient_of, plan_of
):
    patient, plan = patient_of(), plan_of()
    checkpoint = tmp_path / "checkpoint.npz"
    whole = MonteCarlo(6400, machine=proton_machine).compute(patient, plan, LETD)

    def interrupt(progress):
        if progress.done >= 2000:
            raise KeyboardInterrupt

    first = MonteCarlo(6400, machine=proton_machine, checkpoint=checkpoint, progress=interrupt)
    part = first.compute(patient, plan, LETD)
    assert part.provenance["partial"] is True
    assert 0 < part.provenance["histories"] < 6400
    assert checkpoint.exists()
    second = MonteCarlo(6400, machine=proton_machine, checkpoint=checkpoint, resume=True)
    rest = second.compute(patient, plan, LETD)
    assert rest.provenance["partial"] is False
    assert rest.provenance["histories"] == whole.provenance["histories"]
    for quantity in LETD:
        assert rest.values[quantity] == pytest.approx(whole.values[quantity], rel=1e-6)


def test_checkpoint_of_another_plan_is_refused(tmp_path, proton_machine, patient_of, plan_of):
    checkpoint = tmp_path / "checkpoint.npz"

    def interrupt(progress):
        if progress.done > progress.total // 2:
            raise KeyboardInterrupt

    engine = MonteCarlo(64, machine=proton_machine, checkpoint=checkpoint, progress=interrupt)
    patient = patient_of()
    engine.compute(patient, plan_of())
    other = MonteCarlo(64, machine=proton_machine, checkpoint=checkpoint, resume=True)
    with pytest.raises(InputError, match=r"checkpoint.*another computation"):
        other.compute(patient, plan_of(spots=((1.0, 0.0, 1.0),)))
    checkpoint.write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"checkpoint\.npz: checkpoint"):
        other.compute(patient, plan_of())


def test_range_shifter_takes_its_water_equivalent_off_the_range(proton_machine, patient_of, plan_of):
    patient = patient_of((1, 100, 1), (200.0, 1.0, 200.0))
    free = MonteCarlo(3000, machine=proton_machine).compute(patient, plan_of())
    shifter = RangeShifter("water 20 mm", 20.0, "water", 50.0)
    shifted = MonteCarlo(3000, machine=proton_machine).compute(patient, plan_of(shifter=shifter))
    # R80 of 3000 histories is known to 0.86 mm (range straggling) / sqrt(3000) = 0.02 mm; bins are 1 mm
    assert r80(free) - r80(shifted) == pytest.approx(20.0, abs=0.15)
    mean = shifted.provenance["mean_energy_mev_per_primary"]
    found = mean["deposited"] + mean["escaped"] + mean["neutral"] + mean["binding"]
    assert found == pytest.approx(mean["source"], rel=1e-9)


def test_result_does_not_depend_on_the_voxel_size(proton_machine, patient_of, plan_of):
    plan = plan_of()
    coarse = MonteCarlo(4000, machine=proton_machine).compute(
        patient_of((1, 25, 1), (200.0, 4.0, 200.0)), plan
    )
    fine = MonteCarlo(4000, machine=proton_machine).compute(
        patient_of((1, 200, 1), (200.0, 0.5, 200.0)), plan
    )
    ours = coarse.values[Quantity.DOSE].ravel()
    theirs = fine.values[Quantity.DOSE].ravel().reshape(-1, 8).mean(axis=1)
    # same histories, so that only the sampling inside steps differs
    assert ours[:18] == pytest.approx(theirs[:18], rel=0.02)


def test_spots_share_the_dose_by_their_particles(proton_machine, machine_of, patient_of, plan_of):
    patient = patient_of((1, 40, 40), (2.0, 2.0, 100.0))
    plan = plan_of(spots=((-20.0, 0.0, 3.0), (20.0, 0.0, 1.0)))
    machine = machine_of(sigma_mm=2.0)
    dose = MonteCarlo(2000, machine=machine).compute(patient, plan).values[Quantity.DOSE]
    left, right = dose[..., :20].sum(), dose[..., 20:].sum()
    # spots are drawn in proportion (stratified); a few percent of the energy crosses the middle
    assert left / right == pytest.approx(3.0, rel=0.06)


def test_track_length_adds_up_to_the_fluence(proton_machine, patient_of, plan_of):
    patient = patient_of((3, 30, 3), (20.0, 4.0, 20.0))
    engine = MonteCarlo(1000, machine=proton_machine, spectrum_margin_mm=500.0)
    dose = engine.compute(patient, plan_of(), (Quantity.DOSE, Quantity.FLUENCE, Quantity.TRACK_LENGTH))
    spectrum = dose.spectra[Quantity.TRACK_LENGTH]
    per_voxel = spectrum.per_class(patient.grid.size).sum(axis=1)
    volume_mm3 = patient.grid.voxel_volume_cm3 * 1000
    assert per_voxel == pytest.approx(dose.values[Quantity.FLUENCE].ravel() * volume_mm3, rel=1e-5, abs=1e-9)


def test_current_counts_particles_that_enter(proton_machine, patient_of, plan_of):
    patient = patient_of((1, 50, 1), (200.0, 1.0, 200.0))
    dose = MonteCarlo(2000, machine=proton_machine).compute(patient, plan_of(), (Quantity.CURRENT,))
    protons = dose.spectra[Quantity.CURRENT].per_class(50)[:, 5]
    assert protons[0] == pytest.approx(1.0, abs=1e-9)
    assert np.all(protons[:40] > 0.93)  # 1.1 % a cm react, and secondary protons come on top
    assert np.all(protons[:40] < 1.03)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"histories": 0}, "histories"),
        ({"histories": 10, "uncertainty": 2.0}, "uncertainty"),
        ({"histories": 10, "threads": 0}, "threads"),
    ],
)
def test_bad_options_are_refused(options, field):
    with pytest.raises(InputError, match=field):
        MonteCarlo(**options)


def test_bad_plans_are_refused(proton_machine, patient_of, plan_of):
    patient = patient_of()
    engine = MonteCarlo(10, machine=proton_machine)
    with pytest.raises(InputError, match=r"layers\[0\].energy_mev_u.*200"):
        engine.compute(patient, plan_of(energy=200.0))
    with pytest.raises(InputError, match="miss the patient"):
        engine.compute(patient, plan_of(spots=((900.0, 0.0, 1.0),)))
    with pytest.raises(InputError, match="ion"):
        engine.compute(patient, plan_of("carbon", 100.0))
    with pytest.raises(InputError, match="without any particle"):
        engine.compute(patient, plan_of(spots=((0.0, 0.0, 0.0),)))
