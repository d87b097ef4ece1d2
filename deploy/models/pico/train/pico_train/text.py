"""The text encoder, trained on the tokens that captions have and no others."""

from pathlib import Path

import torch
from transformers import CLIPTextConfig, CLIPTextModel

from pico_train.captions import every_caption_part
from pico_train.errors import TrainError
from pico_train.models import load_text_encoder, load_tokenizer

TOKENS = 77
_HIDDEN = 128
# CLIP's own: 49406 begins a prompt, 49407 ends it.
_VOCABULARY = 49408


class Vocabulary:
    """CLIP's tokens that occur in captions, about 290 of 49,408, numbered without gaps."""

    def __init__(self) -> None:
        self._tokenizer = load_tokenizer()
        used = {token for text in every_caption_part() for token in self._tokenizer(text).input_ids}
        self.tokens = torch.tensor(sorted(used))
        self._index = {int(token): index for index, token in enumerate(self.tokens)}
        self._encoded: dict[str, torch.Tensor] = {}

    def encode(self, caption: str) -> torch.Tensor:
        """Returns int64 [77]: a caption with its begin and end, padded with the latter."""
        if caption not in self._encoded:
            padded = self._tokenizer(caption, padding="max_length", max_length=TOKENS, truncation=True).input_ids
            self._encoded[caption] = torch.tensor([self._index[token] for token in padded])
        return self._encoded[caption]


def create_text_encoder(vocabulary: Vocabulary) -> CLIPTextModel:
    """Returns an untrained text encoder of the vocabulary's own tokens."""
    encoder = CLIPTextModel(_config(len(vocabulary.tokens)))
    with torch.no_grad():
        encoder.get_input_embeddings().weight.normal_(0, 0.1)
    return encoder


def narrow_text_encoder(model: Path, vocabulary: Vocabulary) -> CLIPTextModel:
    """Loads a model's text encoder with the rows of the vocabulary's tokens alone."""
    weights = load_text_encoder(model).state_dict()
    table = _table_name(weights)
    encoder = CLIPTextModel(_config(len(vocabulary.tokens)))
    try:
        weights[table] = weights[table][vocabulary.tokens]
        encoder.load_state_dict(weights)
    except (IndexError, RuntimeError):
        raise TrainError(f"The text encoder of {model} has another shape than pico's.") from None
    return encoder


@torch.no_grad()
def widen_text_encoder(narrow: CLIPTextModel, vocabulary: Vocabulary) -> CLIPTextModel:
    """Returns the encoder with CLIP's whole table.

    Every other token is the mean of the trained ones: an unknown word does no harm, and the file compresses well.
    """
    weights = {name: value.cpu() for name, value in narrow.state_dict().items()}
    name = _table_name(weights)
    table = weights[name].mean(0).repeat(_VOCABULARY, 1)
    table[vocabulary.tokens] = weights[name]
    weights[name] = table
    encoder = CLIPTextModel(_config(_VOCABULARY))
    encoder.load_state_dict(weights)
    return encoder


def _config(vocabulary: int) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=_HIDDEN,
        intermediate_size=4 * _HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=TOKENS,
        projection_dim=_HIDDEN,
        # Both tables end with begin and end.
        bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1,
        pad_token_id=vocabulary - 1,
    )


def _table_name(weights: dict[str, torch.Tensor]) -> str:
    return next(name for name in weights if name.endswith("token_embedding.weight"))
