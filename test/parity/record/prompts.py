"""Records how prompts are read and weighed: ids, weights and the states of the bundle's text encoder in torch.

A plain implementation of what AUTOMATIC1111's web UI does with a prompt, written from its rules and with no regard to
speed. `docs/adr/0016-prompts.md` lists where the rules differ from the web UI's.
"""

import re

import numpy as np
import torch
from transformers import CLIPTextModel, CLIPTokenizer

from fixture import BUNDLE, read_bundle_json, write_floats, write_json_lines

ROOM = 75
PHRASE_MAX = 20
CORRECTION_MAX = 2.0
WORDS = ["<pico-cat>", "<pico-cat>_1", "<pico-cat>_2", "Night-Sky"]
# Every so many channels of a state: the mean that is restored is a sum over all of them.
STRIDE = 8

LONG = ", ".join(f"a red apple number {i} on a table" for i in range(40))
PROMPTS = [
    "",
    "a red apple, blue background",
    "a (red) apple",
    "a (red:1.3) apple, [blue] background",
    "((a)) ((b:1.2)) (c (d (e:0.7):1.5))",
    "(a [b) c] d",
    "a (castle",
    "[[[castle",
    "a) b] :1.3) c",
    "(a:1.2.3) (b:.5) (c : +1.5 ) (d:-0.5) (e:0)",
    r"a \(red\) \[apple\] \\ b\c \:",
    "(red)dish un(believ:1.3)able",
    "a castle BREAK a (red:1.4) apple BREAK",
    "BREAK BREAK a",
    "(a castle BREAK an apple:1.3)",
    "BREAKFAST at 10:30, \u00e9BREAK",
    "apple " * 75,
    "apple " * 76,
    "apple " * 70 + ", a (red:1.2) castle in the snow",
    "apple " * 53 + ", " + "castle " * 25,
    LONG,
    f"({LONG}:1.2)",
    "(a photo of a castle in the snow:5)",
    "a photo of a (castle:-1) in the snow",
    "(" + "apple " * 70 + ":1.5)",
    "\U0001f34e ((\u8d64\u3044\u308a\u3093\u3054)) caf\u00e9",
    "a <pico-cat> on a (night-sky:1.3) <PICO-CAT>_1",
    "apple " * 73 + "<pico-cat>",
]


def parse(prompt: str) -> list[list]:
    """[text, weight] and None for a break. One character at a time; a closed bracket goes over all since it opened."""
    pieces: list[list | None] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}

    def multiply(bracket: str, factor: float) -> None:
        for piece in pieces[opened[bracket].pop() :]:
            if piece is not None:
                piece[1] *= factor

    at = 0
    while at < len(prompt):
        character = prompt[at]
        number = re.compile(r":\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*\)").match(prompt, at)
        word = re.compile(r"\bBREAK\b").match(prompt, at)
        at += 1
        if character == "\\":
            if prompt[at : at + 1] in tuple("\\()[]:"):
                pieces.append([prompt[at], 1.0])
                at += 1
        elif character in "([":
            opened[character].append(len(pieces))
        elif number and opened["("]:
            multiply("(", float(number[1]))
            at = number.end()
        elif character == ")" and opened["("]:
            multiply("(", 1.1)
        elif character == "]" and opened["["]:
            multiply("[", 1 / 1.1)
        elif word:
            pieces.append(None)
            at = word.end()
        else:
            pieces.append([character, 1.0])
    for bracket, factor in (("(", 1.1), ("[", 1 / 1.1)):
        while opened[bracket]:
            multiply(bracket, factor)
    return join(pieces)


def join(pieces: list) -> list:
    joined: list = []
    for piece in pieces:
        weight = piece and float(np.float32(piece[1]))
        if piece and joined and joined[-1] and joined[-1][1] == weight:
            joined[-1][0] += piece[0]
        else:
            joined.append(piece and [piece[0], weight])
    return joined


def tokenize(tokenizer: CLIPTokenizer, text: str) -> list[list[int]]:
    """Ids that stay together are one list. The vectors of a word are the word's, as diffusers names them."""
    added = tokenizer.get_added_vocab()
    groups = []
    for token in tokenizer(text, add_special_tokens=False).input_ids:
        name = tokenizer.convert_ids_to_tokens(token)
        vectors = [token]
        while token >= 49408 and f"{name}_{len(vectors)}" in added:
            vectors.append(added[f"{name}_{len(vectors)}"])
        groups.append(vectors)
    return groups


def split(tokenizer: CLIPTokenizer, prompt: str) -> list[list[tuple[int, float]]]:
    comma = tokenizer.get_vocab()[",</w>"]
    chunks: list[list[tuple[int, float]]] = [[]]
    for piece in parse(prompt):
        if piece is None:
            chunks.append([])
            continue
        for ids in tokenize(tokenizer, piece[0]):
            chunk = chunks[-1]
            if len(chunk) + len(ids) > ROOM:
                commas = [i for i, (token, _) in enumerate(chunk) if token == comma]
                moved = []
                if len(chunk) == ROOM and ids != [comma] and commas and ROOM - commas[-1] <= PHRASE_MAX:
                    moved = chunk[commas[-1] + 1 :]
                    del chunk[commas[-1] + 1 :]
                chunks.append(moved)
                if len(moved) + len(ids) > ROOM:
                    chunks.append([])
            chunks[-1] += [(token, piece[1]) for token in ids]
    return chunks if chunks[-1] or len(chunks) == 1 else chunks[:-1]


def weigh(states: torch.Tensor, weights: list[float]) -> torch.Tensor:
    weighted = states * torch.tensor(weights)[:, None]
    if all(weight == 1 for weight in weights):
        return states
    correction = float(states.mean() / weighted.mean())
    correction = min(max(correction, 1 / CORRECTION_MAX), CORRECTION_MAX) if correction > 0 else 1.0
    return weighted * correction


@torch.no_grad()
def main() -> None:
    tokenizer = CLIPTokenizer.from_pretrained(str(BUNDLE / "tokenizer"))
    tokenizer.add_tokens(WORDS)
    model = CLIPTextModel.from_pretrained(str(BUNDLE / "text_encoder"), dtype=torch.float32)
    assert read_bundle_json("manifest.json")["tokensMax"] == ROOM + 2
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    rows, arrays, offset = [], [], 0
    for prompt in PROMPTS:
        chunks = []
        for chunk in split(tokenizer, prompt):
            ids = [begin, *(token for token, _ in chunk), *[end] * (ROOM + 1 - len(chunk))]
            weights = [1.0, *(weight for _, weight in chunk), *[1.0] * (ROOM + 1 - len(chunk))]
            chunks.append((ids, weights))
        row = {
            "prompt": prompt,
            "ids": [ids[: ids.index(end) + 1] for ids, _ in chunks],
            "weights": [weights[: ids.index(end) + 1] for ids, weights in chunks],
            "offset": None,
        }
        # The bundle's table has no rows for the words of textual inversion.
        if all(token < 49408 for ids, _ in chunks for token in ids):
            output = model(torch.tensor([ids for ids, _ in chunks]), output_hidden_states=True)
            skipped = model.final_layer_norm(output.hidden_states[-2])
            both = [
                weigh(states, weights)[:, ::STRIDE].numpy()
                for layer in (output.last_hidden_state, skipped)
                for states, (_, weights) in zip(layer, chunks)
            ]
            arrays += both
            row["offset"] = offset
            offset += sum(array.size for array in both)
        rows.append(row)
    print(len(rows), "prompts,", offset, "values")
    write_json_lines("prompts.json", rows)
    write_floats("prompts.f32.gz", arrays)


if __name__ == "__main__":
    main()
