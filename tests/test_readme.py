"""What the README shows: options, commands, the algorithm on one screen, recipes, PyTorch."""

import re
import shlex
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import Neural_Network_from_Scratch as nn

FOLDER = Path(nn.__file__).parent
README = (FOLDER / "README.md").read_text(encoding="utf-8")


def code_with(words):
    """The README's one Python block that contains these words."""
    (code,) = (
        block
        for block in re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)
        if words in block
    )
    return code


def plain(digits):
    """Where the default run starts: parameters, X and labels to learn from, and the test's."""
    rng = np.random.default_rng(nn.SEED)
    (pixels, y), (pixels_test, y_test) = nn.split(*digits, nn.TEST_SIZE, rng)
    return nn.initialize(rng), nn.to_columns(pixels), y, nn.to_columns(pixels_test), y_test


def test_every_option_stands_in_the_table_with_its_default(capsys):
    assert nn.main(["--help"]) == 0
    offered = set(re.findall(r"(--[a-z-]+)", capsys.readouterr().out)) - {"--help"}
    table = dict(re.findall(r"^\| `(--[a-z-]+)[^|]*\|([^|]*)\|", README, re.M))
    assert set(table) == offered
    options = vars(nn.parse_options([]))
    for name in ("--iterations", "--learning-rate", "--hidden", "--seed", "--init", "--figures"):
        assert table[name].strip(" `") == str(options[name[2:].replace("-", "_")])


def test_commands_are_accepted():
    commands = re.findall(r"^python Neural_Network_from_Scratch.py(.*)$", README, re.M)
    commands += re.findall(r"^\| [^|]+ \| `(--[^`]+)` \|", README, re.M)
    assert len(commands) > 8
    for command in commands:
        nn.parse_options(shlex.split(command))


def test_the_algorithm_on_one_screen_is_the_programs(digits, monkeypatch, capsys):
    code = code_with("for step in range(750)")
    assert len(code.splitlines()) <= 40
    monkeypatch.chdir(FOLDER)
    theirs = {}
    exec(code.replace("range(750)", "range(20)"), theirs)
    start, X, y, X_test, y_test = plain(digits)
    steps = nn.train(start, lambda parameters: nn.gradient(parameters, X, y), 0.1)
    ours = next(islice(steps, 20, None))[0]
    for name, expected in ours._asdict().items():
        assert np.abs(theirs[name] - expected).max() < 1e-5, name
    printed = float(capsys.readouterr().out)
    assert printed == pytest.approx(nn.accuracy(nn.forward(ours, X_test).A2, y_test), abs=0.002)


def test_read_a_picture_from_python(monkeypatch, tmp_path, capsys, digits):
    monkeypatch.chdir(tmp_path)
    picture = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(picture).line([(100, 40), (100, 160)], 0, 12)
    picture.save("photo.jpg")
    np.savez("well.npz", **nn.initialize(np.random.default_rng(0))._asdict())
    network = {}
    exec(code_with('nn.read_picture("photo.jpg")'), network)
    assert network["pixels"].shape == (784,)
    answer, probability = capsys.readouterr().out.split()
    A2 = nn.forward(network["network"], nn.to_columns(network["pixels"][None])).A2
    assert int(answer) == A2.argmax() and float(probability) == pytest.approx(A2.max(), rel=1e-6)


def test_pytorch_agrees(digits, monkeypatch, capsys):
    """Runs the README's own lines. Skipped without PyTorch, which the tests do not install."""
    pytest.importorskip("torch")
    code = code_with("import torch")
    assert len(code.splitlines()) < 25
    monkeypatch.chdir(FOLDER)
    theirs = {}
    exec(code.replace("range(750)", "range(1)"), theirs)
    start, X, y, *_ = plain(digits)
    loss, _, gradients = nn.gradient(start, X, y)
    assert theirs["loss"].item() == pytest.approx(loss, rel=1e-5)
    for ours, parameter in zip(gradients, theirs["model"].parameters()):
        difference = np.abs(parameter.grad.numpy() - ours.reshape(parameter.shape))
        assert difference.max() < 1e-5 * np.abs(ours).max()
