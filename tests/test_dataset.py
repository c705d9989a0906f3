"""Pairs are found and checked by name, and every run sees the same samples in the same order."""

import cv2
import numpy as np
import pytest
import torch

from core.dataset import (
    DatasetError,
    PairDataset,
    Sample,
    StepSampler,
    check_pairs,
    find_pairs,
    mirror,
    sample_seed,
)
from core.labelmap import layout_edges
from core.latents import LatentDataset, coverage
from core.onehot import one_hot
from core.palette import Palette
from tests.conftest import TINY_AUTOENCODER


def test_pairs_are_found_by_name(photos):
    """Six photos, six label maps, six pairs; nothing to complain of."""
    pairs, problems = find_pairs(photos)
    assert [p.name for p in pairs] == ["00", "01", "02", "03", "04", "05"] and not problems


def test_a_photo_without_partner_is_named(photos):
    """Both kinds of orphan appear with their path."""
    (photos / "labels" / "02.png").unlink()
    (photos / "images" / "04.png").unlink()
    pairs, problems = find_pairs(photos)
    assert len(pairs) == 4
    assert (
        "images/02.png has no label map" in problems[0]
        and "labels/04.png has no photo" in problems[1]
    )


@pytest.mark.parametrize("part", ["images", "labels"])
def test_a_folder_that_is_not_there_is_named(photos, part):
    """Without images/ or labels/ the sentence says which."""
    (photos / part).rename(photos / "elsewhere")
    with pytest.raises(DatasetError, match=f"{part} is missing"):
        find_pairs(photos)


def damage(photos, kind):
    """Spoil pair 03 in one way."""
    image, labels = photos / "images" / "03.png", photos / "labels" / "03.png"
    if kind == "size":
        cv2.imwrite(str(labels), np.zeros((9, 9), np.uint8))
    elif kind == "id":
        cv2.imwrite(str(labels), np.full((24, 32), 77, np.uint8))
    elif kind == "colour":
        cv2.imwrite(str(labels), np.zeros((24, 32, 3), np.uint8))
    elif kind == "empty":
        image.write_bytes(b"")
    else:
        image.write_bytes(b"\x89PNG not really")


@pytest.mark.parametrize(
    "kind, says",
    [
        ("size", "is 9x9, but its photo 03.png is 32x24"),
        ("id", "value 77"),
        ("colour", "one channel"),
        ("empty", "03.png"),
        ("garbage", "03.png"),
    ],
)
def test_a_bad_pair_is_named_and_the_others_stay(photos, palette, kind, says):
    """The file and what is wrong with it are in the sentence."""
    damage(photos, kind)
    good, problems = check_pairs(find_pairs(photos)[0], palette)
    assert len(good) == 5 and len(problems) == 1
    assert says in problems[0] and "03.png" in problems[0]


def test_raw_ids_become_ids_by_the_palette(tmp_path, photos):
    """Dataset values are mapped by the palette's table, not by code."""
    classes = [
        dict(id=0, name="rest", color="#000000", raw=[0, 1]),
        dict(id=1, name="lake", color="#0000ff", raw=[2]),
    ]
    merged = Palette.from_dict({"name": "merged", "classes": classes})
    data = PairDataset(find_pairs(photos)[0], merged, (24, 32))
    assert data.sample(0).labels[20, 10] == 1 and data.sample(0).labels[0, 0] == 0


def test_an_item_depends_on_its_seed_alone(photos, palette):
    """The same (index, seed) is the same crop, another seed another; labels follow the photo."""
    data = PairDataset(find_pairs(photos)[0], palette, (16, 16), cache_bytes=10**6)
    first, again = data[(2, 11)], data[(2, 11)]
    assert torch.equal(first["image"], again["image"])
    assert any(not torch.equal(first["image"], data[(2, s)]["image"]) for s in range(8))
    sky = first["image"][:, first["labels"] == 1]  # written as BGR 250, 200, 120
    assert sky.mean(1) == pytest.approx(
        [120 / 127.5 - 1, 200 / 127.5 - 1, 250 / 127.5 - 1], abs=0.05
    )


def test_a_small_photo_is_enlarged_for_a_large_crop(photos, palette):
    """Crops larger than the photo are possible; labels stay ids."""
    item = PairDataset(find_pairs(photos)[0], palette, (48, 48))[(0, 1)]
    assert item["image"].shape == (3, 48, 48) and set(item["labels"].unique().tolist()) <= {0, 1, 2}


def test_mirroring_swaps_left_and_right_names():
    """In a mirrored face the left eye is the right one."""
    palette = Palette.load("celebamask_hq")
    left, right = palette.find("left eye"), palette.find("right eye")
    labels = np.array([[left, 0, 0]], np.uint8)
    flipped = mirror(Sample(np.zeros((1, 3, 3), np.uint8), labels), palette)
    assert flipped.labels.tolist() == [[0, 0, right]]


def places(sampler):
    return [batch for batch in sampler]


def test_a_resumed_order_is_the_rest_of_the_whole_order():
    """Starting at step 5 gives what an uninterrupted run sees from step 5 on."""
    whole = places(StepSampler(10, 4, seed=1, first_step=0, last_step=9))
    assert places(StepSampler(10, 4, 1, 5, 9)) == whole[5:]


def test_processes_share_the_batch():
    """Two processes together see exactly the global batch."""
    whole = places(StepSampler(10, 4, 1, 0, 3))
    ranks = [places(StepSampler(10, 4, 1, 0, 3, rank, 2)) for rank in (0, 1)]
    assert [sorted(a + b) for a, b in zip(*ranks)] == [sorted(batch) for batch in whole]


def test_every_pass_visits_every_photo_once():
    """Three passes over ten photos: each index thrice, in other orders."""
    order = [i for batch in places(StepSampler(10, 5, 1, 0, 6)) for i, _ in batch]
    epochs = [order[k : k + 10] for k in (0, 10, 20)]
    assert all(sorted(e) == list(range(10)) for e in epochs) and epochs[0] != epochs[1]


def test_seeds_of_samples_differ():
    """No two samples of a run share a seed, nor the same sample of two runs."""
    seeds = {sample_seed(s, place) for s in (0, 1) for place in range(500)}
    assert len(seeds) == 1000 and all(0 <= s < 2**63 for s in seeds)


def test_one_hot_has_a_one_where_the_label_is():
    """One channel a label; edges last."""
    labels = torch.tensor([[[0, 0, 2], [0, 0, 2]]])
    edges = torch.from_numpy(layout_edges(labels[0].numpy(), None))[None]
    y = one_hot(labels, 3, edges)
    assert y.shape == (1, 4, 2, 3) and torch.equal(y[:, :3].argmax(1), labels)
    assert y[0, 3].tolist() == [[0, 1, 1], [0, 1, 1]]


@pytest.mark.parametrize("with_map", [True, False])
def test_instances_become_an_edge_channel(photos, with_map):
    """Where the palette has instances a sample has their edges; its labels stand in for a map."""
    instances = photos / "instances"
    instances.mkdir()
    if with_map:
        cv2.imwrite(
            str(instances / "00.png"),
            np.repeat(np.arange(4, dtype=np.uint8), 8)[None].repeat(24, 0),
        )
    classes = [dict(id=i, name=n, color=f"#0000{i}0") for i, n in enumerate("abc")]
    palette = Palette.from_dict({"name": "p", "classes": classes, "instance_edges": True})
    item = PairDataset(find_pairs(photos)[0], palette, (24, 32))[(0, 0)]
    vertical = item["edges"][2].sum()  # a row of sky: only an instance map has edges there
    assert vertical == (6 if with_map else 0) and item["edges"].any()


def test_label_coverage_is_average_pooling(palette):
    """Counting gives exactly what pooling the one-hot layout gives."""
    labels = np.random.default_rng(0).integers(0, 3, (32, 48)).astype(np.uint8)
    pooled = torch.nn.functional.avg_pool2d(one_hot(torch.from_numpy(labels)[None], 3), 8)[0]
    torch.testing.assert_close(coverage(labels, None, palette, 8), pooled)


def test_latents_are_those_of_the_photo_or_its_mirror_image(photos, palette):
    """An item is one of the two, with the layout turned the same way."""
    from core.model.autoencoder import Autoencoder
    from tests.conftest import randomised

    data = PairDataset(find_pairs(photos)[0], palette, (24, 32))
    latents = LatentDataset(data, randomised(Autoencoder(TINY_AUTOENCODER)))
    items = [latents[(1, seed)] for seed in range(12)]
    plain = coverage(data.sample(1).labels, None, palette, 8)
    turned = [not torch.equal(item["y"], plain) for item in items]
    assert len(latents) == 6 and items[0]["x0"].shape == (4, 3, 4) and len(set(turned)) == 2
    for item, flipped in zip(items, turned, strict=True):
        assert torch.equal(item["x0"], latents.latents[1, int(flipped)])
        assert torch.equal(item["y"], plain.flip(2) if flipped else plain)


def test_several_crops_of_a_large_photo_are_all_there(photos, palette):
    """The middle first, then other places, the same ones every time; each with its own labels."""
    from core.model.autoencoder import Autoencoder
    from tests.conftest import randomised

    autoencoder = randomised(Autoencoder(TINY_AUTOENCODER))
    data = PairDataset(find_pairs(photos)[0], palette, (16, 16), scale=24)
    latents = LatentDataset(data, autoencoder, crops=3)
    assert len(latents) == 18 and latents.latents.shape == (18, 2, 4, 2, 2)
    middle = data.sample(1).labels[4:20, 8:24]
    assert (latents.samples[3].labels == middle).all()
    assert len({s.labels.tobytes() for s in latents.samples[3:6]}) > 1
    again = LatentDataset(data, autoencoder, crops=3)
    assert torch.equal(latents.latents, again.latents)
    whole = PairDataset(find_pairs(photos)[0], palette, (24, 32))
    assert len(LatentDataset(whole, autoencoder, crops=3)) == 6  # no room for another place
