"""Measuring: the segmenter, and the command with a scripted engine."""

import json
import sys

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from core.errors import InputError
from core.evaluate import main
from core.outside_segmenter import OutsideSegmenter, read_membership
from core.palette import LabelClass, Palette
from core.perceptual import PairDistances
from core.report import folded, report
from core.request import ModelInfo, Result, Started
from core.segmenter_networks import tflite_network
from tests.test_features import places_tensors

PALETTE = Palette(
    "tiny",
    (
        LabelClass(0, "sky", (0, 0, 255)),
        LabelClass(1, "sea", (0, 255, 255)),
        LabelClass(2, "sand", (255, 255, 0)),
    ),
)


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


def scripted(logits):
    return tflite_network(ScriptedInterpreter(logits))


def test_classes_of_one_label_add_their_probabilities():
    """Two weaker classes that mean sea win over one stronger class that means sky."""
    membership = np.float32([[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]])
    interpreter = ScriptedInterpreter(np.log([0.4, 0.3, 0.25, 0.05]))
    segmenter = OutsideSegmenter(tflite_network(interpreter), membership)
    found = segmenter(np.full((6, 4, 3), 255, np.uint8), (6, 4))
    assert found.shape == (6, 4) and found.dtype == np.uint8 and (found == 1).all()
    assert interpreter.seen.shape == (1, 2, 2, 3) and (interpreter.seen == 1).all()


def test_a_segmenter_tells_the_labels_that_its_classes_mean():
    """Sand is no class of this network: it will never be found."""
    membership = np.float32([[1, 0, 0], [0, 1, 0], [0, 1, 0], [1, 0, 0]])
    assert OutsideSegmenter(scripted([0, 0, 0, 0]), membership).tells == {0, 1}


def test_a_network_and_a_table_of_other_classes_are_refused():
    """Otherwise every label would silently be another one."""
    with pytest.raises(InputError, match="4 classes apart.*3 rows"):
        OutsideSegmenter(scripted([0, 0, 0, 0]), np.eye(3, dtype=np.float32))


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
        (tmp_path / "net.tflite").write_bytes(b"")
        OutsideSegmenter.open(tmp_path / "net.tflite", table(tmp_path, "0,air,0,sky"), PALETTE)


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
    """Stands in for LPIPS: the mean absolute difference of two pictures."""

    def __init__(self, path):
        pass

    def eval(self):
        return self

    def features(self, x):
        return x

    def compare(self, a, b):
        return (a - b).abs().mean((1, 2, 3))


def by_color(image, size):
    """A perfect segmenter of `PaintedEngine`'s pictures."""
    return (image[:, :, None] == PALETTE.colors).all(-1).argmax(-1).astype(np.uint8)


def make_data(folder):
    """Two layouts, half sky and half sea, with photos in the right colours, and a weights file."""
    labels = np.repeat(np.uint8([0, 1]), 32).reshape(8, 8)
    for part, array in (("images", PALETTE.colors[labels]), ("labels", labels)):
        (folder / part).mkdir()
        for name in ("a.png", "b.png"):
            Image.fromarray(array).save(folder / part / name)
    (folder / "w").write_bytes(b"weights")
    return folder


@pytest.fixture
def data(tmp_path):
    """See `make_data`."""
    return make_data(tmp_path)


def run(data, *arguments, engine=None):
    arguments = [data / "w" if argument == "w" else argument for argument in arguments]
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
    (data / "net").write_bytes(b"")
    distance = PairDistances.open(data / "net")
    distances = distance([np.full((2, 2, 3), v, np.uint8) for v in (0, 0, 255)])
    assert distances == pytest.approx([0, 2, 2])
    options = ("--weights", "w", "--seeds", 2, "--lpips", data / "net", "--out", tmp_path)
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
        (("--weights", "w", "--places", "p"), "--reference"),
        (("--weights", "w", "--reference", "r"), "--places"),
        (("--weights", "w", "--nearest", "3"), "--places"),
        (("--weights", "w", "--labels-sheet"), "--out"),
        (("--weights", "w", "--out", "o", "--labels-sheet"), "name the labels"),
        (("--weights", "w", "--out", "o", "--labels-sheet", "lava"), "'lava'"),
        (("--autoencoder-only",), "--weights"),
        (("--weights", "w", "--threads", "0"), "--threads"),
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


# -- realism, sweeps, rare labels, the autoencoder ------------------------------------------------


def metrics_of(out):
    return json.loads((out / "metrics.json").read_text(encoding="utf-8"))


@pytest.fixture
def places(tmp_path):
    """A tiny network under the Places network's names."""
    save_file(places_tensors(), tmp_path / "places.safetensors")
    return tmp_path / "places.safetensors"


@pytest.fixture
def reference(tmp_path):
    """Six photos: the layouts' own colours, their mirror image, and four of noise."""
    folder, rng = tmp_path / "reference", np.random.default_rng(0)
    folder.mkdir()
    labels = np.tril(np.ones((8, 8), np.uint8))
    pictures = [PALETTE.colors[labels], PALETTE.colors[labels[::-1]]]
    pictures += [rng.integers(0, 255, (8, 8, 3)).astype(np.uint8) for _ in range(4)]
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{i}.png")
    return folder


def test_distances_stand_beside_those_of_photos(data, places, reference, tmp_path, capsys):
    """Pictures, photos, and the reference split in two: each with its figures and its count."""
    out = tmp_path / "out"
    options = ("--weights", "w", "--seeds", 2, "--real", "--out", out)
    assert run(data, *options, "--places", places, "--reference", reference) == 0
    metrics = metrics_of(out)
    assert metrics["reference"] == {"folder": "reference", "photos": 6}
    for kind, count in (("pictures", 4), ("photos", 2)):
        assert metrics[kind]["count"] == count and metrics[kind]["fd_places"] > 0
    split = metrics["reference_split"]
    assert split["photos"] == 3 and {"kd_places", "kd_places_deviation"} <= split.keys()
    assert "split" in capsys.readouterr().out
    assert len(list(out.glob("places-*.npz"))) == 1


def test_a_mirrored_copy_of_a_photo_is_found(data, places, reference, tmp_path, capsys):
    """A model that returns a training photo's mirror image is at distance 0 from that photo."""

    class Memory(PaintedEngine):
        def sample(self, request, guidance_scale=None):
            photo = np.asarray(Image.open(reference / "0.png"))
            for seed in request.seeds:
                yield Result(photo[:, ::-1], request.single(seed), 0.1, "memory")

    out = tmp_path / "out"
    options = ("--weights", "w", "--nearest", 1, "--out", out, "--cache", tmp_path / "cache")
    networks = ("--places", places, "--reference", reference)
    assert run(data, *options, *networks, engine=Memory()) == 0
    found = metrics_of(out)["nearest"]
    assert found["pairs"] == [
        {"layout": "a", "photo": "0.png", "distance": pytest.approx(0, abs=1e-3)}
    ]
    assert found["nearer_share"] == 1 and found["photos"]["least"] > 0
    assert np.array(Image.open(out / "nearest.png")).shape == (8 + 20 + 8 + 8, 8 + 2 * 16, 3)
    assert "100% of the pictures are nearer" in capsys.readouterr().out


class GuidedEngine(PaintedEngine):
    """Paints sea as sea only under strong guidance."""

    def sample(self, request, guidance_scale=None):
        colors = PALETTE.colors if request.guidance_scale > 2 else PALETTE.colors[[0, 2, 2]]
        for seed in request.seeds:
            yield Result(colors[request.layout.labels], request.single(seed), 0.1, "guided")


def test_a_sweep_measures_each_scale(data, tmp_path, capsys):
    """A list in the file, a sheet each, and one table at the end."""
    out = tmp_path / "out"
    options = ("--weights", "w", "--guidance", "1.0,3", "--out", out, "--sheet", 1)
    assert run(data, *options, engine=GuidedEngine()) == 0
    runs = metrics_of(out)
    assert [r["sampling"]["guidance_scale"] for r in runs] == [1, 3]
    assert [r["pictures"]["pixel_accuracy"] for r in runs] == [0.5, 1]
    assert (out / "sheet_1.png").exists() and (out / "sheet_3.png").exists()
    table = capsys.readouterr().out.splitlines()[-3:]
    assert [line.split()[:2] for line in table[1:]] == [["1", "0.500"], ["3", "1.000"]]


def test_a_scale_that_is_no_number_is_refused(data, capsys):
    """By argparse, with the value."""
    with pytest.raises(SystemExit):
        run(data, "--weights", "w", "--guidance", "1;2")
    assert "'1;2' is no list of scales" in capsys.readouterr().err


def test_rare_labels_are_painted_where_the_data_has_too_little(data, tmp_path):
    """Sea is half of both layouts, so two more are painted; sand is in none: four are painted."""
    out = tmp_path / "out"
    options = ("--weights", "w", "--out", out, "--labels-sheet", "sea", "sand")
    assert run(data, *options) == 0
    labels = metrics_of(out)["labels"]
    assert {name: entry["painted"] for name, entry in labels.items()} == {"sea": 2, "sand": 4}
    assert labels["sea"]["iou"] == 0 and 0 < labels["sand"]["iou"] < 1
    assert labels["sand"]["counts_as"] == "sand"
    rows = np.array(Image.open(out / "labels.png"))
    assert rows.shape == (8 + 2 * (20 + 8 + 8), 8 + 8 * 16, 3)


def test_the_segmenter_is_one_way_of_measuring(data, tmp_path):
    """Diversity alone needs none; nothing at all is refused."""
    arguments = [str(a) for a in ("--data", data, "--weights", "w", "--threads", 1)]
    assert main(arguments, open_engine=lambda path: PaintedEngine()) == 2


def test_an_autoencoder_is_measured_alone(photos, make_checkpoint, tmp_path, capsys):
    """PSNR, grid and time of a tiny one, agreement beside that of the photos, and a sheet."""
    found = np.zeros((24, 32), np.uint8)
    weights, out = make_checkpoint(latent=True), tmp_path / "out"
    options = ("--autoencoder-only", "--weights", weights, "--data", photos, "--limit", 3)
    networks = ("--segmenter", "n", "--segmenter-classes", "c", "--real", "--threads", 1)
    arguments = [str(a) for a in (*options, *networks, "--out", out, "--sheet", 2)]
    assert main(arguments, open_segmenter=lambda *files: lambda image, size: found) == 0
    metrics = metrics_of(out)
    rebuilt = metrics["reconstructions"]
    assert metrics["weights"] == "tiny" and rebuilt["count"] == 3 and 0 < rebuilt["psnr"] < 30
    assert rebuilt["pixel_accuracy"] == metrics["photos"]["pixel_accuracy"]
    assert np.array(Image.open(out / "sheet.png")).shape[1] == 8 + 6 * 40
    printed = capsys.readouterr().out
    assert "rebuilt" in printed and "ms for 256x256" in printed


def test_a_photo_that_the_autoencoder_cannot_halve_is_named(data, make_checkpoint, capsys):
    """Sides are multiples of 8."""
    odd = np.zeros((12, 8), np.uint8)
    Image.fromarray(odd).save(data / "labels" / "a.png")
    Image.fromarray(PALETTE.colors[odd]).save(data / "images" / "a.png")
    weights = make_checkpoint(latent=True)
    assert main([str(a) for a in ("--autoencoder-only", "--weights", weights, "--data", data)]) == 2
    assert "is 8x12" in capsys.readouterr().err
