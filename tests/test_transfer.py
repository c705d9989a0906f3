"""Taking weights over into a network of another shape."""

from dataclasses import replace

import torch
from torch import nn

from core.model.autoencoder import Autoencoder
from core.model.spec import AutoencoderSpec, ModelSpec
from core.model.unet import SDMUNet
from core.palette import LabelClass, Palette
from core.transfer import grown, relabelled, takeover
from tests.conftest import TINY

SMALL = AutoencoderSpec(latent_channels=2, quarter_width=8, eighth_width=8, half_width=4, blocks=1)


def painted(name: str, *names: str, edges: bool = False, **synonyms: tuple[str, ...]) -> Palette:
    """A palette of these labels; the first is the unlabeled one."""
    classes = tuple(
        LabelClass(i, n, (i, 2 * i, 9), synonyms=synonyms.get(n, ())) for i, n in enumerate(names)
    )
    return Palette(name, classes, unlabeled=0, instance_edges=edges)


def test_labels_keep_their_weights_under_other_ids_and_names():
    """By name, by synonym, and the unlabeled one; what is new starts from the mean of all."""
    old = painted("old", "other", "sky", "water", "tree")
    new = painted("new", "nothing", "wood", "lava", "sky", edges=True, wood=("tree",))
    spec = ModelSpec(**TINY | {"num_classes": 4})
    before, after = SDMUNet(spec), SDMUNet(replace(spec, num_classes=5))
    grown(after, relabelled(before.state_dict(), takeover(new, old)))
    plain = torch.eye(4).reshape(4, 4, 1, 1).expand(-1, -1, 8, 8)
    shown = torch.eye(5).reshape(5, 5, 1, 1).expand(-1, -1, 8, 8)
    norm = next(m for m in before.modules() if hasattr(m, "mlp_shared"))
    twin = next(m for m in after.modules() if hasattr(m, "mlp_shared"))
    old_hidden, new_hidden = norm.mlp_shared[0](plain), twin.mlp_shared[0](shown)
    for new_id, old_id in ((0, 0), (1, 3), (3, 1)):
        torch.testing.assert_close(new_hidden[new_id], old_hidden[old_id])
    torch.testing.assert_close(new_hidden[2], old_hidden.mean(0))
    assert all(
        torch.equal(value, after.state_dict()[name])
        for name, value in before.state_dict().items()
        if "mlp_shared.0.weight" not in name
    )


def test_equal_shapes_are_copied_whole():
    """Nothing differs, nothing is reported."""
    a, b = Autoencoder(SMALL), Autoencoder(SMALL)
    assert grown(b, a.state_dict()) == []
    assert all(torch.equal(v, b.state_dict()[k]) for k, v in a.state_dict().items())


def test_more_latent_channels_change_no_picture_at_first():
    """The decoder does not hear the new channels yet, and the old ones are what they were."""
    old, new = Autoencoder(SMALL), Autoencoder(replace(SMALL, latent_channels=5))
    changed = grown(new, old.state_dict())
    assert {name.split(".")[0] for name in changed} == {
        "encoder",
        "decoder",
        "latent_mean",
        "latent_std",
    }
    picture = torch.rand(1, 3, 16, 16) * 2 - 1
    z_old, z_new = old.raw_latents(picture), new.raw_latents(picture)
    assert torch.equal(z_old, z_new[:, :2]) and z_new[:, 2:].abs().max() > 0
    torch.testing.assert_close(new.raw_decode(z_new), old.raw_decode(z_old))


def test_a_full_resolution_finish_begins_as_the_picture_without_it():
    """The three channels that were the picture are still it; the rest has no say yet."""
    old, new = Autoencoder(SMALL), Autoencoder(replace(SMALL, full_width=6, half_width=8))
    grown(new, old.state_dict())
    z = torch.randn(2, 2, 4, 4)
    assert new.raw_decode(z).shape == (2, 3, 32, 32)
    torch.testing.assert_close(new.raw_decode(z), old.raw_decode(z))


def test_a_decoder_that_reads_the_layout_begins_as_one_that_does_not():
    """Whatever is painted, the picture is that of the old decoder."""
    old = Autoencoder(replace(SMALL, full_width=6))
    new = Autoencoder(replace(SMALL, full_width=6, layout_labels=3))
    changed = grown(new, old.state_dict())
    assert changed and all(name.startswith("hints.") for name in changed)
    z, y = torch.randn(2, 2, 4, 4), torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(new.raw_decode(z, y), old.raw_decode(z))


def test_stacked_halves_grow_each_on_its_own():
    """Mean and variance stay mean and variance when both get more channels."""
    old, new = nn.Linear(3, 4), nn.Linear(3, 6)
    names = ("weight", "bias")
    grown(new, old.state_dict(), halves=names)
    for name in names:
        mean, variance = getattr(new, name).chunk(2)
        old_mean, old_variance = getattr(old, name).chunk(2)
        assert torch.equal(mean[:2], old_mean) and torch.equal(variance[:2], old_variance)


def test_a_wider_latent_unet_predicts_the_old_channels_as_before(make_unet):
    """In a U-Net with more latent channels the old ones come out the same for a start."""
    old = make_unet(in_channels=2, out_channels=4)
    spec = old.spec
    new = SDMUNet(replace(spec, in_channels=3, out_channels=6)).eval()
    grown(new, old.state_dict(), halves=("out.2.weight", "out.2.bias"))
    x, t = torch.randn(1, 3, 16, 16), torch.tensor([300])
    y = torch.zeros(1, spec.num_classes, 16, 16)
    y[:, 0] = 1
    before, after = old(x[:, :2], t, y), new(x, t, y)
    torch.testing.assert_close(after[:, :2], before[:, :2])
    torch.testing.assert_close(after[:, 3:5], before[:, 2:])


def test_fewer_inputs_take_the_first():
    """A narrower layer takes the corner that fits."""
    old, new = nn.Linear(5, 4), nn.Linear(3, 2)
    grown(new, old.state_dict())
    assert torch.equal(new.weight, old.weight[:2, :3])
