"""Writing without half-written results: write beside the target, then rename."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isodose.errors import IsodoseError, OutputError


def _failure(path: Path, error: OSError) -> OutputError:
    """Make an error that names the file and the reason, such as a full disk."""
    reason = error.strerror or str(error) or type(error).__name__
    return OutputError(f"{path}: could not be written ({reason}); nothing was left behind")


def _flush(path: Path) -> None:
    """Force a file to the disk, where a full one may only now show."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Temporary path beside a file to be written; renamed to the file if all goes well, else removed.

    Parameters
    ----------
    path
        The file to write, in a folder that exists. An existing file is replaced, at once and only by a
        complete one.

    Yields
    ------
    Path
        Where to write. It keeps all suffixes of the target, for writers that choose a format by them.

    Raises
    ------
    OutputError
        If the file cannot be written, as on a full disk or in a missing folder.
    """
    target = Path(path)
    try:
        if target.is_dir():
            raise IsADirectoryError(0, "is a folder")
        folder = Path(tempfile.mkdtemp(prefix=".partial-", dir=target.parent))
    except OSError as error:
        raise _failure(target, error) from error
    try:
        yield folder / target.name
        _flush(folder / target.name)
        (folder / target.name).replace(target)
    except IsodoseError:
        raise
    except OSError as error:
        raise _failure(target, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Temporary folder beside a folder to be written; renamed to it if all goes well, else removed.

    Parameters
    ----------
    path
        The folder to write; it may exist if it is empty. Missing parents are made.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    OutputError
        If the folder exists and holds something, or cannot be written, as on a full disk.
    """
    target = Path(path)
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise OutputError(f"{target}: exists already; name a new or an empty folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".partial-", dir=target.parent))
    except OSError as error:
        raise _failure(target, error) from error
    try:
        content = folder / target.name
        content.mkdir()
        yield content
        for file in content.rglob("*"):
            if file.is_file():
                _flush(file)
        content.replace(target)
    except IsodoseError:
        raise
    except OSError as error:
        raise _failure(target, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
