"""Builds engines of one graph with TensorRT-RTX, ahead of time and without a GPU.

A process of its own, because some graphs end the builder with a signal. Reads one JSON object from stdin: `graph`
(a path), `profile` (for each input: its smallest, usual and largest shape) and `capabilities` (such as "8.9"), for
all of which one engine is built. Prints one JSON object: `ok`, `errors`, `layers`, `planBytes`, `seconds`.
"""

import json
import sys
import time
from typing import Any

import tensorrt_rtx as trt


class Log(trt.ILogger):
    """Keeps what TensorRT says when it fails. What it says otherwise is not for people."""

    def __init__(self) -> None:
        trt.ILogger.__init__(self)
        self.errors: list[str] = []

    def log(self, severity: trt.ILogger.Severity, message: str) -> None:
        """Called by TensorRT."""
        if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
            self.errors.append(message)


def build(order: dict[str, Any]) -> dict[str, Any]:
    """Parses the graph and builds one engine for all the compute capabilities."""
    started = time.monotonic()
    log = Log()
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    plan = None
    if parser.parse_from_file(order["graph"]):
        config = builder.create_builder_config()
        problem = set_capabilities(config, order["capabilities"]) or set_profile(config, builder, order["profile"])
        if problem:
            log.errors.append(problem)
        else:
            plan = builder.build_serialized_network(network, config)
    return {
        "ok": plan is not None,
        "errors": [parser.get_error(i).desc() for i in range(parser.num_errors)] + log.errors,
        "layers": network.num_layers,
        "planBytes": plan.nbytes if plan is not None else 0,
        "seconds": round(time.monotonic() - started, 2),
    }


def set_capabilities(config: trt.IBuilderConfig, capabilities: list[str]) -> str | None:
    """Returns why it cannot be built for, if so."""
    config.num_compute_capabilities = len(capabilities)
    for index, capability in enumerate(capabilities):
        target = getattr(trt.ComputeCapability, f"SM{capability.replace('.', '')}", None)
        if target is None or not config.set_compute_capability(target, index):
            return f"TensorRT-RTX does not build for SM {capability}."
    return None


def set_profile(config: trt.IBuilderConfig, builder: trt.Builder, profile: dict[str, Any]) -> str | None:
    """Returns why it is no profile, if so. A wrong one is found by the build more often than here."""
    optimisation = builder.create_optimization_profile()
    try:
        for name, shapes in profile.items():
            optimisation.set_shape(name, *shapes)
    except (TypeError, ValueError) as error:
        return f"The profile is wrong: {error}"
    return None if config.add_optimization_profile(optimisation) >= 0 else "TensorRT-RTX refuses the profile."


def main() -> None:
    """Carries out the order on stdin."""
    print(json.dumps(build(json.load(sys.stdin))), flush=True)


if __name__ == "__main__":
    main()
