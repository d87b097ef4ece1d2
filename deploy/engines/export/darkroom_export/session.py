"""Runs an exported graph with ONNX Runtime and holds it against torch."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

from darkroom_export.errors import ExportError
from darkroom_export.parts import Part

# fp32 in another order of summation: real graphs differ by less than 1e-5 where outputs are about 1.
_DIFFERENCE_MAX = 1e-3
# A level of a pixel whose value lies on the edge between two.
_LEVELS_MAX = 1


def open_session(graph: Path) -> onnxruntime.InferenceSession:
    """A session of one thread that reads the weights beside the graph."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def describe(session: onnxruntime.InferenceSession, max_batch: int, file: str) -> dict[str, Any]:
    """A part as the manifest has it; -1 is an axis that the caller chooses."""
    return {
        "file": file,
        "inputs": [_to_spec(value) for value in session.get_inputs()],
        "outputs": [_to_spec(value) for value in session.get_outputs()],
        "maxBatch": max_batch,
    }


def largest_difference(session: onnxruntime.InferenceSession, part: Part) -> float:
    """Over every case and output of the part. Raises an ExportError when the graph is another function than torch's."""
    largest = 0.0
    for case in part.cases:
        given = dict(zip(part.inputs, (value.numpy() for value in case), strict=True))
        with torch.no_grad():
            expected = part.network(*case)
        expected = expected if isinstance(expected, tuple) else (expected,)
        for name, wanted, got in zip(part.outputs, expected, session.run(None, given), strict=True):
            if wanted.shape != got.shape:
                raise ExportError(f"{part.name}: {name} is {got.shape}, and torch gives {tuple(wanted.shape)}.")
            difference = float(np.abs(wanted.numpy().astype(np.float64) - got).max())
            limit = _LEVELS_MAX if got.dtype == np.uint8 else _DIFFERENCE_MAX * max(1.0, float(wanted.abs().max()))
            if not difference <= limit:
                raise ExportError(f"{part.name}: {name} differs from torch by {difference:.2e}, {limit:.2e} allowed.")
            largest = max(largest, difference)
    return largest


def _to_spec(value: onnxruntime.NodeArg) -> dict[str, Any]:
    shape = [size if isinstance(size, int) else -1 for size in value.shape]
    return {"name": value.name, "type": value.type.removeprefix("tensor(").removesuffix(")"), "shape": shape}
