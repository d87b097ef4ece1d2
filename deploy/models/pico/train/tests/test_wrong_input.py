"""Whatever is typed wrong, missing or damaged is told in one line, and nothing is made of it."""

import dataclasses
import json
import resource
import shutil

import pytest
import torch
from diffusers import AutoencoderKL

from pico_train import cli, workshop
from pico_train.cli import main
from pico_train.concepts import read_concepts
from pico_train.models import PICO
from pico_train.pictures import open_icons
from pico_train.plan import VAE
from pico_train.run import draws_of
from pico_train.vae import VaeTask, create_vae, vae_source

_UNET = ["train", "unet", "--concepts", "2", "--variants", "1", "--steps", "1", "--batch", "2"]
_SMALL = [*_UNET, "--channels", "32", "32", "32", "--vae", str(PICO / "vae")]
_WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture
def tell(work, capfd):
    """Runs a command that has to fail, and returns the one line that it tells."""

    def run(*arguments):
        capfd.readouterr()
        assert main([*map(str, arguments), "--work", str(work), "--device", "cpu"]) == 1
        lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith(("pico_train", "Traceback"))]
        assert len(lines) == 1
        return lines[0]

    return run


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--steps", "0"], "--steps: '0' has to be a whole number from 1"),
        (["--steps", "-3"], "--steps: '-3' has to be"),
        (["--steps", "many"], "--steps: 'many' has to be"),
        (["--batch", "0"], "--batch: '0' has to be"),
        (["--variants", "0"], "--variants: '0' has to be"),
        (["--threads", "0"], "--threads: '0' has to be"),
        (["--learning-rate", "0"], "--learning-rate: '0' has to be a number above 0"),
        (["--learning-rate", "nan"], "--learning-rate: 'nan' has to be"),
        (["--seed", "-1"], "--seed: '-1' has to be"),
        (["--seed", str(2**63)], "is more than"),
        (["--channels", "64", "128"], "--channels: expected 3"),
        (["--channels", "64", "100", "192"], "100 is no multiple of 16"),
        (["--colour", "red"], "unrecognized arguments: --colour red"),
        (["--device", "tpu"], "--device is auto, cpu, cuda, mps, and not 'tpu'"),
        (["--device", "meta"], "--device is auto, cpu, cuda, mps, and not 'meta'"),
    ],
)
def test_numbers_and_names_that_no_training_can_use_are_told(arguments, told, tmp_path, capfd):
    assert main([*_UNET, "--work", str(tmp_path), *arguments]) == 1

    error = capfd.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["train"], "the following arguments are required: PART"),
        (["render", "--styles", "flat", "foo"], "invalid choice: 'foo'"),
        (["fine-tune", "--style", "foo"], "invalid choice: 'foo'"),
        (["score", "x", "--styles", "foo"], "invalid choice: 'foo'"),
        (["score", "x", "--seeds", "0"], "--seeds: '0' has to be"),
        (["score", "x", "--judge-steps", "0"], "--judge-steps: '0' has to be"),
        (["sheet", str(PICO), "sheet.foo"], "let it end in .png"),
    ],
)
def test_commands_that_do_not_exist_are_told(arguments, told, capfd):
    assert main(arguments) == 1
    assert told in capfd.readouterr().err


@pytest.mark.parametrize("command", ["render", "train", "train vae", "train decoder", "fine-tune", "score", "sheet"])
def test_every_command_explains_itself(command, capfd):
    with pytest.raises(SystemExit, match="0"):
        main([*command.split(), "--help"])
    assert capfd.readouterr().out.startswith(f"usage: pico_train {command} ")


def test_damaged_icons_are_told(work, tell):
    shutil.copytree(work / "icons", work / "copy")
    (work / "icons").unlink()
    (work / "copy").rename(work / "icons")
    (work / "icons" / "flat.rgba").write_bytes(bytes(1000))
    assert "flat.json cannot be read" in tell(*_SMALL)
    (work / "icons" / "flat.rgba").unlink()
    assert "flat.json cannot be read" in tell(*_SMALL)
    (work / "icons" / "flat.json").write_text("[")
    assert "Remove it and run `render` again" in tell(*_SMALL)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", "tensor"])
def test_a_damaged_checkpoint_is_told_and_kept(content, work, tell):
    checkpoint = work / "runs" / "unet.pt"
    checkpoint.parent.mkdir()
    if content == "tensor":
        torch.save(torch.zeros(1), checkpoint)
    else:
        checkpoint.write_bytes(content)
    before = checkpoint.read_bytes()

    assert "Remove it to begin anew" in tell(*_SMALL)
    assert checkpoint.read_bytes() == before


def test_damaged_latents_are_made_again(work):
    cache = work / "latents" / "flat-2.pt"
    cache.parent.mkdir()
    cache.write_bytes(b"no latents")

    assert main([*_SMALL, "--work", str(work), "--device", "cpu"]) == 0
    assert torch.load(cache, weights_only=True)["values"].shape == (20, 4, 16, 16)


def test_folders_of_other_networks_are_told(work, tell):
    vae = AutoencoderKL(block_out_channels=(32,), norm_num_groups=2)
    vae.save_pretrained(work / "other")
    half = work / "half" / "unet"
    shutil.copytree(PICO / "unet", half, ignore=shutil.ignore_patterns("*.onnx"))
    (half / _WEIGHTS).write_bytes((PICO / "unet" / _WEIGHTS).read_bytes()[:1000])

    assert "has 4 latent channels of 1/1, and not 4 of 1/8" in tell(*_UNET, "--vae", work / "other")
    assert "holds no AutoencoderKL" in tell(*_UNET, "--vae", PICO / "unet")
    assert f"{half} cannot be loaded" in tell(*_UNET, "--vae", PICO / "vae", "--from", work / "half")
    config = json.loads((half / "config.json").read_text()) | {"in_channels": 9}
    (half / "config.json").write_text(json.dumps(config))
    assert f"{half} cannot be loaded" in tell(*_UNET, "--vae", PICO / "vae", "--from", work / "half")
    assert not (work / "pico").exists()


def test_a_place_that_cannot_be_written_is_told(work, tell):
    (work / "latents").write_text("no folder")
    assert "latents" in tell(*_SMALL)
    assert main(["render", "--styles", "flat", "--work", "/proc/nowhere"]) == 1


def test_a_full_disk_is_told_and_leaves_what_was_there(work, tell):
    assert main([*_SMALL, "--work", str(work), "--device", "cpu"]) == 0
    (work / "runs" / "unet.pt").unlink()
    before = (work / "pico" / "unet" / _WEIGHTS).read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        assert "unet.pt cannot be written" in tell(*_SMALL, "--seed", "1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert not list(work.rglob("*.unfinished"))
    assert (work / "pico" / "unet" / _WEIGHTS).read_bytes() == before


def test_a_score_that_cannot_be_given_is_told_before_the_judge_is_trained(work, tell):
    assert "nowhere has no vae" in tell("score", work / "nowhere", "--styles", "flat")
    shutil.copytree(PICO, work / "pico", ignore=shutil.ignore_patterns("*.onnx", "train", "MODEL_CARD.md"))
    assert "MODEL_CARD.md has no place for the score" in tell("score", work / "pico", "--styles", "flat", "--card")
    assert not (work / "runs").exists()


def test_a_command_that_is_interrupted_says_so_in_one_line(work, monkeypatch, capfd):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(workshop, "train_vae", interrupt)
    assert cli.main(["train", "vae", "--work", str(work)]) == 130
    assert capfd.readouterr().err == "pico_train: stopped; the same command goes on from what was kept.\n"


def test_the_smallest_batch_has_a_picture_in_every_step(work):
    plan = dataclasses.replace(VAE, batch=1)
    vae, source = create_vae(), vae_source([open_icons(work / "icons", "flat")], read_concepts("2"))
    loss, _ = VaeTask(vae, source, plan).loss(plan.steps - 1, draws_of(0, 0))

    assert torch.isfinite(loss)


def test_what_no_captions_can_be_made_of_is_told(tmp_path, monkeypatch, capfd):
    for text, told in (("[core", "cannot be read"), ('[core]\ncat = "cat"\n[more]', "cat needs names in brackets")):
        (tmp_path / "concepts.toml").write_text(text)
        monkeypatch.setattr("pico_train.concepts._FILE", tmp_path / "concepts.toml")
        assert main([*_UNET, "--work", str(tmp_path), "--device", "cpu"]) == 1
        assert told in capfd.readouterr().err


def test_draws_of_the_largest_seed_are_made():
    assert draws_of(2**63 - 1, 0).rng.random() < 1
