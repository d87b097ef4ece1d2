"""Where each tensor lies in a safetensors file. Needs numpy alone, so that a bundle can be checked without torch."""

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkroom_export.errors import ExportError

# Longer than any real header, as in the reference implementation: a damaged length must not ask for terabytes.
_HEADER_BYTES_MAX = 100_000_000


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a safetensors file. `offset` and `length` are bytes, counted from the start of the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    length: int


def read_stored_tensors(path: Path) -> dict[str, StoredTensor]:
    """Every tensor of the file by its name. Raises an ExportError when it is not a safetensors file."""
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(size, _HEADER_BYTES_MAX)))
        header.pop("__metadata__", None)
        return {name: _to_stored(name, entry, 8 + size) for name, entry in header.items()}
    except (OSError, struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExportError(f"{path} cannot be read as safetensors: {error}") from error


def read_half_values(path: Path, tensor: StoredTensor) -> NDArray[np.float16]:
    """The values of an fp16 tensor, in its shape, mapped from the file and not copied."""
    count = tensor.length // np.dtype(np.float16).itemsize
    values = np.memmap(path, np.float16, "r", tensor.offset, (count,))
    return values.reshape(tensor.shape)


def _to_stored(name: str, entry: dict[str, Any], data_start: int) -> StoredTensor:
    begin, end = entry["data_offsets"]
    return StoredTensor(name, entry["dtype"], tuple(entry["shape"]), data_start + begin, end - begin)
