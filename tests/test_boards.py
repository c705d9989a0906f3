"""A training run on TensorBoard and on a stand-in for Weights & Biases, end to end."""

import sys
from types import ModuleType

import numpy as np
import pytest

from core import train
from tests.test_train_command import command  # noqa: F401 - a fixture


class Run:
    def __init__(self, options):
        self.options, self.logged, self.finished = options, [], 0

    def log(self, values, step):
        self.logged.append((step, values))

    def finish(self):
        self.finished += 1


@pytest.fixture
def wandb(monkeypatch):
    """The package's three names that we use; `runs` are those that were begun."""
    module = ModuleType("wandb")
    module.runs = []

    def init(**options):
        module.runs.append(Run(options))
        return module.runs[-1]

    module.init, module.Image = init, lambda image: ("image", image.shape, image.dtype)
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)  # no TensorBoard
    return module


def test_wandb_gets_numbers_and_sheets(command, wandb, tmp_path):  # noqa: F811
    """The run's own name and settings, every row of the log, the sheets, and an end."""
    arguments = command("mine", "--steps", "3", "--log-every", "1", "--sheet-every", "2", "--wandb")
    assert train.main(arguments) == 0
    (run,) = wandb.runs
    assert run.options["project"] == "sdm-studio" and run.options["name"] == "mine"
    assert run.options["config"]["batch"] == 2 and run.finished == 1
    numbers = [(step, values) for step, values in run.logged if "loss" in values]
    assert [step for step, _ in numbers] == [1, 2, 3]
    assert {"lr", "grad_norm", "pictures_per_s"} <= numbers[0][1].keys()
    sheets = [(step, values["samples"]) for step, values in run.logged if "samples" in values]
    assert sheets and sheets[-1][0] == 3
    kind, shape, dtype = sheets[-1][1]
    assert kind == "image" and len(shape) == 3 and dtype == np.uint8


def test_a_resumed_run_goes_on_there(command, wandb, tmp_path):  # noqa: F811
    """Under the same id, in the project that was named."""
    for more in (("--steps", "1"), ("--steps", "2", "--resume")):
        assert train.main(command("mine", *more, "--wandb", "scenes")) == 0
    first, second = wandb.runs
    assert first.options["id"] == second.options["id"]
    assert second.options["resume"] == "allow" and second.options["project"] == "scenes"


def test_a_run_without_wandb_asks_nothing_of_it(command, wandb):  # noqa: F811
    """Installed or not."""
    assert train.main(command("mine", "--steps", "1")) == 0
    assert wandb.runs == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wandb_that_is_missing_or_fails_is_told(command, monkeypatch, capsys):  # noqa: F811
    """Before any photo is read."""
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert train.main(command("one", "--steps", "1", "--wandb")) == 2
    assert "pip install wandb" in capsys.readouterr().err
    broken = ModuleType("wandb")

    def init(**options):
        raise RuntimeError("no key.")

    broken.init = init
    monkeypatch.setitem(sys.modules, "wandb", broken)
    assert train.main(command("two", "--steps", "1", "--wandb")) == 2
    assert "no key. Run `wandb login`" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_has_curves_and_sheets(command, tmp_path):  # noqa: F811
    """Both can be read again; a resumed run writes no step twice."""
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    options = ("--log-every", "1", "--save-every", "2")
    assert train.main(command("mine", "--steps", "2", *options)) == 0
    assert train.main(command("mine", "--steps", "3", *options, "--resume")) == 0
    events = reading.EventAccumulator(str(tmp_path / "mine" / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("loss")] == [1, 2, 3]
    sheets = events.Images("samples")
    assert [sheet.step for sheet in sheets] == [2, 3] and sheets[0].width > 16
