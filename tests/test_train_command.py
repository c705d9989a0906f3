"""`python -m core.train`, end to end on six tiny photos."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from core import train
from core.checkpoint import Checkpoint
from core.distillation import STOPS
from core.model.spec import AutoencoderSpec, InstantSpec, ModelSpec
from core.recipe import bundled_recipes
from tests.trees import MAKERS

WEIGHTS = "weights.safetensors"
ROOT = Path(__file__).resolve().parent.parent
UNET = (
    '{"model_channels":16,"num_res_blocks":1,"channel_mult":[1,2],'
    '"attention_resolutions":[],"spade_hidden":8}'
)
SMALL_AUTOENCODER = '{"quarter_width":8,"eighth_width":8,"half_width":4,"blocks":1}'
SMALL = [
    "--size",
    "16",
    "--batch",
    "2",
    "--threads",
    "1",
    "--precision",
    "float32",
    "--warmup",
    "2",
]


@pytest.fixture
def command(photos, palette_file, tmp_path):
    """`command(out, *more)`: the arguments of a tiny diffusion run."""

    def make(out, *more, spec=UNET):
        base = [
            "--data",
            photos,
            "--palette",
            palette_file,
            "--out",
            tmp_path / out,
            "--spec",
            spec,
        ]
        return [str(a) for a in (*base, *SMALL, "--sheet-every", "0", *more)]

    return make


def weights(folder: Path) -> dict:
    return load_file(folder / "weights.safetensors")


def test_a_recipe_gives_the_options_and_the_command_line_overrides_them(command, tmp_path):
    """A table becomes the network's spec, `true` a flag; the command line wins."""
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        'steps = 9\nlr = 0.0\nbad-pairs = "skip"\ngrow = true\ncompile = false\n'
        "[spec]\nmodel_channels = 32\nnum_res_blocks = 1\nchannel_mult = [1, 2]\n"
        "attention_resolutions = []\nspade_hidden = 8\n"
    )
    words = command("run", "--recipe", str(recipe), "--steps", "1")
    place = words.index("--spec")
    del words[place : place + 2]
    assert train.main(words) == 0
    checkpoint = Checkpoint.open(tmp_path / "run" / "weights.safetensors")
    assert checkpoint.training["step"] == 1 and checkpoint.spec.model_channels == 32
    assert checkpoint.training["settings"]["lr"] == 0.0


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, while it compiles
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
def test_a_compiled_run_learns_what_a_plain_one_learns(command, tmp_path):
    """`--compile` makes steps faster and nothing else; both files open alike."""
    assert train.main(command("plain", "--steps", "3")) == 0
    assert train.main(command("compiled", "--steps", "3", "--compile")) == 0
    plain, compiled = (weights(tmp_path / name) for name in ("plain", "compiled"))
    assert list(plain) == list(compiled)
    for name in plain:
        torch.testing.assert_close(
            compiled[name].float(), plain[name].float(), rtol=1e-3, atol=1e-4
        )


RECIPES = [*sorted((ROOT / "docs" / "recipes").rglob("*.toml")), *bundled_recipes()]


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_every_recipe_of_ours_is_understood(recipe):
    """Every option exists, and so does every field of a spec."""
    args = train.parse(["--data", "photos", "--out", "run", "--recipe", str(recipe)])
    assert args.stage in train.STAGES and args.steps > 0
    kinds = {"autoencoder": AutoencoderSpec, "instant": InstantSpec}
    known = {field.name for field in fields(kinds.get(args.stage, ModelSpec))}
    assert set(args.spec) <= known


@pytest.mark.parametrize(
    "text, says", [("stepz = 3", "'stepz'"), ("resume = true", "'resume'"), ("steps =", "no TOML")]
)
def test_a_recipe_with_a_mistake_is_refused(command, tmp_path, capsys, text, says):
    """The file and the word are named."""
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(text)
    said = refused(command("run", "--recipe", str(recipe)), capsys)
    assert says in said and "recipe.toml" in said
    assert "gone.toml cannot be read" in refused(command("run", "--recipe", "gone.toml"), capsys)


@pytest.mark.parametrize("tree", ["ade20k", "coco_stuff", "cityscapes", "celebamask_hq"])
def test_a_papers_two_stages_run_on_its_dataset(tree, tmp_path):
    """By name, in the folders that the dataset comes with; smaller, or it would take a month."""
    MAKERS[tree.replace("_", "-")](tmp_path / "data")
    size = "8x16" if tree == "cityscapes" else "16"
    small = ["--size", size, "--scale", "16-20", "--batch", "2", "--steps", "1", "--threads", "1"]
    small += ["--precision", "float32", "--sheet-every", "0", "--data", str(tmp_path / "data")]
    for stage, more in ((1, ["--spec", UNET]), (2, ["--init", str(tmp_path / "1" / WEIGHTS)])):
        words = ["--recipe", f"{tree}-{stage}", "--out", str(tmp_path / str(stage)), *more]
        assert train.main([*words, *small]) == 0
    made = Checkpoint.open(tmp_path / "2" / WEIGHTS)
    assert made.palette.name == tree and made.spec.model_channels == 16
    settings = made.training["settings"]
    assert (settings["lr"], settings["ema_decay"], settings["clip_norm"]) == (2e-5, 0.9999, 0)


def test_the_papers_recipes_hold_the_papers_settings():
    """Twice the four datasets: the learning rates, batch, sizes and dropout of both stages."""
    found = {
        name: train.parse(["--data", "d", "--out", "o", "--recipe", name])
        for name in bundled_recipes()
    }
    assert len(found) == 8
    for name, args in found.items():
        first = name.endswith("-1")
        assert (args.lr, args.label_dropout) == ((1e-4, 0.0) if first else (2e-5, 0.2))
        assert (args.batch, args.ema, args.weighting) == (32, 0.9999, "uniform")
        assert args.size == ((256, 512) if name.startswith("cityscapes") else (256, 256))


def test_a_recipe_that_is_not_there_is_named(command, capsys):
    """And those that are."""
    said = refused(command("run", "--recipe", "ade21k-1"), capsys)
    assert "'ade21k-1'" in said and "ade20k-1" in said


def test_less_memory_gives_the_same_run(command, tmp_path, capsys):
    """In parts, and with less kept for the way back; other networks refuse the second."""
    assert train.main(command("whole", "--steps", "2")) == 0
    assert train.main(command("parts", "--steps", "2", "--accumulate", "2", "--checkpointing")) == 0
    whole, parts = (load_file(tmp_path / n / "state.safetensors") for n in ("whole", "parts"))
    for key in (k for k in whole if k.startswith("exp_avg.")):
        torch.testing.assert_close(parts[key], whole[key], atol=1e-5, rtol=0)
    more = ("--stage", "autoencoder", "--steps", "1", "--checkpointing")
    assert "whole U-Net" in refused(command("ae", *more, spec=SMALL_AUTOENCODER), capsys)
    assert "--accumulate 0" in refused(command("none", "--accumulate", "0"), capsys)


def test_a_run_leaves_weights_state_log_and_sheet(command, tmp_path):
    """Everything that the README promises is in the folder, and the weights open."""
    assert (
        train.main(command("run", "--steps", "4", "--log-every", "2", "--label-dropout", "0.2"))
        == 0
    )
    assert {p.name for p in (tmp_path / "run").iterdir()} >= {
        "weights.safetensors",
        "state.safetensors",
        "log.csv",
    }
    rows = (tmp_path / "run" / "log.csv").read_text().splitlines()
    assert rows[0].startswith("step,loss,simple,vlb") and [r.split(",")[0] for r in rows[1:]] == [
        "2",
        "4",
    ]
    assert (tmp_path / "run" / "sheets" / "0000004.png").is_file()
    checkpoint = Checkpoint.open(tmp_path / "run" / "weights.safetensors")
    assert checkpoint.load_unet() and checkpoint.training["step"] == 4
    assert checkpoint.palette.classes[1].name == "sky"


def test_an_interrupted_run_goes_on_bit_for_bit(command, tmp_path):
    """Stopped after 3 of 6 steps and resumed, the result is that of an uninterrupted run."""
    assert train.main(command("whole", "--steps", "6")) == 0
    assert train.main(command("halves", "--steps", "3")) == 0
    assert train.main(command("halves", "--steps", "6", "--resume")) == 0
    whole, halves = weights(tmp_path / "whole"), weights(tmp_path / "halves")
    assert all(torch.equal(whole[key], halves[key]) for key in whole)


def test_the_latent_path_from_autoencoder_to_picture(command, photos, palette_file, tmp_path):
    """Autoencoder, then diffusion on its latents, then a picture from the finished checkpoint."""
    from core.engine import Engine
    from core.labelmap import read_labels
    from core.request import Layout, Result, SampleRequest

    first = command("ae", "--stage", "autoencoder", "--steps", "2", spec=SMALL_AUTOENCODER)
    assert train.main(first) == 0
    made = tmp_path / "ae" / "weights.safetensors"
    assert train.main(command("sdm", "--steps", "2", "--autoencoder", str(made))) == 0
    engine = Engine.open(tmp_path / "sdm" / "weights.safetensors", "cpu", "float32")
    labels = read_labels(photos / "labels" / "00.png", engine.info.palette).labels
    *_, last = engine.sample(SampleRequest(Layout(labels, engine.info.palette), steps=2))
    assert isinstance(last, Result) and last.image.shape == (32, 32, 3)


def test_the_decoder_can_go_on_learning_alone(command, tmp_path):
    """With --freeze-encoder only the decoder changes: latents stay what they were."""
    first = command("ae", "--stage", "autoencoder", "--steps", "2", spec=SMALL_AUTOENCODER)
    assert train.main(first) == 0
    init = str(tmp_path / "ae" / "weights.safetensors")
    more = ("--stage", "autoencoder", "--steps", "3", "--init", init, "--freeze-encoder")
    assert train.main(command("decoder", *more, spec="{}")) == 0
    before, after = weights(tmp_path / "ae"), weights(tmp_path / "decoder")
    changed = {key.split(".")[1] for key in before if not torch.equal(before[key], after[key])}
    assert changed == {"decoder"}


def test_an_adversary_helps_and_stays_behind(command, tmp_path):
    """It is trained and resumed with the autoencoder, and is not in the weights."""
    more = ("--stage", "autoencoder", "--adversarial", "0.1")
    assert train.main(command("ae", *more, "--steps", "2", spec=SMALL_AUTOENCODER)) == 0
    resumed = (*more, "--steps", "3", "--resume")
    assert train.main(command("ae", *resumed, spec=SMALL_AUTOENCODER)) == 0
    made = tmp_path / "ae" / "weights.safetensors"
    assert Checkpoint.open(made).load_autoencoder() is not None
    assert not any("discriminator" in key for key in weights(tmp_path / "ae"))
    assert "judging" in (tmp_path / "ae" / "log.csv").read_text().splitlines()[0]


def test_weights_of_another_shape_are_taken_over_where_asked(command, tmp_path, capsys):
    """More latent channels than the autoencoder began with; unasked, the shapes must agree."""
    first = command("ae", "--stage", "autoencoder", "--steps", "2", spec=SMALL_AUTOENCODER)
    assert train.main(first) == 0
    init = str(tmp_path / "ae" / "weights.safetensors")
    wide = ("--stage", "autoencoder", "--steps", "1", "--init", init)
    more = '{"latent_channels": 6}'
    assert "--grow" in refused(command("wide", *wide, spec=more), capsys)
    frozen = command("wide2", *wide, "--grow", "--freeze-encoder", spec=more)
    assert "latent_channels" in refused(frozen, capsys)
    assert train.main(command("wide3", *wide, "--grow", spec=more)) == 0
    made = Checkpoint.open(tmp_path / "wide3" / "weights.safetensors")
    assert made.autoencoder.latent_channels == 6 and made.autoencoder.quarter_width == 8

    assert train.main(command("sdm", "--steps", "1", "--autoencoder", init)) == 0
    wider = ("--steps", "1", "--autoencoder", str(made.path), "--grow")
    old = str(tmp_path / "sdm" / "weights.safetensors")
    assert train.main(command("sdm6", *wider, "--init", old)) == 0
    spec = Checkpoint.open(tmp_path / "sdm6" / "weights.safetensors").spec
    assert (spec.in_channels, spec.out_channels) == (6, 12)


def test_a_model_goes_on_with_a_palette_of_ones_own(command, photos, tmp_path, capsys):
    """`--init` alone: its latents, shape and schedule are kept, its labels found by name."""
    first = command("ae", "--stage", "autoencoder", "--steps", "1", spec=SMALL_AUTOENCODER)
    made = str(tmp_path / "ae" / "weights.safetensors")
    base = command("base", "--steps", "1", "--autoencoder", made, "--noise-schedule", "cosine")
    assert train.main(first) == 0 and train.main(base) == 0
    mine = tmp_path / "mine.toml"
    mine.write_text(
        'title = "Mine"\nunlabeled = 0\n'
        '[[classes]]\nid = 0\nname = "nothing"\ncolor = [0, 0, 0]\n'
        '[[classes]]\nid = 1\nname = "heaven"\nsynonyms = ["sky"]\ncolor = [9, 9, 250]\n'
        '[[classes]]\nid = 2\nname = "lava"\ncolor = [250, 9, 9]\n'
        '[[classes]]\nid = 3\nname = "ash"\ncolor = [90, 90, 90]\n'
    )
    init = str(tmp_path / "base" / "weights.safetensors")
    words = ["--data", photos, "--palette", mine, "--out", tmp_path / "mine", "--init", init]
    more = ["--steps", "1", "--batch", "2", "--threads", "1", "--warmup", "1", "--sheet-every", "0"]
    capsys.readouterr()
    assert train.main([str(w) for w in words + more]) == 0
    said = capsys.readouterr().err
    assert "heaven from sky" in said and "mean of all: lava, ash" in said
    before, after = (
        Checkpoint.open(tmp_path / n / "weights.safetensors") for n in ("base", "mine")
    )
    assert after.spec.num_classes == 4 and after.schedule == before.schedule
    assert after.spec.autoencoder == before.spec.autoencoder
    assert after.spec.picture_size == before.spec.picture_size == (16, 16)
    assert after.training["settings"]["lr"] == train.DEFAULTS["tuning"]["lr"]


def test_a_student_is_distilled_and_samples_in_two_steps(command, photos, tmp_path, capsys):
    """From photos to a student file that the engine opens like any other."""
    from core.engine import Engine
    from core.labelmap import read_labels
    from core.request import Layout, SampleRequest

    ae = command("ae", "--stage", "autoencoder", "--steps", "2", spec=SMALL_AUTOENCODER)
    assert train.main(ae) == 0
    ae = str(tmp_path / "ae" / "weights.safetensors")
    assert train.main(command("sdm", "--steps", "2", "--autoencoder", ae)) == 0
    teacher = str(tmp_path / "sdm" / "weights.safetensors")
    more = ("--stage", "distillation", "--walks", "9", "--steps", "2")
    assert "needs --init" in refused(command("none", *more, spec="{}"), capsys)
    assert train.main(command("student", *more, "--init", teacher, spec="{}")) == 0
    made = str(tmp_path / "student" / "weights.safetensors")
    assert Checkpoint.open(made).spec.stops == STOPS
    again = command("again", *more, "--init", made, spec="{}")
    assert "student itself" in refused(again, capsys)
    engine = Engine.open(made, "cpu", "float32")
    labels = read_labels(photos / "labels" / "00.png", engine.info.palette).labels
    layout = Layout(labels, engine.info.palette)
    *_, last = engine.sample(SampleRequest(layout, steps=2))
    assert last.image.shape == (32, 32, 3)


def test_a_resumed_distillation_is_the_run_bit_for_bit(command, photos, tmp_path, capsys):
    """With the walks that it began with, which are not made again; other walks are refused."""
    assert train.main(command("teacher", "--steps", "1")) == 0
    teacher = str(tmp_path / "teacher" / "weights.safetensors")

    def distil(out, *more, walks="16"):
        stage = ("--stage", "distillation", "--init", teacher, "--walks", walks)
        more += ("--lr-schedule", "constant")
        return command(out, *stage, *more, spec="{}")

    assert train.main(distil("whole", "--steps", "4")) == 0
    assert train.main(distil("parts", "--steps", "2")) == 0
    made = tmp_path / "parts" / "walks" / "00000.safetensors"
    when = made.stat().st_mtime_ns
    assert "walks" in refused(distil("parts", "--steps", "4", "--resume", walks="8"), capsys)
    assert train.main(distil("parts", "--steps", "4", "--resume")) == 0
    assert made.stat().st_mtime_ns == when
    left, right = (weights(tmp_path / name) for name in ("whole", "parts"))
    assert all(torch.equal(left[key], right[key]) for key in left)


def test_ctrl_c_stops_cleanly_and_can_be_resumed(command, tmp_path):
    """The signal ends the run after the step, saved; status 130; --resume goes on."""
    arguments = command("run", "--steps", "100000", "--log-every", "1")
    process = subprocess.Popen([sys.executable, "-m", "core.train", *arguments], cwd=ROOT)
    log = tmp_path / "run" / "log.csv"
    while process.poll() is None and not (log.is_file() and len(log.read_text().splitlines()) > 2):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    step = Checkpoint.open(tmp_path / "run" / "weights.safetensors").training["step"]
    assert step >= 2
    assert train.main(command("run", "--steps", str(step + 1), "--resume")) == 0


def test_a_killed_run_goes_on_from_its_last_checkpoint(command, tmp_path):
    """Killed in the middle of anything, also of saving, and resumed: the uninterrupted run."""
    arguments = command("killed", "--steps", "100000", "--save-every", "1", "--log-every", "1")
    process = subprocess.Popen([sys.executable, "-m", "core.train", *arguments], cwd=ROOT)
    log = tmp_path / "killed" / "log.csv"
    while process.poll() is None and not (log.is_file() and len(log.read_text().splitlines()) > 3):
        time.sleep(0.01)
    process.kill()
    process.wait()
    with safe_open(tmp_path / "killed" / "state.safetensors", "pt") as file:
        steps = json.loads(file.metadata()["run"])["step"] + 2
    assert steps > 3
    assert train.main(command("killed", "--steps", str(steps), "--resume")) == 0
    assert train.main(command("whole", "--steps", str(steps))) == 0
    whole, killed = (load_file(tmp_path / n / "state.safetensors") for n in ("whole", "killed"))
    assert all(torch.equal(whole[key], killed[key]) for key in whole)


@pytest.mark.parametrize(
    "more", [[], ["--shard", "--accumulate", "2", "--checkpointing"]], ids=["copies", "shares"]
)
def test_two_processes_do_what_one_does(command, tmp_path, more):
    """Under torchrun, whole or in shares; and one process goes on with what two have begun.

    With a small learning rate: Adam makes much of a gradient that is next to nothing.
    """
    slow = ["--lr", "1e-5", "--label-dropout", "0.3"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"}
    arguments = command("two", "--steps", "3", *slow, *more)
    done = subprocess.run(
        [*torchrun, "--master-port", str(free_port()), "-m", "core.train", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert train.main(command("two", "--steps", "4", "--resume", *slow)) == 0
    assert train.main(command("one", "--steps", "4", *slow)) == 0
    one, two = (load_file(tmp_path / name / "state.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    for key in one:
        torch.testing.assert_close(two[key], one[key], atol=1e-5, rtol=0)
    assert weights(tmp_path / "two").keys() == weights(tmp_path / "one").keys()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_what_cannot_be_shared_is_refused(command, capsys):
    """A network is divided among processes, and a U-Net alone can be."""
    assert "torchrun" in refused(command("one", "--shard"), capsys)
    more = ("--stage", "autoencoder", "--shard")
    assert "whole U-Net" in refused(command("ae", *more, spec=SMALL_AUTOENCODER), capsys)


# -- bad input ------------------------------------------------------------------------------------


def refused(arguments, capsys) -> str:
    """The sentence that the command ends with."""
    assert train.main(arguments) == 2
    return capsys.readouterr().err


def test_a_bad_pair_is_refused_or_skipped_as_asked(command, photos, capsys):
    """Refused by default, with its name; with --bad-pairs skip the run goes on and counts it."""
    (photos / "labels" / "03.png").write_bytes(b"no picture")
    said = refused(command("run", "--steps", "1"), capsys)
    assert "03.png" in said and "--bad-pairs skip" in said
    assert train.main(command("run", "--steps", "1", "--bad-pairs", "skip")) == 0
    assert "1 bad pairs skipped, 5 left" in capsys.readouterr().err


def test_a_folder_with_a_run_is_not_overwritten(command, tmp_path, capsys):
    """Starting again in the same folder is refused and loses nothing."""
    train.main(command("run", "--steps", "1"))
    before = weights(tmp_path / "run")
    assert "--resume" in refused(command("run", "--steps", "9"), capsys)
    assert all(torch.equal(before[k], v) for k, v in weights(tmp_path / "run").items())


def test_a_checkpoint_of_another_shape_is_refused(command, tmp_path, capsys):
    """Resuming with another network says what differs; the checkpoint is intact."""
    train.main(command("run", "--steps", "1"))
    before = (tmp_path / "run" / "state.safetensors").read_bytes()
    other = UNET.replace("16", "32", 1)
    assert "spec" in refused(command("run", "--steps", "2", "--resume", spec=other), capsys)
    assert (tmp_path / "run" / "state.safetensors").read_bytes() == before


def test_a_full_disk_leaves_the_last_checkpoint(command, tmp_path, capsys, monkeypatch):
    """When writing fails the run ends with a sentence and the last complete state still resumes."""
    train.main(command("run", "--steps", "2"))
    before = (tmp_path / "run" / "state.safetensors").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("core.training.save_file", full)
        said = refused(command("run", "--steps", "4", "--resume"), capsys)
    assert "disk is full" in said and "intact" in said
    assert (tmp_path / "run" / "state.safetensors").read_bytes() == before
    assert train.main(command("run", "--steps", "4", "--resume")) == 0


def test_an_out_that_cannot_be_a_folder_is_refused(command, tmp_path, capsys):
    """A file in the way is named."""
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refused(command("file/run", "--steps", "1"), capsys)


@pytest.mark.parametrize(
    "more, says",
    [
        (["--data", "nowhere"], "nowhere"),
        (["--palette", "klingon"], "klingon"),
        (["--resume"], "nothing to resume"),
        (["--autoencoder", "none.safetensors"], "none.safetensors"),
        (["--init", "none.safetensors"], "none.safetensors"),
        (["--size", "17"], "multiples of 2"),
        (["--spec", '{"wings": 2}'], "wings"),
        (["--stage", "autoencoder", "--spec", '{"layout_labels": 99}'], "reads 99 label channels"),
    ],
)
def test_every_bad_argument_has_its_sentence(command, capsys, more, says):
    """The value is named, the status is 2."""
    assert says in refused(command("run", "--steps", "1", *more), capsys)
