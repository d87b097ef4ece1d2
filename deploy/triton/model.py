"""Serves one part of a bundle through Triton's Python backend: runs `model.onnx`, which lies beside this file.

Triton hands over the requests that it has gathered. Those with the same shapes run as one call of the graph. When
that fails each runs by itself, so that one bad request costs no other its answer.
"""

import json
import os

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils

# Fatal only: a failed run is reported to its caller, and need not be in the server's log as well.
LOG_SEVERITY = 4


class TritonPythonModel:
    def initialize(self, args):
        # The server's stub is built for numpy 1: with 2, every output has its shape, no bytes and no error.
        if int(np.__version__.split(".")[0]) >= 2:
            raise pb_utils.TritonModelException(f"numpy {np.__version__} cannot be used: install one below 2")
        config = json.loads(args["model_config"])
        settings = {key: value["string_value"] for key, value in config.get("parameters", {}).items()}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(settings.get("intra_op_num_threads", "1"))
        options.inter_op_num_threads = 1
        options.log_severity_level = LOG_SEVERITY
        # Spinning threads of one instance would take the cores of the others.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        graph = os.path.join(args["model_repository"], args["model_version"], "model.onnx")
        self.session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self.inputs = [each["name"] for each in config["input"]]
        self.outputs = [each["name"] for each in config["output"]]

    def execute(self, requests):
        answers = [None] * len(requests)
        groups = {}
        for place, request in enumerate(requests):
            if request.is_cancelled():
                answers[place] = refusal("The caller withdrew the request.", pb_utils.TritonError.CANCELLED)
                continue
            feed = {name: pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs}
            shapes = tuple(array.shape[1:] for array in feed.values())
            groups.setdefault(shapes, []).append((place, feed))
        for members in groups.values():
            for (place, _), answer in zip(members, self.run_together([feed for _, feed in members])):
                answers[place] = answer
        return answers

    def run_together(self, feeds):
        try:
            return self.run(feeds)
        except Exception as error:
            if len(feeds) == 1:
                return [refusal(f"onnx runtime error: {error}", pb_utils.TritonError.INTERNAL)]
            return [self.run_together([feed])[0] for feed in feeds]

    def run(self, feeds):
        """One answer for each feed, all from one call; the outputs that nobody asked for Triton leaves out."""
        stacked = feeds[0]
        if len(feeds) > 1:
            stacked = {name: np.concatenate([feed[name] for feed in feeds]) for name in self.inputs}
        results = self.session.run(self.outputs, stacked)
        ends = np.cumsum([len(feed[self.inputs[0]]) for feed in feeds])[:-1]
        rows = [np.split(result, ends) for result in results]
        return [
            pb_utils.InferenceResponse(
                [pb_utils.Tensor(name, np.ascontiguousarray(part)) for name, part in zip(self.outputs, parts)]
            )
            for parts in zip(*rows)
        ]

    def finalize(self):
        self.session = None


def refusal(text, code):
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(text, code))
