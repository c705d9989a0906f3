"""Measuring: figures checked by hand, and the command with a scripted engine and segmenter."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from core.agreement import (
    MERGES,
    class_iou,
    confusion,
    mean_iou,
    merge_table,
    pixel_accuracy,
)
from core.distances import diversity
from core.errors import InputError
from core.evaluate import main
from core.measure import lpips_distance
from core.palette import LabelClass, Palette
from core.report import folded, report
from core.request import ModelInfo, Result, Started
from core.segmenter import Segmenter, read_membership

LANDSCAPE = Palette.load("landscape")
PALETTE = Palette(
    "tiny",
    (
        LabelClass(0, "sky", (0, 0, 255)),
        LabelClass(1, "sea", (0, 255, 255)),
        LabelClass(2, "sand", (255, 255, 0)),
    ),
)


# -- metrics --------------------------------------------------------------------------------------


def test_confusion_counts_painted_by_found():
    """Rows are what was painted, columns what was found."""
    truth, found = np.uint8([[0, 0], [1, 2]]), np.uint8([[0, 1], [1, 1]])
    assert confusion(truth, found, 3).tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]


def test_figures_of_a_small_confusion():
    """Accuracy 5/8; IoU 3/5, 2/5 and 0/1, worked out by hand; a label never painted has none."""
    counts = np.array([[3, 1, 0, 0], [1, 2, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    assert pixel_accuracy(counts) == 5 / 8
    assert class_iou(counts) == pytest.approx([3 / 5, 2 / 5, 0, np.nan], nan_ok=True)
    assert mean_iou(counts) == pytest.approx((3 / 5 + 2 / 5 + 0) / 3)


def test_a_rare_label_is_not_averaged():
    """A few wrong pixels of a label that hardly occurs leave the mean alone."""
    counts = np.array([[99_900, 50, 0], [0, 49_000, 0], [5, 0, 0]])
    both = [99_900 / 99_955, 49_000 / 49_050]
    assert mean_iou(counts) == pytest.approx(np.mean(both))
    assert mean_iou(counts, rare=0) == pytest.approx(np.mean([*both, 0]))


def test_diversity_weighs_layouts_alike():
    """The mean over layouts of each layout's own mean."""
    assert diversity([[0.2, 0.4], [0.6]]) == pytest.approx(0.45)


def test_merging_the_landscape_leaves_twelve_labels():
    """Seven labels count as another one; the rest count as themselves."""
    table = merge_table(LANDSCAPE, MERGES["landscape"])
    assert len(set(table.tolist())) == 12
    assert table[LANDSCAPE.find("snow")] == LANDSCAPE.find("mountain")
    assert table[LANDSCAPE.find("rock")] == LANDSCAPE.find("rock")


@pytest.mark.parametrize("merges", [{"sea": "lava"}, {"sky": "sea", "sea": "sand"}])
def test_a_merge_that_makes_no_sense_is_refused(merges):
    """Unknown labels and chains are told, not guessed."""
    with pytest.raises(InputError, match="lava|'sea' is merged"):
        merge_table(PALETTE, merges)


# -- the segmenter --------------------------------------------------------------------------------


class ScriptedInterpreter:
    """A network of 2x2 pixels and four classes that finds the same logits in every picture."""

    def __init__(self, logits):
        self.logits, self.seen = np.float32(logits), None

    def get_input_details(self):
        return [{"index": 0, "shape": np.array([1, 2, 2, 3])}]

    def get_output_details(self):
        return [{"index": 1, "shape": np.array([1, 2, 2, len(self.logits)])}]

    def set_tensor(self, index, tensor):
        self.seen = tensor

    def invoke(self):
        pass

    def get_tensor(self, index):
        return np.tile(self.logits, (1, 2, 2, 1))


def test_classes_of_one_label_add_their_probabilities():
    """Two weaker classes that mean sea win over one stronger class that means sky."""
    membership = np.float32([[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]])
    interpreter = ScriptedInterpreter(np.log([0.4, 0.3, 0.25, 0.05]))
    found = Segmenter(interpreter, membership)(np.full((6, 4, 3), 255, np.uint8), (6, 4))
    assert found.shape == (6, 4) and found.dtype == np.uint8 and (found == 1).all()
    assert interpreter.seen.shape == (1, 2, 2, 3) and (interpreter.seen == 1).all()


def test_a_network_and_a_table_of_other_classes_are_refused():
    """Otherwise every label would silently be another one."""
    with pytest.raises(InputError, match="4 classes apart.*3 rows"):
        Segmenter(ScriptedInterpreter([0, 0, 0, 0]), np.eye(3, dtype=np.float32))


def table(folder, *rows):
    path = folder / "classes.csv"
    path.write_text("\n".join(("id,name,label id,label name", *rows)), encoding="utf-8")
    return path


def test_the_table_of_classes_says_what_each_class_means(tmp_path):
    """Two classes may mean the same label."""
    path = table(tmp_path, "0,air,0,sky", "1,ocean,1,sea", "2,lake,1,sea")
    assert read_membership(path, PALETTE).tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]


@pytest.mark.parametrize("row", ["0,air,0,sea", "0,air,7,sky", "1,air,0,sky", "air", "0,air,x,sky"])
def test_a_wrong_table_of_classes_is_refused_by_line(tmp_path, row):
    """The sentence names the file and the line."""
    with pytest.raises(InputError, match=r"classes\.csv, line 2"):
        read_membership(table(tmp_path, row), PALETTE)


def test_a_missing_interpreter_says_how_to_install_it(tmp_path, monkeypatch):
    """The extra is optional, so its absence is bad input and no traceback."""
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(InputError, match="pip install ai-edge-litert"):
        Segmenter.open(tmp_path / "net.tflite", table(tmp_path, "0,air,0,sky"), PALETTE)


# -- the command ----------------------------------------------------------------------------------


class PaintedEngine:
    """Colours the layout, but takes every sea for sand."""

    info = ModelInfo("painted", PALETTE, (8, 8), 8, "cpu", "float32")

    def __init__(self):
        self.seeds = []

    def sample(self, request, guidance_scale=None):
        self.seeds += request.seeds
        yield Started(request, 1)
        colors = PALETTE.colors[[0, 2, 2]]
        for seed in request.seeds:
            yield Result(colors[request.layout.labels], request.single(seed), 0.1, "painted")


class MeanDifference:
    """Stands in for LPIPS: the mean absolute difference of two batches."""

    def __init__(self, path):
        pass

    def eval(self):
        return self

    def __call__(self, a, b):
        return (a - b).abs().mean((1, 2, 3))


def by_color(image, size):
    """A perfect segmenter of `PaintedEngine`'s pictures."""
    return (image[:, :, None] == PALETTE.colors).all(-1).argmax(-1).astype(np.uint8)


@pytest.fixture
def data(tmp_path):
    """Two layouts, half sky and half sea, with photos in the right colours."""
    labels = np.repeat(np.uint8([0, 1]), 32).reshape(8, 8)
    for part, array in (("images", PALETTE.colors[labels]), ("labels", labels)):
        (tmp_path / part).mkdir()
        for name in ("a.png", "b.png"):
            Image.fromarray(array).save(tmp_path / part / name)
    return tmp_path


def run(data, *arguments, engine=None):
    networks = ("--segmenter", "net.tflite", "--segmenter-classes", "classes.csv")
    return main(
        [str(a) for a in ("--data", data, "--threads", 1, *networks, *arguments)],
        open_engine=lambda path: engine or PaintedEngine(),
        open_segmenter=lambda *files: by_color,
    )


def test_pictures_and_photos_are_measured_alike(data, tmp_path, capsys):
    """Half of every picture is right, all of every photo is; the table and the file say so."""
    out = tmp_path / "out"
    assert run(data, "--weights", "w", "--real", "--out", out, "--sheet", 1) == 0
    metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["pictures"]["pixel_accuracy"] == 0.5
    assert metrics["pictures"]["iou"] == {"sky": 1.0, "sea": 0.0}
    assert metrics["photos"]["mean_iou"] == 1.0 and metrics["layouts"] == 2
    assert metrics["sampling"]["weights"] == "painted" and "width" not in metrics["sampling"]
    assert np.array(Image.open(out / "sheet.png")).shape == (8 + 20 + 8 + 8, 4 * 8 + 3 * 8, 3)
    assert report(metrics) in capsys.readouterr().out


def test_every_picture_has_a_seed_of_its_own(data):
    """Layout i starts where layout i - 1 ended."""
    engine = PaintedEngine()
    assert run(data, "--weights", "w", "--seeds", 3, "--seed", 10, engine=engine) == 0
    assert engine.seeds == [10, 11, 12, 13, 14, 15]


def test_lpips_compares_every_two_pictures_of_a_layout(data, tmp_path, monkeypatch):
    """Three pictures make three distances, of images in [-1, 1]."""
    monkeypatch.setattr("core.perceptual.LPIPS", MeanDifference)
    distances = lpips_distance(tmp_path)([np.full((2, 2, 3), v, np.uint8) for v in (0, 0, 255)])
    assert distances == pytest.approx([0, 2, 2])
    options = ("--weights", "w", "--seeds", 2, "--lpips", "net", "--out", tmp_path)
    assert run(data, *options) == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["pictures"]["lpips_diversity"] == 0


def test_merged_labels_count_as_one(data, capsys):
    """Sea that looks like sand is right where the two are merged."""
    assert run(data, "--weights", "w", "--merge", "sea=sand") == 0
    assert "pixel accuracy                     1.000" in capsys.readouterr().out


def test_photos_alone_need_no_weights(data, tmp_path):
    """The ceiling is a matter of data and segmenter."""
    palette = tmp_path / "tiny.toml"
    entry = '[[classes]]\nid = {}\nname = "{}"\ncolor = {}\n'
    entries = (entry.format(c.id, c.name, list(c.color)) for c in PALETTE.classes)
    palette.write_text("".join(entries), encoding="utf-8")
    assert run(data, "--real", "--palette", palette, "--limit", 1, "--out", tmp_path) == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["layouts"] == 1 and "pictures" not in metrics and "sampling" not in metrics


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((), "--weights"),
        (("--weights", "w", "--lpips", "l"), "--seeds 2"),
        (("--real", "--sheet", "2"), "--out"),
        (("--weights", "w", "--limit", "0"), "--limit"),
        (("--weights", "w", "--merge", "sea"), "LABEL=LABEL"),
    ],
)
def test_arguments_that_contradict_each_other(data, capsys, arguments, words):
    """Each is refused in a sentence that names the option to change."""
    assert run(data, *arguments) == 2
    assert words in capsys.readouterr().err


def test_a_folder_without_pairs(tmp_path, capsys):
    """The folder that lacks pictures is named."""
    assert run(tmp_path, "--weights", "w") == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_short_rows_stand_side_by_side():
    """Five pairs, two to a row, are three rows in the same order."""
    pictures = [[np.full((1, 1, 3), i), np.full((1, 1, 3), -i)] for i in range(5)]
    rows = folded(pictures, 2)
    assert [len(row) for row in rows] == [4, 4, 2]
    assert [int(one.flat[0]) for one in rows[1]] == [2, -2, 3, -3]
