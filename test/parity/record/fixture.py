"""Where the recorders read the bundle and write what they record."""

import gzip
import json
from pathlib import Path

import numpy as np

PARITY = Path(__file__).resolve().parents[1]
FIXTURES = PARITY / "fixtures"
BUNDLE = PARITY.parents[1] / "deploy" / "models" / "pico"


def read_bundle_json(path: str) -> dict:
    return json.loads((BUNDLE / path).read_text())


def write_json_lines(name: str, rows: list[dict]) -> None:
    """One case a line, so that a diff shows which cases changed."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")) for row in rows)
    (FIXTURES / name).write_text(f"[\n{lines}\n]\n")


def write_floats(name: str, arrays: list[np.ndarray]) -> None:
    """All arrays end to end as little-endian float32, gzipped with no time stamp so that a rerun gives the same bytes."""
    flat = np.concatenate([np.asarray(array, dtype="<f4").ravel() for array in arrays])
    (FIXTURES / name).write_bytes(gzip.compress(flat.tobytes(), compresslevel=9, mtime=0))


def write_frames(name: str, frames: list[np.ndarray]) -> None:
    """
    Each frame as its largest absolute value in float32 and its values as 16-bit fractions of that, gzipped.
    A value is off by at most 1.6e-5 of the frame's largest, a sixth of what the tests allow.
    """
    packed = bytearray()
    for frame in frames:
        flat = np.asarray(frame, dtype=np.float64).ravel()
        largest = np.float32(np.abs(flat).max())
        packed += np.asarray(largest, dtype="<f4").tobytes()
        packed += np.round(flat / float(largest) * 32767).astype("<i2").tobytes()
    (FIXTURES / name).write_bytes(gzip.compress(bytes(packed), compresslevel=9, mtime=0))


def shortest(values) -> list[float | None]:
    """The values as float32, each with no more digits than tell it from its neighbours; null for infinity."""
    return [float(str(np.float32(value))) if np.isfinite(value) else None for value in values]
