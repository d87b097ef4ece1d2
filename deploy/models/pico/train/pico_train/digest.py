"""What tells contents apart, whatever their names are."""

import hashlib
from collections.abc import Iterator

import numpy as np
from torch import nn

_HEX_DIGITS = 12


def digest_of(*contents: object) -> str:
    """Returns twelve hex digits: of networks by their weights, of arrays by their values, of all else by its `repr`.

    Equal on every device, so that a run can go on on another one.
    """
    digest = hashlib.sha256()
    for content in contents:
        for piece in _pieces(content):
            digest.update(piece)
    return digest.hexdigest()[:_HEX_DIGITS]


def _pieces(content: object) -> Iterator[bytes | memoryview]:
    if isinstance(content, nn.Module):
        for name, value in content.state_dict().items():
            yield name.encode()
            yield from _pieces(value.detach().cpu().numpy())
    elif isinstance(content, np.ndarray):
        yield f"{content.dtype} {content.shape}".encode()
        yield np.ascontiguousarray(content).data.cast("B")
    else:
        yield repr(content).encode()
