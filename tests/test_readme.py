"""What the README shows: the options, the output, and the same network in PyTorch."""

import re
from pathlib import Path

import numpy as np
import pytest

import Neural_Network_from_Scratch as nn

README = (Path(nn.__file__).parent / "README.md").read_text(encoding="utf-8")


def test_every_option_stands_in_the_table(capsys):
    with pytest.raises(SystemExit):
        nn.parse_options(["--help"])
    offered = set(re.findall(r"(--[a-z-]+)", capsys.readouterr().out)) - {"--help"}
    assert set(re.findall(r"^\| `(--[a-z-]+)", README, re.M)) >= offered


def test_commands_of_the_table_of_limits_are_accepted():
    commands = re.findall(r"^\| [^|]+ \| `(--[^`]+)` \|", README, re.M)
    assert len(commands) > 5
    for command in commands:
        nn.parse_options(command.split())


def test_pytorch_agrees(monkeypatch, capsys):
    """Runs the README's own lines. Skipped without PyTorch, which the tests do not install."""
    pytest.importorskip("torch")
    (code,) = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)
    assert len(code.splitlines()) < 25
    monkeypatch.chdir(Path(nn.__file__).parent)
    theirs = {}
    exec(code.replace("range(750)", "range(1)"), theirs)
    rng = np.random.default_rng(nn.SEED)
    (pixels, labels), _ = nn.split(*nn.load_digits(nn.default_data()), nn.TEST_SIZE, rng)
    loss, _, gradients = nn.gradient(nn.initialize(rng), nn.to_columns(pixels), labels)
    assert theirs["loss"].item() == pytest.approx(loss, rel=1e-5)
    for ours, parameter in zip(gradients, theirs["model"].parameters()):
        difference = np.abs(parameter.grad.numpy() - ours.reshape(parameter.shape))
        assert difference.max() < 1e-5 * np.abs(ours).max()
