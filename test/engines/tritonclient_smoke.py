"""Uses a KServe server as NVIDIA's Python client does and prints what it saw as one line of JSON.

Usage: tritonclient_smoke.py HOST:PORT
"""

import hashlib
import json
import os
import sys
import time

import numpy as np
import tritonclient.grpc as triton
import tritonclient.utils.shared_memory as shm
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


def unet_arrays():
    return {
        "sample": ramp(2, 4, 16, 16),
        "timestep": np.array([[901], [11]], dtype=np.float32),
        "encoder_hidden_states": ramp(2, 77, 128),
        "uncond_hidden_states": -ramp(2, 77, 128),
        "guidance": np.array([[7.5], [1]], dtype=np.float32),
    }


def unet_inputs():
    return [tensor(name, array, "FP32") for name, array in unet_arrays().items()]


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


def unregister(client, name):
    """Triton lets go of a region a moment after the answer, and refuses until then."""
    for _ in range(600):
        refused = refusal(lambda: client.unregister_system_shared_memory(name))
        if refused is None:
            return
        time.sleep(0.05)
    raise AssertionError(refused)


def share(client):
    """The U-Net's inputs and its output in shared memory; the digest must be the one of `infer`."""
    arrays = unet_arrays()
    inputs_size = sum(array.nbytes for array in arrays.values())
    noise = 2 * 4 * 16 * 16 * 4
    name = f"smoke-{os.getpid()}"
    region = shm.create_shared_memory_region(name, f"/{name}", inputs_size + noise)
    try:
        shm.set_shared_memory_region(region, list(arrays.values()))
        client.register_system_shared_memory(name, f"/{name}", inputs_size + noise)
        inputs, offset = [], 0
        for given, array in arrays.items():
            inputs.append(triton.InferInput(given, array.shape, "FP32"))
            inputs[-1].set_shared_memory(name, array.nbytes, offset)
            offset += array.nbytes
        wanted = triton.InferRequestedOutput("noise_pred")
        wanted.set_shared_memory(name, noise, offset)
        client.infer(UNET, inputs, outputs=[wanted], client_timeout=30)
        listed = list(client.get_system_shared_memory_status().regions)
        unregister(client, name)
        got = shm.get_contents_as_numpy(region, np.float32, [2, 4, 16, 16], offset)
        return {"listed": listed == [name], "sha256": hashlib.sha256(got.tobytes()).hexdigest()}
    finally:
        shm.destroy_shared_memory_region(region)


def counted(client, rows):
    """The U-Net's statistics once they have so many rows: Triton counts a request a moment after its answer."""
    for _ in range(600):
        statistics = client.get_inference_statistics(UNET, "1").model_stats[0]
        if statistics.inference_count >= rows:
            break
        time.sleep(0.05)
    return statistics


def manage(client):
    """Statistics, and a model that is unloaded and loaded again."""
    before = counted(client, 4)
    client.unload_model(UNET)
    for _ in range(600):
        states = {model.name: (model.state, model.reason) for model in client.get_model_repository_index().models}
        if states[UNET][0] == "UNAVAILABLE":
            break
        time.sleep(0.05)
    refused = refusal(lambda: client.infer(UNET, unet_inputs()))
    client.load_model(UNET)
    answer = client.infer(UNET, unet_inputs(), client_timeout=30).as_numpy("noise_pred")
    after = counted(client, 2)
    return {
        "counts": [[each.inference_count, each.execution_count] for each in (before, after)],
        "batches": [[each.batch_size, each.compute_infer.count] for each in before.batch_stats],
        "unloaded": states[UNET],
        "refused": refused,
        "ready": client.is_model_ready(UNET),
        "sha256": hashlib.sha256(answer.tobytes()).hexdigest(),
        "unknown": refusal(lambda: client.load_model("nope")),
    }


def refusals(client):
    wrong = [tensor("sample", ramp(2, 3, 16, 16), "FP32"), *unet_inputs()[1:]]
    return {
        "unknown": refusal(lambda: client.infer("nope", unet_inputs())),
        "shape": refusal(lambda: client.infer(UNET, wrong)),
        "sharedMemory": refusal(lambda: client.get_system_shared_memory_status("nope")),
    }


def main():
    with triton.InferenceServerClient(sys.argv[1]) as client:
        seen = {call.__name__: call(client) for call in (describe, infer, share, manage, refusals)}
        print(json.dumps(seen))


if __name__ == "__main__":
    main()
