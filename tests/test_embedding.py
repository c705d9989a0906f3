"""The kept embedding is the whole one: only the changed part is computed, and nothing drifts."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.embedding import Area, KeptEmbedding, Marks
from core.model.autoencoder import Autoencoder
from core.model.spec import AutoencoderSpec

SIDE = 128  # of the picture; x has an eighth of it
SIZE = (SIDE // 8, SIDE // 8)


def flat(embedding):
    return [part for modulation in embedding for part in modulation]


def scene(labels, edges, seed=0):
    """A map of blocks, with or without instance edges."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, labels, (SIDE // 8, SIDE // 8), np.uint8)
    found = np.kron(blocks, np.ones((8, 8), np.uint8))
    return Marks(found, rng.random(found.shape) < 0.1 if edges else None)


def painted(marks, box, label):
    """The same with a rectangle of another label, and edges moved in it."""
    labels = marks.labels.copy()
    y0, x0, y1, x1 = box
    labels[y0:y1, x0:x1] = label
    if marks.edges is None:
        return Marks(labels, None)
    edges = marks.edges.copy()
    edges[y0:y1, x0:x1] ^= True
    return Marks(labels, edges)


RECTANGLES = {
    "a pixel": (37, 41, 38, 42),
    "odd": (13, 27, 38, 31),
    "corner": (0, 0, 5, 9),
    "far corner": (119, 123, 128, 128),
    "left border": (40, 0, 71, 1),
    "wide": (63, 3, 66, 125),
}


@pytest.fixture(params=["nearest", "area"])
def resize(request):
    return request.param


@pytest.fixture(params=[(3, False), (19, False), (35, True)], ids=["tiny", "landscape", "edges"])
def kept(request, make_unet, resize):
    """A kept embedding of a network of bfloat16, as on the machines where speed counts."""
    labels, edges = request.param
    unet = make_unet(num_classes=labels + edges, layout_resize=resize, channel_mult=(1, 2, 2))
    return KeptEmbedding(unet.to(torch.bfloat16), labels), scene(labels, edges)


@pytest.mark.parametrize("box", RECTANGLES.values(), ids=RECTANGLES)
def test_the_changed_rectangle_is_enough(kept, box):
    """After a change anywhere, every gamma and beta is that of the whole map, to the bit."""
    keeper, before = kept
    keeper.of(before, SIZE)
    after = painted(before, box, 1)
    whole = flat(KeptEmbedding(keeper.reader, keeper.num_labels).of(after, SIZE))
    for ours, theirs in zip(flat(keeper.of(after, SIZE, exact=False)), whole, strict=True):
        assert torch.equal(ours, theirs)


def test_in_float32_it_is_the_rounding_of_the_same_sums(make_unet, resize):
    """A convolution of another size adds up in another order: a few units in the last place."""
    keeper = KeptEmbedding(make_unet(num_classes=19, layout_resize=resize), 19)
    marks = scene(19, False)
    keeper.of(marks, SIZE)
    for box in RECTANGLES.values():
        marks = painted(marks, box, 2)
        kept = flat(keeper.of(marks, SIZE, exact=False))
    for ours, theirs in zip(kept, flat(KeptEmbedding(keeper.reader, 19).of(marks, SIZE))):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("box", RECTANGLES.values(), ids=RECTANGLES)
def test_a_decoder_that_reads_is_patched_alike(box):
    """The decoder's hints, at the picture's own resolution too: to the bit those of the whole."""
    spec = AutoencoderSpec(quarter_width=8, eighth_width=8, half_width=8, full_width=8, blocks=1)
    model = Autoencoder(replace(spec, layout_labels=19))
    for hint in model.hints.values():
        torch.nn.init.normal_(hint.modulation.weight)
    model, before = model.to(torch.bfloat16), scene(19, False)
    keeper, after = KeptEmbedding(model, 19), painted(before, box, 1)
    keeper.of(before, SIZE)
    ours, whole = keeper.of(after, SIZE, exact=False), KeptEmbedding(model, 19).of(after, SIZE)
    assert len(ours) == 3
    assert all(torch.equal(a, b) for a, b in zip(flat(ours), flat(whole), strict=True))
    latents = torch.randn(1, spec.latent_channels, *SIZE, dtype=torch.bfloat16)
    y = after.one_hot(19, latents.device)
    with torch.inference_mode():
        assert torch.equal(model.decode(latents, embedding=ours), model.decode(latents, y))


def test_a_hundred_strokes_do_not_drift(kept):
    """Values come from the labels and never from older values."""
    keeper, marks = kept
    rng = np.random.default_rng(5)
    for _ in range(100):
        y, x = rng.integers(0, SIDE - 9, 2)
        height, width = rng.integers(1, 40, 2)
        marks = painted(marks, (y, x, y + height, x + width), int(rng.integers(keeper.num_labels)))
        ours = keeper.of(marks, SIZE, exact=False)
    whole = KeptEmbedding(keeper.reader, keeper.num_labels).of(marks, SIZE)
    assert all(torch.equal(a, b) for a, b in zip(flat(ours), flat(whole), strict=True))


def test_only_the_rectangle_is_computed(make_unet, monkeypatch):
    """A small change convolves a small part; no change convolves nothing."""
    unet = make_unet(layout_resize="area")
    keeper, marks = KeptEmbedding(unet, 3), scene(3, False)
    keeper.of(marks, SIZE)
    seen = []
    for norm, _ in unet.layout_sites(SIZE):
        monkeypatch.setattr(
            norm, "modulate", lambda y, own=norm.modulate: seen.append(y.shape[-2:]) or own(y)
        )
    keeper.of(marks, SIZE, exact=False)
    assert seen == []
    other = (int(marks.labels[0, 0]) + 1) % 3
    keeper.of(painted(marks, (0, 0, 8, 8), other), SIZE, exact=False)
    assert set(seen) == {(5, 5)}  # one pixel, its halo, and what the halo looks at


def test_an_exact_embedding_forgets_what_was_patched(make_unet, monkeypatch):
    """The bits of a long walk do not depend on the strokes before it."""
    unet = make_unet(layout_resize="area")
    keeper, marks = KeptEmbedding(unet, 3), scene(3, False)
    after = painted(marks, (3, 3, 20, 20), 1)
    keeper.of(marks, SIZE)
    keeper.of(after, SIZE, exact=False)
    calls, embed = [], unet.embed_scaled
    monkeypatch.setattr(unet, "embed_scaled", lambda *a: calls.append(1) or embed(*a))
    for _ in range(2):
        keeper.of(after, SIZE)
    assert calls == [1]


def test_another_size_is_another_embedding(kept):
    """A map or a picture of another size starts anew; so does what was interrupted."""
    keeper, marks = kept
    keeper.of(marks, SIZE)
    half = Marks(*(None if a is None else a[: SIDE // 2].copy() for a in marks))
    size = (SIZE[0] // 2, SIZE[1])
    ours = flat(keeper.of(half, size, exact=False))
    whole = flat(KeptEmbedding(keeper.reader, keeper.num_labels).of(half, size))
    assert all(torch.equal(a, b) for a, b in zip(ours, whole, strict=True))


def test_a_failure_leaves_no_half_patched_embedding(kept, monkeypatch):
    """Out of memory in the middle of a patch: the next embedding is whole."""
    keeper, marks = kept
    keeper.of(marks, SIZE)
    after = painted(marks, (3, 3, 20, 20), 1)
    last = [norm for norm, _ in keeper.reader.layout_sites(SIZE)][-1]
    with monkeypatch.context() as broken, pytest.raises(MemoryError):
        broken.setattr(last, "modulate", lambda y: (_ for _ in ()).throw(MemoryError()))
        keeper.of(after, SIZE, exact=False)
    ours = keeper.of(marks, SIZE, exact=False)
    whole = KeptEmbedding(keeper.reader, keeper.num_labels).of(marks, SIZE)
    assert all(torch.equal(a, b) for a, b in zip(flat(ours), flat(whole), strict=True))


def test_the_null_embedding_is_computed_once(make_unet):
    """It depends on nothing but the size."""
    keeper = KeptEmbedding(make_unet(), 3)
    assert keeper.null(SIZE) is keeper.null(SIZE)
    assert keeper.null((8, 8))[0][0].shape != keeper.null(SIZE)[0][0].shape


def test_too_large_a_picture_is_not_kept(make_unet, monkeypatch):
    """Gigabytes of gamma and beta are let go when the walk ends."""
    monkeypatch.setattr("core.embedding.MAX_KEPT", 100)
    keeper, marks = KeptEmbedding(make_unet(), 3), scene(3, False)
    first = keeper.of(marks, SIZE, exact=False)
    assert keeper.of(marks, SIZE, exact=False) is not first


def test_areas():
    """Shrinking takes every touched pixel in; growing stops at the border."""
    area = Area(3, 8, 9, 17)
    assert area.shrunk(8) == Area(0, 1, 2, 3) and area.shrunk(8).enlarged(8) == Area(0, 8, 16, 24)
    assert area.grown(4, (10, 30)) == Area(0, 4, 10, 21)
    assert area.within(Area(2, 5, 20, 20)) == Area(1, 3, 7, 12) and area.pixels == 54


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_beyond_the_budget_decode_makes_the_same_numbers(make_unet, dtype):
    """Held whole, in part or not at all: the output is the same to the bit."""
    unet, marks = make_unet(layout_resize="area").to(dtype), scene(3, False)
    x = torch.randn(1, 3, *SIZE, dtype=dtype)
    t = torch.tensor([400])
    whole = KeptEmbedding(unet, 3).of(marks, SIZE)
    expected = unet.decode(unet.encode(x, t), whole, t)
    total = sum(part.nbytes for part in flat(whole))
    for budget, held in ((total, len(whole)), (total - 1, len(whole) - 1), (0, 0)):
        unet.embedding_budget = budget
        keeper = KeptEmbedding(unet, 3)
        for embedding in (keeper.of(marks, SIZE), keeper.null(SIZE)):
            assert [isinstance(m, tuple) for m in embedding].count(True) == held
        output = unet.decode(unet.encode(x, t), keeper.of(marks, SIZE), t)
        assert torch.equal(output, expected)


def test_what_is_held_in_part_is_not_patched(make_unet):
    """After a stroke all of it is that of the new layout."""
    unet, before = make_unet(layout_resize="area"), scene(3, False)
    after = painted(before, (3, 3, 20, 20), 1)
    unet.embedding_budget = 20_000
    keeper = KeptEmbedding(unet, 3)
    keeper.of(before, SIZE)
    ours, fresh = keeper.of(after, SIZE, exact=False), KeptEmbedding(unet, 3).of(after, SIZE)
    assert {type(m) for m in ours} == {tuple, torch.Tensor}
    for one, other in zip(ours, fresh, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
