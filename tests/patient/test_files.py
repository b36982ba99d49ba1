from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from isodose.errors import OutputError
from isodose.patient.files import atomic_folder, atomic_path


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_file_appears_only_when_complete(tmp_path: Path) -> None:
    target = tmp_path / "dose.nii.gz"
    target.write_text("old")
    with atomic_path(target) as partial:
        assert partial.name.endswith(".nii.gz")
        partial.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert names(tmp_path) == ["dose.nii.gz"]


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt()])
def test_failure_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "dose.dcm"
    target.write_text("old")
    with pytest.raises(type(error)), atomic_path(target) as partial:  # noqa: PT012
        partial.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert names(tmp_path) == ["dose.dcm"]


def test_full_disk_is_an_output_error_that_names_the_file(tmp_path: Path) -> None:
    target = tmp_path / "dose.dcm"
    with pytest.raises(OutputError, match=r"dose\.dcm.*No space left"), atomic_path(target) as partial:  # noqa: PT012
        partial.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert names(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of the size of files")
def test_real_write_failure_leaves_nothing(tmp_path: Path) -> None:
    # A limit of the size of files fails in the system call itself, as a full disk does.
    code = (
        "import resource, signal, sys, numpy as np\n"
        "from isodose.errors import OutputError\n"
        "from isodose.patient.dicom_dose import write_dose\n"
        "from isodose.patient.grid import Grid\n"
        "from isodose.patient.images import write_image\n"
        "from isodose.patient.patient import DicomIdentity\n"
        "from isodose.patient.volume import Volume\n"
        "shape = (40, 40, 40)\n"
        "v = Volume(Grid((0, 0, 0), (1, 1, 1), shape), np.random.default_rng(1).random(shape))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "for write in (lambda: write_dose('d.dcm', v, DicomIdentity()),\n"
        "              *(lambda n=n: write_image(n, v) for n in ('d.nii', 'd.nii.gz', 'd.mha', 'd.nrrd'))):\n"
        "    try:\n"
        "        write()\n"
        "    except OutputError as error:\n"
        "        print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, env=os.environ
    )
    assert result.stdout.count("could not be written") == 5, result.stdout + result.stderr
    assert names(tmp_path) == []


def test_missing_folder_and_folder_in_the_way(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file"), atomic_path(tmp_path / "none" / "a.dcm"):
        pass
    with pytest.raises(OutputError, match=str(tmp_path)), atomic_path(tmp_path):
        pass


def test_folder_is_whole_or_absent(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "run"
    with pytest.raises(RuntimeError), atomic_folder(target) as partial:  # noqa: PT012
        (partial / "a").write_text("1")
        raise RuntimeError
    assert not target.exists()
    assert names(tmp_path / "deep") == []
    with atomic_folder(target) as partial:
        (partial / "a").write_text("1")
        assert not target.exists()
    assert names(target) == ["a"]


def test_folder_in_use_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("1")
    with pytest.raises(OutputError, match="empty folder"), atomic_folder(tmp_path):
        pass
    assert names(tmp_path) == ["mine"]
