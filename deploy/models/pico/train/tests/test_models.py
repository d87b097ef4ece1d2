"""Every part can be trained, and nothing else changes."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from diffusers import DDPMScheduler
from safetensors.torch import load_file

from pico_train.cli import main
from pico_train.concepts import BACKGROUND_NAMES, read_concepts
from pico_train.latents import Examples, Latents, open_latents, whiten
from pico_train.models import PICO, load_text_encoder, load_unet, load_vae, part_folder
from pico_train.pictures import open_icons
from pico_train.plan import VAE
from pico_train.run import draws_of
from pico_train.text import Vocabulary, narrow_text_encoder, widen_text_encoder
from pico_train.unet import Lesson, Networks, UnetTask
from pico_train.vae import VaeTask, _compare, create_vae, vae_source

_SAFETENSORS = "diffusion_pytorch_model.safetensors"


def _run(work, *arguments):
    return main([*arguments, "--work", str(work), "--threads", "1", "--device", "cpu"])


def _is_encoder(name):
    return name.startswith(("encoder", "quant_conv"))


def test_an_autoencoder_is_trained_and_its_latents_have_sd15s_scale(full_work):
    assert _run(full_work, "train", "vae", "--steps", "8", "--batch", "4") == 0

    vae = load_vae(full_work / "vae")
    examples = Examples(open_icons(full_work / "icons", "flat"), read_concepts("2"), 1)
    values = open_latents(full_work / "latents.pt", vae, examples).values
    assert vae.config.scaling_factor == 0.18215
    assert values.shape == (20, 4, 16, 16)
    # Of two things; over all of them it is 0 and 1.
    assert values.mean((0, 2, 3)).abs().max() < 0.5
    assert 0.5 < values.std() < 1.5
    assert load_file(full_work / "vae" / _SAFETENSORS)["encoder.conv_in.weight"].dtype == torch.float16


def test_whitening_changes_no_picture(work):
    torch.manual_seed(0)
    vae = create_vae()
    pictures = torch.rand(2, 3, 128, 128) * 2 - 1
    with torch.no_grad():
        before = vae.decode(vae.encode(pictures).latent_dist.mean).sample
        whiten(vae, Examples(open_icons(work / "icons", "flat"), read_concepts("4"), 0))
        after = vae.decode(vae.encode(pictures).latent_dist.mean).sample

    assert torch.allclose(before, after, atol=1e-4)


def test_a_decoder_is_trained_and_the_encoder_stays_bit_for_bit(full_work, capsys):
    assert _run(full_work, "train", "decoder", "--vae", str(PICO / "vae"), "--steps", "2", "--batch", "2") == 0

    before, after = load_file(PICO / "vae" / _SAFETENSORS), load_file(full_work / "pico" / "vae" / _SAFETENSORS)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before if _is_encoder(name))
    assert any(not torch.equal(before[name], after[name]) for name in before if not _is_encoder(name))
    assert "dB before" in capsys.readouterr().out


def test_a_model_goes_on_from_another_and_is_complete(work):
    small = ["--concepts", "2", "--variants", "1", "--steps", "2", "--batch", "2"]
    assert _run(work, "train", "unet", "--from", str(PICO), "--vae", str(PICO / "vae"), *small) == 0

    model = work / "pico"
    index = json.loads((model / "model_index.json").read_text())
    parts = [name for name, value in index.items() if isinstance(value, list) and value[0]]
    assert all((model / part).is_dir() for part in parts)
    assert not list(model.rglob("*.onnx"))
    assert _differs(load_unet(PICO), load_unet(model))
    assert _differs(load_text_encoder(PICO), load_text_encoder(model))

    assert _run(work, "fine-tune", "--style", "flat", *small) == 0
    assert [path.name for path in (work / "pico-flat").iterdir()] == ["unet"]
    assert _differs(load_unet(model), load_unet(work / "pico-flat"))

    assert _run(work, "sheet", str(work / "pico-flat"), str(work / "sheet.png"), "--prompts", "a cat") == 0
    assert (work / "sheet.png").read_bytes().startswith(b"\x89PNG")


def _differs(one, other):
    return any(not torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_the_committed_text_encoder_says_the_same_with_the_words_of_captions_alone():
    vocabulary, whole = Vocabulary(), load_text_encoder(PICO)
    narrow = narrow_text_encoder(PICO, vocabulary)
    wide = widen_text_encoder(narrow, vocabulary)
    prompt = vocabulary.encode("a red apple, blue background")
    tokens = vocabulary.tokens[prompt]
    with torch.no_grad():
        said = whole(tokens[None]).last_hidden_state

        assert torch.allclose(narrow(prompt[None]).last_hidden_state, said, atol=1e-5)
        assert torch.allclose(wide(tokens[None]).last_hidden_state, said, atol=1e-5)
    assert len(vocabulary.tokens) < 400


def test_latents_are_made_once_and_again_when_anything_about_them_changes(work):
    vae, icons, path = load_vae(PICO / "vae"), open_icons(work / "icons", "flat"), work / "latents.pt"
    first = open_latents(path, vae, Examples(icons, read_concepts("2"), 0))
    written = path.stat().st_mtime_ns

    again = open_latents(path, vae, Examples(icons, read_concepts("2"), 0))
    assert path.stat().st_mtime_ns == written
    assert torch.equal(first.values, again.values)
    other = open_latents(path, vae, Examples(icons, read_concepts("2"), 1))
    assert not torch.equal(first.values, other.values)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train", "unet", "--concepts", "2"], "run `train vae`, or name one with --vae"),
        (["train", "unet", "--concepts", "2", "--vae", "nowhere"], "There is no VAE in nowhere"),
        (["train", "decoder"], "There is no VAE in"),
        (["fine-tune", "--style", "noto", "--from", str(PICO)], "run `render` first"),
        (["sheet", "nowhere", "out.png"], "nowhere has no vae"),
        (["score", str(PICO), "--concepts", "500"], "--concepts is core, all or a number"),
    ],
)
def test_what_is_missing_is_told_with_what_to_do(work, arguments, told, capsys):
    assert _run(work, *arguments) == 1
    assert told in capsys.readouterr().err


def test_a_device_that_torch_cannot_use_is_told(work, capsys):
    arguments = ["sheet", str(PICO), str(work / "out.png"), "--work", str(work), "--device", "cuda:99"]
    assert main(arguments) == 1
    assert "--device cuda:99: " in capsys.readouterr().err


def test_help_is_quick_and_needs_no_torch():
    import subprocess
    import sys

    script = "import sys; sys.argv = ['x', 'train', 'unet', '--help']; from pico_train.cli import main; main()"
    check = f"import atexit, sys; atexit.register(lambda: print('torch' in sys.modules)); {script}"
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=True
    )
    assert "--learning-rate" in done.stdout
    assert done.stdout.rstrip().endswith("False")


def test_a_variant_finds_what_it_shares_also_from_its_own_folder(monkeypatch):
    monkeypatch.chdir(PICO.parent / "pico-noto" / "unet")
    for variant in ("..", PICO.parent / "pico-noto"):
        assert part_folder(Path(variant), "vae").samefile(PICO / "vae")


class _Seen:
    """A U-Net that knows the noise, because the latents are nothing else, and is wrong by as much as it was told."""

    device = torch.device("cpu")

    def __init__(self, kept, wrong_by):
        self._kept, self._wrong_by = kept, wrong_by
        self.noisy, self.noise, self.timesteps = [], [], []

    def __call__(self, noisy, timesteps, _words):
        noise = noisy / (1 - self._kept[timesteps])[:, None, None, None].sqrt()
        self.noisy.append(noisy)
        self.noise.append(noise)
        self.timesteps.append(timesteps)
        return SimpleNamespace(sample=noise + self._wrong_by)

    def parameters(self):
        return []


class _Silence:
    def __call__(self, tokens):
        return SimpleNamespace(last_hidden_state=tokens)

    def parameters(self):
        return []


def _teach(wrong_by, steps=1, white=0.0):
    labels = torch.tensor([[thing, background] for thing in range(2) for background in range(10)])
    latents = Latents("key", torch.zeros(20, 4, 16, 16), labels)
    latents.values[labels[:, 1] == BACKGROUND_NAMES.index("white")] = white
    kept = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear").alphas_cumprod
    unet = _Seen(kept, wrong_by)
    lesson = Lesson(latents, read_concepts("2"), "flat", Vocabulary())
    task = UnetTask(Networks(unet, _Silence()), lesson, 16)
    losses = [task.loss(step, draws_of(0, step))[0] for step in range(steps)]
    return unet, kept, torch.stack(losses)


def test_the_unet_is_asked_for_all_the_noise_whose_channels_have_means_of_their_own():
    unet, _, losses = _teach(0.0, steps=30)
    noise = torch.cat(unet.noise)

    assert losses.max() < 1e-6
    # Of plain noise it is 1/16.
    assert noise.mean((2, 3)).std() == pytest.approx((0.3**2 + 1 / 256) ** 0.5, rel=0.1)
    assert (noise - noise.mean((2, 3), keepdim=True)).std() == pytest.approx(1, rel=0.02)


def test_every_part_of_the_schedule_is_in_every_step_and_weighs_by_min_snr():
    unet, kept, losses = _teach(1.0)
    (timesteps,) = unet.timesteps
    snr = kept / (1 - kept)

    assert (timesteps * 16 // 1000 - torch.arange(16)).abs().max() <= 1
    assert losses[0] == pytest.approx(float((snr.clamp(max=5) / snr)[timesteps].mean()), rel=1e-4)


def test_the_autoencoder_sees_crops_first_and_whole_pictures_at_last(work):
    seen = []
    vae = create_vae((16, 32))
    encode = vae.encode
    vae.encode = lambda pictures: seen.append(tuple(pictures.shape)) or encode(pictures)
    plan = replace(VAE, batch=4)
    task = VaeTask(vae, vae_source([open_icons(work / "icons", "flat")], read_concepts("2")), plan)
    for step in (0, plan.steps * 87 // 100, plan.steps * 89 // 100, plan.steps - 1):
        task.loss(step, draws_of(0, step))

    assert seen == [(4, 3, 64, 64)] * 2 + [(2, 3, 128, 128)] * 2


def test_a_wrong_colour_costs_an_autoencoder_more_than_a_wrong_brightness():
    grey = torch.zeros(1, 3, 8, 8)
    too_bright = _compare(grey, grey + 0.2)
    too_red = _compare(grey, grey + torch.tensor([0.6, 0, 0])[:, None, None])

    assert too_bright["l1"] == pytest.approx(float(too_red["l1"]))
    assert too_bright["chroma"] == pytest.approx(0, abs=1e-6)
    assert too_red["chroma"] > 0.5


def test_the_background_that_is_not_named_is_seen_three_times_as_often():
    unet, _, _ = _teach(0.0, steps=60, white=100.0)
    is_white = torch.cat(unet.noisy).mean((1, 2, 3)) > 3

    # 3 of 12, where it would be 1 of 10.
    assert is_white.float().mean() == pytest.approx(0.25, abs=0.04)
