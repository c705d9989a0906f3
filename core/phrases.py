"""Phrases whose meaning is known, to learn what free sentences mean: from words and from captions.

Every spelling of the vocabulary means its concept, and so does a sentence with it or with two. The
captions' scenes ("corn field") mean what their photos have in common. A sentence that nobody listed
then means what the phrases do that a sentence encoder finds nearest to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.captions import Row, scenes_of
from core.words import Vocabulary, Word

FRAMES = ("{}", "a {} landscape")  # that a spelling stands in
PAIRS = 400  # sentences of two spellings
PAIR = "{}, {}"
LEAST = 8  # photos that a scene must have
SEED = 0


class Phrases:
    """sentences, and what each means: `weights` `[sentences, concepts + scenes]`.

    names: of the photos, in order. read: sentences to embeddings `[N, S]`. shown: how much each
    photo shows each of the captions' scenes, float32 `[photos, scenes]`.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        captions: Mapping[str, Row],
        names: Sequence[str],
        read: Callable[[Sequence[str]], Tensor],
    ) -> None:
        scenes, self.shown = scene_shares(captions, names)
        rows = [*spelled(vocabulary), *paired(vocabulary)]
        concepts = {name: place for place, name in enumerate(vocabulary.names)}
        self.sentences = [text for text, _ in rows] + [spoken(scene) for scene in scenes]
        self.weights = torch.zeros(len(self.sentences), len(concepts) + len(scenes))
        for place, (_, words) in enumerate(rows):
            for word in words:
                for name, weight in (word.of or {word.name: 1.0}).items():
                    self.weights[place, concepts[name]] += weight
        self.weights[len(rows) :, len(concepts) :] = torch.eye(len(scenes))
        self.embeddings = read(self.sentences)

    def fitted(self, words: Tensor) -> dict[str, Tensor]:
        """What the encoder keeps of them, for vectors `[concepts + scenes, D]` of length 1."""
        meanings = F.normalize(self.weights.to(words) @ words)
        return {"phrases.keys": self.embeddings.to(words), "phrases.meanings": meanings}


def spelled(vocabulary: Vocabulary) -> list[tuple[str, list[Word]]]:
    """Every spelling in every frame, and its word."""
    found = vocabulary.spellings.items()
    return [(frame.format(text), [word]) for text, word in found for frame in FRAMES]


def paired(vocabulary: Vocabulary) -> list[tuple[str, list[Word]]]:
    """Two spellings of different words at a time, by chance but always the same."""
    rng, found = np.random.default_rng(SEED), list(vocabulary.spellings.items())
    pairs = (rng.integers(0, len(found), 2) for _ in range(PAIRS))
    chosen = [[found[i] for i in pair] for pair in pairs]
    return [
        (PAIR.format(a, b), [first, second])
        for (a, first), (b, second) in chosen
        if first is not second
    ]


def scene_shares(captions: Mapping[str, Row], names: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The scenes that enough photos show, and how likely each is: float32 `[photos, scenes]`."""
    rows = [scenes_of(captions.get(name, {})) for name in names]
    every = sorted({scene for row in rows for scene in row})
    scenes = [s for s in every if sum(s in row for row in rows) >= LEAST]
    shares = [[row.get(scene, 0.0) for scene in scenes] for row in rows]
    return scenes, np.array(shares, np.float32).reshape(len(names), len(scenes))


def spoken(scene: str) -> str:
    """A scene as people say it: "field/wild" is a wild field."""
    return " ".join(reversed(scene.split("/")))
