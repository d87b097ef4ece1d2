"""A command that is given again goes on where it was, or says what is no longer the same."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pico_train import files, workshop
from pico_train.cli import main
from pico_train.concepts import read_concepts
from pico_train.digest import digest_of
from pico_train.errors import TrainError
from pico_train.files import write_folder_whole
from pico_train.latents import Examples, open_latents
from pico_train.models import PICO, copy_network, load_vae
from pico_train.pictures import Icons, open_icons
from pico_train.vae import create_vae

_WEIGHTS = "diffusion_pytorch_model.safetensors"
_SMALL = ("--concepts", "2", "--variants", "1", "--steps", "1", "--batch", "2")
_TINY = ("--channels", "32", "32", "32")


def _run(work, *arguments):
    return main([*map(str, arguments), "--work", str(work), "--threads", "1", "--device", "cpu"])


def _bytes(folder):
    return (folder / _WEIGHTS).read_bytes()


def _train_unet(work, *arguments):
    return _run(work, "train", "unet", *_SMALL, *_TINY, "--vae", PICO / "vae", *arguments)


def _save_other_vae(folder):
    """An autoencoder of another encoder, whose latents have the right scale."""
    vae = load_vae(PICO / "vae")
    with torch.no_grad():
        vae.quant_conv.bias[0] += 0.01
    vae.save_pretrained(folder)
    return folder


def test_the_same_command_gives_the_same_bytes_here_and_elsewhere(work, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "icons").symlink_to(work / "icons")
    assert _train_unet(work) == _train_unet(other) == 0
    torch.manual_seed(123)
    shutil.rmtree(other / "pico")
    shutil.rmtree(other / "runs")
    assert _train_unet(other) == 0

    assert _bytes(work / "pico" / "unet") == _bytes(other / "pico" / "unet")
    text = Path("pico") / "text_encoder" / "model.safetensors"
    assert (work / text).read_bytes() == (other / text).read_bytes()


def test_a_run_is_not_taken_for_one_of_another_base_or_vae(work, capsys):
    assert _train_unet(work) == 0
    assert _run(work, "fine-tune", "--style", "flat", *_SMALL) == 0
    assert _run(work, "fine-tune", "--style", "flat", *_SMALL) == 0
    (work / "runs" / "unet.pt").unlink()
    assert _train_unet(work, "--seed", "1") == 0
    assert _run(work, "fine-tune", "--style", "flat", *_SMALL) == 1
    assert "fine-tune-flat.pt is of another run: details" in capsys.readouterr().err

    other = _save_other_vae(work / "other")
    assert _run(work, "train", "unet", *_SMALL, *_TINY, "--seed", "1", "--vae", other) == 1
    assert "unet.pt is of another run: details" in capsys.readouterr().err


def test_a_sharper_decoder_is_kept_and_fits_only_its_own_unet(full_work, capsys, monkeypatch):
    # Most of the time of a training of one step.
    monkeypatch.setattr(workshop, "measure_psnr", lambda *_: 0.0)
    decoder = ("train", "decoder", "--vae", full_work / "vae", "--steps", "1", "--batch", "1")
    copy_network(PICO / "vae", full_work / "vae")
    assert _run(full_work, *decoder) == 0
    sharper = _bytes(full_work / "pico" / "vae")
    assert sharper != _bytes(full_work / "vae")

    assert _train_unet(full_work) == 0
    assert _bytes(full_work / "pico" / "vae") == sharper
    assert _run(full_work, *decoder) == 0
    assert _bytes(full_work / "pico" / "vae") == sharper

    _save_other_vae(full_work / "vae")
    assert _run(full_work, *decoder) == 1
    assert "was trained on the latents of another VAE" in capsys.readouterr().err
    shutil.rmtree(full_work / "pico" / "unet")
    assert _run(full_work, *decoder) == 1
    assert "decoder.pt is of another run: details" in capsys.readouterr().err


def test_a_variant_shares_with_pico_beside_it_or_is_refused(work, capsys):
    assert _run(work, "fine-tune", "--style", "flat", "--from", PICO, *_SMALL) == 0
    for part in ("vae", "unet"):
        assert load_file(work / "pico" / part / _WEIGHTS).keys() == load_file(PICO / part / _WEIGHTS).keys()
        assert _bytes(work / "pico" / part) == _bytes(PICO / part)
    assert (work / "pico" / "model_index.json").exists()

    for part in ("vae", "text_encoder", "unet"):
        copy_network(PICO / part, work / "base" / part)
    _save_other_vae(work / "base" / "vae")
    assert _run(work, "fine-tune", "--style", "flat", "--from", work / "base", *_SMALL) == 1
    assert "base has others: use another --work" in capsys.readouterr().err


def test_latents_of_other_drawings_are_not_taken_for_these(work):
    vae, icons, two = load_vae(PICO / "vae"), open_icons(work / "icons", "flat"), read_concepts("2")
    first = open_latents(work / "latents.pt", vae, Examples(icons, two, 0))
    inverted = Icons("flat", icons.names, 255 - icons.rgba)

    assert not torch.equal(first.values, open_latents(work / "latents.pt", vae, Examples(inverted, two, 0)).values)


def test_digests_tell_networks_apart_by_every_weight():
    torch.manual_seed(0)
    vae = create_vae()
    before = digest_of(vae)
    assert digest_of(vae) == before
    with torch.no_grad():
        last = list(vae.parameters())[-1]
        # A sum of absolute values does not see this.
        last.neg_()
    assert digest_of(vae) != before


@pytest.mark.parametrize("at", ["write", "rename"])
def test_a_kill_while_a_model_is_written_never_leaves_half_of_it(at, tmp_path, monkeypatch):
    def write(content):
        def write_both(folder):
            (folder / "config.json").write_text(content)
            if at == "write" and content == "new":
                raise KeyboardInterrupt
            (folder / _WEIGHTS).write_text(content)

        return write_both

    write_folder_whole(tmp_path / "unet", write("old"))
    if at == "rename":
        monkeypatch.setattr(files.Path, "rename", lambda *_: pytest.fail("killed"))
    with pytest.raises(BaseException, match=r"killed|^$"):
        write_folder_whole(tmp_path / "unet", write("new"))
    monkeypatch.undo()

    assert {path.read_text() for path in (tmp_path / "unet").iterdir()} == {"old"}
    at = None
    write_folder_whole(tmp_path / "unet", write("new"))
    assert {path.read_text() for path in (tmp_path / "unet").iterdir()} == {"new"}
    assert [path.name for path in tmp_path.iterdir()] == ["unet"]


def test_a_model_that_cannot_be_written_leaves_the_one_before(tmp_path):
    write_folder_whole(tmp_path / "unet", lambda folder: (folder / "weights").write_text("old"))

    def fail(folder):
        (folder / "weights").write_text("new")
        raise RuntimeError("No space left on device\nat line 3")

    with pytest.raises(TrainError, match=r"unet cannot be written: No space left on device$"):
        write_folder_whole(tmp_path / "unet", fail)
    assert (tmp_path / "unet" / "weights").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["unet"]


def test_a_training_does_not_start_from_what_it_writes(work, capsys):
    assert _run(work, "train", "unet", *_SMALL, "--vae", PICO / "vae", "--from", work / "pico") == 1
    assert _run(work, "fine-tune", "--style", "flat", *_SMALL, "--from", work / "pico-flat") == 1
    assert capsys.readouterr().err.count("is what this training writes") == 2


def test_a_variant_is_trained_on_the_latents_of_its_base(work, capsys):
    other = _save_other_vae(work / "other")
    assert _run(work, "fine-tune", "--style", "flat", *_SMALL, "--from", PICO, "--vae", other) == 1
    assert "was trained on the latents of another VAE than" in capsys.readouterr().err
    assert not (work / "latents").exists()


def test_an_autoencoder_is_whitened_once_however_often_its_training_is_asked_for(full_work, monkeypatch):
    monkeypatch.setattr(workshop, "measure_psnr", lambda *_: 0.0)
    monkeypatch.setattr("pico_train.latents._WHITENED", 16)
    for time in ("once", "twice"):
        assert _run(full_work, "train", "vae", "--steps", "1", "--batch", "1") == 0
        (full_work / "vae").rename(full_work / time)

    assert _bytes(full_work / "once") == _bytes(full_work / "twice")
