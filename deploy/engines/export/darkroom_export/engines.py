"""Asks NVIDIA's TensorRT-RTX whether it takes a graph: an ahead-of-time build, which needs no GPU.

It proves that the parser reads the graph, that types, shapes and profile agree, and that the compiler lowers it for
an architecture. It proves nothing about numbers, speed or memory, and nothing about classic TensorRT or Hopper.
"""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darkroom_export.bundle import Bundle
from darkroom_export.errors import ExportError

Profile = dict[str, list[list[int]]]

# Ampere, Ada and Blackwell; Turing before them has matrix products in fp16 alone.
CAPABILITIES = {"fp32": ("8.0", "8.6", "8.9", "12.0"), "fp16": ("7.5", "8.0", "8.6", "8.9", "12.0")}

# TensorRT-RTX has no codes, so what it says is all there is.
_NO_FP32_PRODUCTS = "FP32 GEMM is not supported"

_CHILD = Path(__file__).with_name("tensorrt_child.py")


@dataclass(frozen=True)
class Build:
    """What became of one graph for one compute capability.

    `plan_bytes` and `seconds` are of the whole engine, of which capabilities that are built for together share one.
    """

    capability: str
    ok: bool
    errors: list[str]
    layers: int
    plan_bytes: int
    seconds: float

    @property
    def lacks_fp32_products(self) -> bool:
        """Whether it is refused for products in fp32, and would be built with `--precision fp16`."""
        return any(_NO_FP32_PRODUCTS in error for error in self.errors)


def profile_of(bundle: Bundle, part: str) -> Profile:
    """For each input its smallest, usual and largest shape.

    Rows are 1, 2 and the manifest's `maxBatch`; the largest picture has twice the native side, and the longest
    prompt two windows of tokens.
    """
    manifest = bundle.manifest
    pixels = manifest["nativeSize"]
    cells = pixels // manifest["latentFactor"]
    tokens = manifest["tokensMax"]
    open_sizes = {
        "sample": cells,
        "latents": cells,
        "images": pixels,
        "encoder_hidden_states": tokens,
        "uncond_hidden_states": tokens,
    }
    spec = manifest["parts"][part]

    def shape(tensor: dict[str, Any], rows: int, times: int) -> list[int]:
        inner = [size if size >= 0 else times * open_sizes[tensor["name"]] for size in tensor["shape"][1:]]
        return [rows, *inner]

    rows_and_times = ((1, 1), (2, 1), (spec["maxBatch"], 2))
    return {tensor["name"]: [shape(tensor, *pair) for pair in rows_and_times] for tensor in spec["inputs"]}


def build_engines(graph: Path, profile: Profile, capabilities: tuple[str, ...]) -> list[Build]:
    """One build for each capability, in order. Raises an ExportError when TensorRT-RTX is not installed.

    One engine for all of them takes as long as one for the first. What is refused for all is tried for each alone, so
    that it is told which of them refuse it.
    """
    together = _build(graph, profile, capabilities)
    if together[0].ok or len(capabilities) == 1:
        return together
    return [_build(graph, profile, (capability,))[0] for capability in capabilities]


def _build(graph: Path, profile: Profile, capabilities: tuple[str, ...]) -> list[Build]:
    order = {"graph": str(graph), "profile": profile, "capabilities": capabilities}
    # -P: the modules beside the script are not the standard library's.
    command = [sys.executable, "-P", str(_CHILD)]
    child = subprocess.run(command, input=json.dumps(order), capture_output=True, text=True, check=False)
    if child.returncode > 0:
        raise ExportError(f"TensorRT-RTX cannot be asked: {child.stderr.strip().splitlines()[-1]}")
    if child.returncode < 0:
        errors = [f"TensorRT-RTX ended with {signal.Signals(-child.returncode).name}."]
        return [Build(capability, False, errors, 0, 0, 0.0) for capability in capabilities]
    answer = json.loads(child.stdout)
    return [_to_build(capability, answer) for capability in capabilities]


def _to_build(capability: str, answer: dict[str, Any]) -> Build:
    return Build(capability, answer["ok"], answer["errors"], answer["layers"], answer["planBytes"], answer["seconds"])
