"""Measures of an autoencoder: figures with a known answer, and a tiny checkpoint."""

import math

import numpy as np
import pytest

from core.dataset import Sample
from core.errors import InputError
from core.reconstruction import (
    Fidelity,
    Reconstruction,
    flat_errors,
    grid_ratios,
    lattice_energy,
    psnr,
)

RNG = np.random.default_rng(0)


def test_psnr_of_a_known_error():
    """Every value off by one is 20 log10(255); equal pictures are infinitely near."""
    photo = RNG.integers(0, 255, (8, 8, 3)).astype(np.uint8)
    assert psnr(photo, photo + 1) == pytest.approx(20 * math.log10(255))
    assert psnr(photo, photo) == math.inf


def ratios(errors):
    return grid_ratios(*np.mean([lattice_energy(error) for error in errors], axis=0))


def test_noise_has_no_grid():
    """White noise has as much energy on the lattice as beside it."""
    found = ratios(RNG.normal(size=(20, 128, 128)))
    assert list(found) == ["8", "4", "8/3", "2"]
    assert list(found.values()) == pytest.approx([1] * 4, abs=0.15)


@pytest.mark.parametrize("period", [8, 4, 2])
def test_a_faint_pattern_in_every_cell_is_seen(period):
    """A quarter of the noise, at one period, stands out there alone."""
    wave = 0.25 * np.cos(2 * np.pi * np.arange(256) / period)
    found = ratios(RNG.normal(size=(8, 256, 256)) + wave)
    assert found.pop(str(period)) > 1.8
    assert list(found.values()) == pytest.approx([1] * 3, abs=0.3)


def test_a_grid_of_either_direction_counts():
    """The spectrum of rows and that of columns are added."""
    wave = np.cos(2 * np.pi * np.arange(64) / 8) + RNG.normal(size=(64, 64)) / 100
    assert lattice_energy(wave) == pytest.approx(lattice_energy(wave.T))


def test_only_flat_blocks_are_looked_at_for_banding():
    """A slope is flat, texture is not; a shift and a slope of the error are no banding."""
    photo = np.zeros((16, 48))
    photo[:, :32] = np.linspace(0, 90, 32)
    photo[:, 32:] = RNG.normal(scale=30, size=(16, 16))
    error = np.full((16, 48), 5.0)
    error[:, 16:32] += np.tile([1, -1], (16, 8))
    assert flat_errors(photo, error) == pytest.approx([0, 1], abs=0.02)


def test_figures_are_means_over_photos():
    """Each photo counts once, with its distance from its own copy."""
    photo = np.zeros((64, 64, 3), np.uint8)
    fidelity = Fidelity(lambda pair: [float(pair[1].mean() - pair[0].mean())])
    for value in (1, 3):
        fidelity.add(photo, np.full_like(photo, value))
    figures = fidelity.figures()
    assert figures["photos"] == 2 and figures["lpips"] == 2 and figures["flat_blocks"] == 32
    assert figures["psnr"] == pytest.approx(20 * math.log10(255) - 10 * math.log10(9) / 2)
    assert figures["flat_rms"] == pytest.approx(0, abs=1e-6)


def test_a_checkpoint_decodes_and_is_timed(make_checkpoint, monkeypatch):
    """The picture has the photo's size; the time is that of the named precision."""
    monkeypatch.setattr("core.reconstruction.TIMED", 2)
    autoencoder = Reconstruction(make_checkpoint(latent=True), "float32")
    copy = autoencoder(Sample(np.full((16, 24, 3), 90, np.uint8), np.zeros((16, 24), np.uint8)))
    assert copy.shape == (16, 24, 3) and copy.dtype == np.uint8
    timing = autoencoder.timing()
    assert timing["decoder_ms"] > 0 and timing["precision"] == "float32"
    assert timing["layout_ms"] < 1  # it reads none
    assert timing["threads"] == 1 and autoencoder.palette.name == "tiny"


def test_a_model_on_pixels_has_no_autoencoder(make_checkpoint):
    """It is named."""
    with pytest.raises(InputError, match="tiny.safetensors works on pixels"):
        Reconstruction(make_checkpoint())
