"""Files and folders that are there whole or not at all."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from pico_train.errors import TrainError, first_line


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` make a file beside `path`, and then gives it the name: nobody ever reads half of it.

    Raises TrainError when it cannot be written, on a full disk for one; what had that name before stays.
    """
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(unfinished)
        _sync(unfinished)
        unfinished.replace(path)
    # torch and safetensors have errors of their own for what the disk does not take.
    except Exception as error:
        _remove(unfinished)
        raise TrainError(f"{path} cannot be written: {first_line(error)}") from error


def write_folder_whole(folder: Path, write: Callable[[Path], object]) -> None:
    """As `write_whole`, for a folder: the one before gives way to it as a whole.

    A folder cannot take the name of another, so a kill at the wrong moment can leave none; half of one, never.
    """
    unfinished, outdated = (folder.with_name(f"{folder.name}.{what}") for what in ("unfinished", "outdated"))
    try:
        for rest in (unfinished, outdated):
            _remove(rest)
        unfinished.mkdir(parents=True)
        write(unfinished)
        for path in unfinished.iterdir():
            _sync(path)
        if folder.exists():
            folder.rename(outdated)
        unfinished.rename(folder)
    except Exception as error:
        _remove(unfinished)
        raise TrainError(f"{folder} cannot be written: {first_line(error)}") from error
    _remove(outdated)


def read_tensors(path: Path, device: torch.device) -> Any:
    """Reads what `torch.save` wrote. Raises TrainError when it is anything else."""
    try:
        return torch.load(path, map_location=device, weights_only=True)
    # A zip that is cut off, a pickle with code in it, a text: each is refused with another class.
    except Exception as error:
        raise TrainError(f"{path} cannot be read: {first_line(error)} Remove it to begin anew.") from error


def _sync(path: Path) -> None:
    if path.is_file():
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    elif path.is_file():
        path.unlink()
