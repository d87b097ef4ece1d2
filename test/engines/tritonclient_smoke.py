"""Uses a KServe server as NVIDIA's Python client does and prints what it saw as one line of JSON.

Usage: tritonclient_smoke.py HOST:PORT
"""

import hashlib
import json
import sys

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

UNET = "pico.unet_cfg"
ENCODER = "pico.text_encoder"


def ramp(*shape):
    """Values that every language computes to the same bits."""
    return ((np.arange(np.prod(shape)) % 17 - 8) / 8).astype(np.float32).reshape(shape)


def tensor(name, array, datatype):
    given = triton.InferInput(name, array.shape, datatype)
    given.set_data_from_numpy(array)
    return given


def unet_inputs():
    return [
        tensor("sample", ramp(2, 4, 16, 16), "FP32"),
        tensor("timestep", np.array([[901], [11]], dtype=np.float32), "FP32"),
        tensor("encoder_hidden_states", ramp(2, 77, 128), "FP32"),
        tensor("uncond_hidden_states", -ramp(2, 77, 128), "FP32"),
        tensor("guidance", np.array([[7.5], [1]], dtype=np.float32), "FP32"),
    ]


def refusal(call):
    try:
        call()
        return None
    except InferenceServerException as error:
        return {"status": error.status(), "message": error.message()}


def describe(client):
    config = client.get_model_config(UNET, as_json=True)["config"]
    return {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "server": client.get_server_metadata().name,
        "modelReady": client.is_model_ready(UNET, "1"),
        "unknownReady": client.is_model_ready("nope"),
        "inputs": [each.name for each in client.get_model_metadata(UNET).inputs],
        "maxBatch": config["max_batch_size"],
        "instances": [group["count"] for group in config["instance_group"]],
        "versionPolicy": config["version_policy"],
        "index": [[model.name, model.state] for model in client.get_model_repository_index().models],
    }


def infer(client):
    wanted = [triton.InferRequestedOutput("noise_pred")]
    answer = client.infer(UNET, unet_inputs(), outputs=wanted, request_id="smoke", client_timeout=30)
    noise = answer.as_numpy("noise_pred")
    tokens = np.zeros((1, 77), dtype=np.int32)
    encoded = client.infer(ENCODER, [tensor("input_ids", tokens, "INT32")], client_timeout=30)
    return {
        "id": answer.get_response().id,
        "shape": noise.shape,
        "sha256": hashlib.sha256(noise.tobytes()).hexdigest(),
        "encoded": {name: encoded.as_numpy(name).shape for name in ("hidden_states", "hidden_states_clip_skip_2")},
    }


def refusals(client):
    wrong = [tensor("sample", ramp(2, 3, 16, 16), "FP32"), *unet_inputs()[1:]]
    return {
        "unknown": refusal(lambda: client.infer("nope", unet_inputs())),
        "shape": refusal(lambda: client.infer(UNET, wrong)),
        "statistics": refusal(lambda: client.get_inference_statistics()),
        "sharedMemory": refusal(lambda: client.get_system_shared_memory_status()),
    }


def main():
    with triton.InferenceServerClient(sys.argv[1]) as client:
        print(json.dumps({"describe": describe(client), "infer": infer(client), "refusals": refusals(client)}))


if __name__ == "__main__":
    main()
