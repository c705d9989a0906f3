"""What the program must never do: run code out of a file, or go to the network unasked."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core import sample, train
from core.labelmap import write_labels
from tests.test_imports import FILES, imports, is_in

ROOT = Path(__file__).resolve().parent.parent
OURS = {**FILES, "main": ROOT / "main.py"}

NETWORK = (
    *("socket", "socketserver", "ssl", "http", "urllib.request", "ftplib", "smtplib", "xmlrpc"),
    *("asyncio", "poplib", "imaplib", "webbrowser", "requests", "urllib3", "httpx", "aiohttp"),
    *("websockets", "grpc", "huggingface_hub", "torch.hub", "torch.utils.model_zoo"),
    *("PySide6.QtNetwork", "PySide6.QtWebSockets", "PySide6.QtWebEngineCore", "boto3", "paramiko"),
)
# What reaches the network because somebody asked for it by name, and in which file.
ASKED = {"wandb": "core.boards"}

# Calls that could run what a file says. TorchScript is a program by its nature: an evaluation
# network or a CLIP that somebody names on the command line, never a file that the window opens.
CODE = ("eval", "exec", "compile", "__import__", "os.system", "os.popen", "pickle.load")
CODE += ("pickle.loads", "pickle.Unpickler", "marshal.loads", "marshal.load", "shelve.open")
CODE += ("joblib.load", "yaml.load", "dill.load", "dill.loads", "torch.jit.load", "torch.hub.load")
JIT = ("core.features", "core.segmenter_networks", "core.clip")
ASKED_CODE = {("torch.jit.load", module) for module in JIT}


def calls(source: str) -> Iterator[tuple[str, ast.Call]]:
    """Dotted names of all that is called, as they are written."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            try:
                name = ast.unparse(node.func)
            except RecursionError:
                continue
            yield name, node


def keyword(node: ast.Call, name: str) -> object:
    """The constant given as a keyword, or None."""
    found = [k.value for k in node.keywords if k.arg == name]
    return found[0].value if found and isinstance(found[0], ast.Constant) else None


def text(module: str) -> str:
    return OURS[module].read_text(encoding="utf-8")


@pytest.mark.parametrize("module", sorted(OURS))
def test_no_module_imports_the_network(module):
    """Not even late; `urllib.parse` is no network."""
    found = imports(text(module), module)
    assert [name for name in found if any(is_in(name, package) for package in NETWORK)] == []


@pytest.mark.parametrize("module", sorted(OURS))
def test_no_module_runs_what_a_file_says(module):
    """No pickle, no eval; torch and numpy are told to read numbers only."""
    bad = []
    for name, node in calls(text(module)):
        if name in CODE and (name, module) not in ASKED_CODE:
            bad.append(name)
        if name == "torch.load" and keyword(node, "weights_only") is not True:
            bad.append("torch.load without weights_only=True")
        if name in ("np.load", "numpy.load") and keyword(node, "allow_pickle") is not False:
            bad.append("np.load without allow_pickle=False")
        if keyword(node, "shell") is True:
            bad.append(f"{name} with a shell")
    assert bad == []


def test_the_net_catches_what_it_should():
    """Each kind of call and import is seen, also within a function."""
    source = "import torch\ndef f(x):\n  eval(x); torch.load(x); run(x, shell=True)\n"
    names = dict(calls(source))
    assert {"eval", "torch.load", "run"} <= names.keys()
    assert keyword(names["torch.load"], "weights_only") is None
    assert keyword(names["run"], "shell") is True
    assert "urllib.request" in imports("from urllib import request", "core.x")


def test_packages_that_reach_out_are_imported_by_name_where_they_are_asked_for():
    """Only `--wandb` may bring in a package that reports elsewhere."""
    for package, module in ASKED.items():
        users = [name for name in OURS if f'import_module("{package}")' in text(name)]
        assert users == [module]


def test_sampling_uses_no_network(no_network, make_checkpoint, palette, tmp_path):
    """The command, from weights and a label map to a picture."""
    write_labels(tmp_path / "map.png", np.zeros((16, 16), np.uint8), palette)
    words = [tmp_path / "map.png", "--weights", make_checkpoint(), "--steps", 2]
    words += ["--out", tmp_path / "out.png"]
    assert sample.main([str(word) for word in words]) == 0


def test_training_uses_no_network(no_network, photos, palette_file, tmp_path):
    """One step, with everything that a run writes."""
    words = ["--data", photos, "--palette", palette_file, "--out", tmp_path / "run"]
    words += ["--stage", "autoencoder", "--steps", 1, "--batch", 1, "--size", 16, "--threads", 1]
    words += ["--spec", '{"quarter_width":8,"eighth_width":8,"half_width":4,"blocks":1}']
    assert train.main([str(word) for word in words]) == 0


def test_a_new_interpreter_opens_no_connection(tmp_path):
    """Importing all of the program touches no socket."""
    code = (
        "import sys; seen = []\n"
        "sys.addaudithook(lambda e, _: seen.append(e) if e.startswith('socket.') else None)\n"
        f"import importlib\nfor n in {sorted(OURS)}: importlib.import_module(n)\n"
        "print([e for e in seen if e not in ('socket.gethostname', 'socket.__new__')])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr
