"""The benchmarks measure what they say, and their figures survive being saved and compared."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from PIL import Image

from core.bench.__main__ import main
from core.bench.children import peak_of
from core.bench.curves import BRUSHES, Curve, Timer, brush_curve
from core.bench.figures import Bar, BenchError, Figure, Run, comparison, figure_table, read
from core.bench.released import regions, step_figures
from core.bench.timing import Times, alternately, ratio
from core.bench.training import training_figures
from core.bench.yardstick import Yardstick
from core.model.spec import ModelSpec
from tests.conftest import TINY

SPEC = ModelSpec(**TINY)


@pytest.fixture(scope="module")
def yardstick():
    return Yardstick()


def test_ways_take_turns():
    """One of each in every round after the warm-up, so that what disturbs one disturbs all."""
    calls = []
    times = alternately({n: lambda n=n: calls.append(n) for n in "ab"}, rounds=2)
    assert calls == ["a", "b"] * 3
    assert all(len(t.wall) == len(t.processor) == 2 for t in times.values())


def test_a_dear_way_takes_part_seldom():
    """Two of six rounds, the first and the fourth."""
    calls = []
    ways = {n: lambda n=n: calls.append(n) for n in "ab"}
    alternately(ways, rounds=6, warmup=0, seldom={"b": 2})
    assert "".join(calls) == "ab" + "aa" + "ab" + "aa"


def test_the_ratio_is_that_of_most_rounds():
    """One disturbed round does not count."""
    assert ratio(Times([4, 4, 9]), Times([2, 2, 1])) == 2


def test_a_step_is_measured_and_compared(yardstick):
    """Ours beside the plain one: the same output in float32, nearly the same in bfloat16."""
    single, half = step_figures(SPEC, 1, yardstick, "wall", ("float32", "bfloat16"))
    assert single.relative < 1e-5 and 1e-5 < half.relative < 3e-2
    assert 0 < single.error < half.error
    assert single.ratio == pytest.approx(single.plain / single.value)


def test_training_is_measured(yardstick):
    """A step of four samples, beside the official one."""
    (figure,) = training_figures(SPEC, 1, yardstick, "processor")
    assert figure.value > 0 and figure.ratio == pytest.approx(figure.plain / figure.value)


def hold(megabytes):
    np.ones(megabytes * 10**6, np.uint8)


def test_the_peak_is_that_of_the_child_alone():
    """Memory that this process has does not count, and what the work freed does."""
    mine = torch.ones(3 * 10**8, dtype=torch.uint8)
    little, more = peak_of(hold, 1), peak_of(hold, 201)
    if little is not None:
        assert 1.9e8 < more - little < 2.2e8 and little < 2.9e8 + mine.nbytes / 2


def test_layouts_are_regions():
    """A few labels in large patches, the same each time."""
    labels = regions(151, (64, 64))
    assert labels.shape == (64, 64) and 3 <= len(np.unique(labels)) <= 12
    assert np.array_equal(labels, regions(151, (64, 64)))
    assert (np.diff(labels.astype(int), axis=1) != 0).mean() < 0.1


# -- saved runs -----------------------------------------------------------------------------------

MACHINE = {"cores": 2, "threads": 2}
FAST = Figure("step", "float32", 2.0, "s", 6.0, 3.0, Bar(2.7), 1e-6, 1e-7)
SLOW = Figure("whole", "picture", 950.0, "ms", bar=Bar(900, "value"))


def test_a_saved_run_comes_back(tmp_path):
    """With its bars and curves."""
    Run(MACHINE, [FAST, SLOW], {"size": {"x": [1]}}).save(tmp_path / "run.json")
    run = read(tmp_path / "run.json")
    assert run.figures == [FAST, SLOW] and run.curves == {"size": {"x": [1]}}


def test_saving_adds_to_the_file(tmp_path):
    """What was measured before stays, but for what was measured again."""
    path = tmp_path / "run.json"
    Run(MACHINE, [FAST, SLOW], {}).save(path)
    again = Figure("step", "float32", 1.0, "s")
    Run(MACHINE, [again], {}).save(path)
    assert read(path).figures == [SLOW, again]


def test_figures_of_another_machine_are_not_mixed(tmp_path):
    """The sentence says what to do."""
    Run(MACHINE, [FAST], {}).save(tmp_path / "run.json")
    with pytest.raises(BenchError, match="another machine.*--compare"):
        Run({"cores": 8}, [FAST], {}).save(tmp_path / "run.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"machine": 1, "figures": [{}], "curves": {}}'])
def test_a_file_that_is_no_run_is_refused(tmp_path, text):
    """By its name."""
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(BenchError, match="x.json is no saved run"):
        read(tmp_path / "x.json")


def test_the_table_says_which_bars_are_met():
    """By the ratio or by the value, as the bar says."""
    first, second = figure_table([FAST, SLOW]).splitlines()[2:]
    assert first.split(" | ")[1:6] == ["2.00 s", "6.00 s", "3.00", "≥ 2.7 ×", "yes"]
    assert second.split(" | ")[1:6] == ["950 ms", "–", "–", "≤ 900 ms", "no"]


def test_runs_stand_beside_each_other():
    """Each figure with its ratio to the first run's; – where a run has none."""
    faster = Figure("step", "float32", 1.0, "s", 6.0, 6.0)
    *_, row, lonely = comparison("ab", [Run({}, [FAST, SLOW], {}), Run({}, [faster], {})]).split(
        "\n"
    )
    assert "2.00 s · 3.00 × plain | 1.00 s · 6.00 × plain · 2.00 × the first" in row
    assert lonely.endswith("950 ms | – |")


def test_the_command_compares(tmp_path, capsys):
    """Files by their names."""
    for name in ("before", "after"):
        Run(MACHINE, [FAST], {}).save(tmp_path / f"{name}.json")
    assert main(["--compare", str(tmp_path / "before.json"), str(tmp_path / "after.json")]) == 0
    assert capsys.readouterr().out.startswith("|  | before | after |")


@pytest.mark.parametrize(
    "arguments, says",
    [(["nonsense"], "no benchmark 'nonsense'"), (["step128", "--reference", "no"], "yardstick")],
)
def test_bad_input_gets_a_sentence(arguments, says, capsys):
    """And status 2."""
    assert main(arguments) == 2
    assert says in capsys.readouterr().err


def test_a_run_is_plain_json(tmp_path):
    """Without the machine's name or a path."""
    from core.bench.machine import machine

    Run(machine(), [], {}).save(tmp_path / "run.json")
    data = json.loads((tmp_path / "run.json").read_text())
    assert set(data["machine"]) - {"gpu"} == {
        "processor", "cores", "threads", "instructions", "system", "python", "torch"
    }  # fmt: skip


# -- curves ---------------------------------------------------------------------------------------

LINES = {"Time: s": {"a": [1, 4, 20], "b": [1, 2, 3]}}
CURVE = Curve("Size", "side", [1, 2, 4], [1, 4, 16], LINES, "?")


def test_a_curve_that_bends_the_wrong_way_is_named():
    """One line grows from 4 to 20 where the work grows from 4 to 16; the other one does not."""
    assert CURVE.slopes() == pytest.approx({"Time, a": 1.161, "Time, b": 0.5}, abs=1e-3)
    assert CURVE.bends() == ["Time, a"]


def test_a_brush_is_measured():
    """Wider brushes take longer, and each point is a time."""
    times = brush_curve(None, Timer(1)).panels["A move: ms"]["move"]
    assert len(times) == len(BRUSHES) and 0 < times[0] < times[-1]


def test_the_page_is_written(tmp_path):
    """Tables, what is missed, and the plots that it shows, from saved runs alone."""
    machine = {"cores": 2, "threads": 2, "processor": "x", "instructions": ["avx2"]}
    machine |= {"torch": "2", "python": "3", "system": "Linux"}
    (tmp_path / "performance").mkdir()
    Run(machine, [FAST, SLOW], {"size": asdict(CURVE)}).save(tmp_path / "performance" / "run.json")
    assert main(["--write", str(tmp_path)]) == 0
    text = (tmp_path / "performance.md").read_text()
    assert "| step: float32 | 2.00 s |" in text and "whole: picture: 95% of the bar" in text
    assert "Grows faster than the work somewhere: Time, a." in text
    with Image.open(tmp_path / "performance" / "size.png") as plot:
        colours = {
            tuple(pixel) for pixel in np.unique(np.reshape(plot.convert("RGB"), (-1, 3)), axis=0)
        }
    assert {(11, 110, 153), (194, 65, 12)} <= colours


def test_nothing_saved_is_said(tmp_path, capsys):
    """With the way out."""
    assert main(["--write", str(tmp_path)]) == 2
    assert "--save them there" in capsys.readouterr().err
