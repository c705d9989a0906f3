"""What words do to the colours of labels, on pictures whose answer is known."""

import torch

from core.tints import USUAL, Means, tints_of

SKY, GRASS = 0, 1


def picture(sky: float, grass: float) -> tuple[torch.Tensor, torch.Tensor]:
    """x0 `[1, 2, 2]` and shares: sky above, grass below."""
    x0 = torch.tensor([[[sky, sky], [grass, grass]]])
    shares = torch.zeros(2, 2, 2)
    shares[SKY, 0] = shares[GRASS, 1] = 1
    return x0, shares


def test_a_word_changes_the_labels_that_its_pictures_have_otherwise():
    """Half of many pictures have other grass; their skies are like all skies."""
    pictures = [picture(0.5, 0.3 if lush else -0.3) for lush in (0, 1) * 500]
    targets = torch.tensor([[float(lush)] for lush in (0, 1) * 500])
    (found,) = Means(pictures).changes(targets)
    size = 0.3 / 2**0.5  # half of the pixels by 0.3
    assert abs(float(found[SKY])) < 0.02
    torch.testing.assert_close(
        found[GRASS], torch.tensor([0.3 * (USUAL / size) ** 0.5]), rtol=0.02, atol=0
    )


def test_a_label_that_a_word_was_never_seen_with_changes_as_the_rest_does():
    """There is no grass at night, and it is to be dark all the same; no word, no change."""
    night, day = picture(-0.4, 0.0), picture(0.4, 0.2)
    night[1][GRASS] = 0
    found = Means([night] * 40 + [day] * 40).changes(torch.tensor([[1.0, 0]] * 40 + [[0, 0]] * 40))
    torch.testing.assert_close(found[0, GRASS], found[0, SKY])
    assert found[0, GRASS] < -0.1 and found[1].abs().max() == 0


def test_tints_of_words_are_what_the_words_change():
    """Words at right angles get their own back; between them lies what both do."""
    changes = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(0))
    tints = tints_of(torch.eye(3, 5) * 7, changes)
    assert tints.shape == (2, 4, 5)
    torch.testing.assert_close(tints[..., :3].permute(2, 0, 1), changes / 1.02)
    both = tints @ torch.tensor([0.6, 0.8, 0, 0, 0])
    torch.testing.assert_close(both, (0.6 * changes[0] + 0.8 * changes[1]) / 1.02)
