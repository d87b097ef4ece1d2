"""Traces one part and writes its weightless graph."""

import logging
import warnings
from pathlib import Path

import onnx
import torch

from darkroom_export.externalise import externalise
from darkroom_export.parts import Part
from darkroom_export.tidy import strip_notes, tidy

# Attention is still decomposed and group normalisation still plain at this one; TensorRT reads up to 20.
_OPSET = 18


def trace(part: Part, graph: Path, weights: Path) -> None:
    """Writes the part to `graph`, whose parameters point into `weights` beside it.

    The bytes of the graph depend on the versions of torch, onnxscript and onnx, and on nothing else: not on the
    weights, and not on the machine.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            part.network.eval(),
            part.cases[0],
            None,
            input_names=part.inputs,
            output_names=part.outputs,
            opset_version=_OPSET,
            dynamo=True,
            dynamic_shapes=part.open_axes,
            # onnxscript's optimiser folds and transposes weights away: see `tidy`.
            optimize=False,
            verbose=False,
        )
    model = tidy(program.model_proto)
    externalise(model, weights)
    strip_notes(model)
    onnx.save(model, graph)
