"""report.md: figures with their intervals, sheets, and the papers beside them."""

import numpy as np
import pytest

from core.evaluate import main
from core.markdown_report import markdown, paper_lines, table
from core.papers import papers, papers_on
from core.report import ROWS
from tests.test_evaluate import GuidedEngine, make_data, run


@pytest.fixture
def data(tmp_path):
    """See `make_data`."""
    return make_data(tmp_path)


def figures(palette="ade20k", scale=1.5, fid=20.0):
    """As an evaluation gives them."""
    pictures = {
        "count": 20,
        "pixel_accuracy": 0.75,
        "iou": {"sky": 0.9, "dune": 0.0},
        "fid": fid,
        "kid": 0.0123,
        "kid_deviation": 0.001,
        "lpips_diversity": 0.5,
        "intervals": {"pixel_accuracy": [0.7, 0.8]},
    }
    return {
        "data": "VAL",
        "palette": palette,
        "layouts": 2,
        "reference": {"folder": "TRAIN", "photos": 30},
        "networks": {"inception": "abc"},
        "sampling": {
            "weights": "mine",
            "sampler": "ddim",
            "steps": 25,
            "guidance_scale": scale,
            "seed": 3,
            "pictures_per_layout": 10,
        },
        "pictures": pictures,
        "reference_split": {"photos": 15, "fid": 9.0},
        "shares": {"sky": 0.9995, "dune": 0.0005},
        "sheets": {"sheet.png": "Layouts and their pictures"},
    }


def test_figures_stand_with_their_intervals():
    """Count, value, interval, deviation; a dash where nothing was measured."""
    lines = markdown([figures()]).splitlines()
    assert lines[0] == "# mine on VAL"
    assert "10 pictures of each: ddim, 25 steps, guidance 1.5, seeds from 3." in lines[2]
    for line in (
        "|  | pictures | photos against photos |",
        "| number | 20 | 15 |",
        "| pixel accuracy | 0.750 (0.700–0.800) | – |",
        "| FID | 20.00 | 9.00 |",
        "| KID | 0.01230 ± 0.00100 | – |",
        "| sky | 100.0% | 0.900 |",
        "| dune (rare, not averaged) | 0.1% | 0.000 |",
        "![Layouts and their pictures](sheet.png)",
        "| inception | abc |",
    ):
        assert line in lines


def test_a_paper_on_the_same_data_has_ours_in_its_table():
    """With the source, and only that dataset."""
    text = markdown([figures()])
    assert "| SDM | 27.5 | 0.524 |" in text and "| **mine, guidance 1.5 (here)** | 20.00 |" in text
    assert "arXiv 2207.00050" in text and "look exchanged" in text
    assert "Cityscapes FID" not in text and "2112.05744" not in text


def test_papers_on_other_data_say_so():
    """All tables, and none of ours in them."""
    text = markdown([figures("landscape")])
    assert "not to be compared" in text and "(here)" not in text
    assert "| SDM | 18.8 | 0.422 | 42.1 | 0.362 | 27.5 | 0.524 | 15.9 | 0.518 |" in text
    assert "| OASIS | – | – | 47.7 | 0.327 | 28.3 | 0.286 | 17 | 0.328 |" in text
    assert "| SDG, text guidance | 28.38 | 0.61 |" in text


def test_without_distances_there_is_nothing_to_compare():
    """Agreement alone brings no paper."""
    alone = figures()
    alone["pictures"] = {"count": 1, "pixel_accuracy": 1.0, "iou": {}}
    assert "papers" not in markdown([alone])


def test_a_sweep_has_a_section_for_each_scale():
    """And one table with all of them beside the paper."""
    text = markdown([figures(), figures(scale=3, fid=19)])
    assert text.count("## Figures") == 2 and "# Guidance 3" in text
    assert "guidance 1.5 (here)** | 20.00" in text and "guidance 3 (here)** | 19.00" in text


def test_the_terminal_gets_the_papers_too():
    """With their source; nothing for a palette that no paper has."""
    lines = paper_lines(figures("cityscapes")).splitlines()
    assert "2207.00050" in lines[0] and lines[-2].split() == ["SDM", "42.1", "0.362"]
    assert paper_lines(figures("landscape")) == ""


def test_the_papers_are_whole():
    """Every row has a figure for each title, every title a name in our tables."""
    known = {key for _, key, _ in ROWS}
    assert [len(paper.rows) for paper in papers()] == [10, 4]
    for paper in papers():
        assert set(paper.figures) <= known and paper.source and paper.note
        for _, found in paper.rows:
            assert all(len(values) == len(paper.figures) for values in found.values())
    for palette in ("ade20k", "cityscapes", "celebamask_hq", "coco_stuff"):
        (paper,) = papers_on(palette)
        assert dict(paper.on(palette))["SDM"][0] == min(
            fid for method, (fid, _) in paper.on(palette) if method not in ("SPADE",)
        )


def test_the_command_writes_it(data, tmp_path):
    """Beside metrics.json, for one scale and for a sweep."""
    out = tmp_path / "out"
    assert run(data, "--weights", "w", "--out", out, "--sheet", 1) == 0
    text = (out / "report.md").read_text(encoding="utf-8")
    assert "# painted on" in text and "![Layouts and their pictures](sheet.png)" in text
    out = tmp_path / "sweep"
    options = ("--guidance", "1,3", "--out", out)
    assert run(data, "--weights", "w", *options, engine=GuidedEngine()) == 0
    assert "# Guidance 3" in (out / "report.md").read_text(encoding="utf-8")


def test_the_report_of_an_autoencoder(photos, make_checkpoint, tmp_path):
    """PSNR and a sheet; no sampling."""
    weights, out = make_checkpoint(latent=True), tmp_path / "out"
    segment = np.zeros((24, 32), np.uint8)
    options = ("--autoencoder-only", "--weights", weights, "--data", photos, "--limit", 2)
    networks = ("--segmenter", "n.tflite", "--segmenter-classes", "c", "--threads", 1)
    arguments = [str(a) for a in (*options, *networks, "--out", out, "--sheet", 2)]
    assert main(arguments, open_segmenter=lambda *files: lambda image, size: segment) == 0
    text = (out / "report.md").read_text(encoding="utf-8")
    assert text.startswith("# tiny on photos") and "| PSNR |" in text and "(sheet.png)" in text


def test_cells_keep_to_their_columns():
    """A bar in a name would begin another one."""
    assert table(["a", "b"], [["x|y", "1"]]).splitlines()[-1] == "| x/y | 1 |"
