"""What the README shows: options, commands, the algorithm on one screen, Python, PyTorch."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import Neural_Network_from_Scratch as nn
from conftest import SCRIPT, photograph, train_plainly

FOLDER = SCRIPT.parent
README = (FOLDER / "README.md").read_text(encoding="utf-8")
PAGES = [FOLDER / "README.md", *FOLDER.glob("docs/*.md")]


def code_with(words):
    """The README's one Python block that contains these words."""
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)
    (code,) = [block for block in blocks if words in block]
    return code


def test_every_option_stands_in_the_table_with_its_default():
    table = dict(re.findall(r"^\| `--([a-z-]+)[^|]*\|([^|]*)\|", README, re.M))
    options = vars(nn.parse_options([]))
    assert set(table) == {name.replace("_", "-") for name in options}
    for name in ("iterations", "learning_rate", "seed", "figures"):
        assert table[name.replace("_", "-")].strip(" `") == str(options[name])
    assert int(table["hidden"]) == nn.HIDDEN


def test_commands_are_accepted(tmp_path, monkeypatch):
    commands = re.findall(r"^python Neural_Network_from_Scratch.py(.*)$", README, re.M)
    commands += re.findall(r"^\| [^|]+ \| `(--[^`]+)` \|", README, re.M)
    assert len(commands) > 8
    monkeypatch.chdir(tmp_path)
    for name in ("well.npz", "photo.jpg", "another.png"):
        Path(name).touch()
    for command in commands:
        nn.parse_options(shlex.split(command))


def test_the_algorithm_on_one_screen_is_the_programs(default, monkeypatch, capsys):
    code = code_with("for step in range(750)")
    assert len(code.splitlines()) <= 45
    monkeypatch.chdir(FOLDER)
    theirs = {}
    exec(code.replace("range(750)", "range(3)"), theirs)
    X = nn.to_columns(default.pixels)
    *_, (_, ours, _, _) = train_plainly(default.start, X, default.labels, 0.1, 3)
    for name, expected in ours._asdict().items():
        assert np.abs(theirs[name] - expected).max() < 1e-5, name
    right = nn.evaluate(ours, default.X_test, default.labels_test)[1]
    assert float(capsys.readouterr().out) == pytest.approx(right, abs=0.002)


def test_read_a_picture_from_python(default, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    photograph(default.pixels_test[8]).save("photo.jpg")
    nn.save_network(Path("well.npz"), default.start)
    exec(code_with('nn.read_picture("photo.jpg")'), {})
    answer, probability = capsys.readouterr().out.split()[-2:]
    said = nn.predict(default.start, nn.to_columns(nn.read_picture("photo.jpg")[None]))
    assert int(answer) == said.argmax()
    assert float(probability) == pytest.approx(said.max(), rel=1e-6)


def test_pytorch_agrees(default, monkeypatch):
    """Runs the README's own lines. Skipped without PyTorch, which the tests do not install."""
    pytest.importorskip("torch")
    code = code_with("import torch")
    monkeypatch.chdir(FOLDER)
    theirs = {}
    exec(code.replace("range(750)", "range(1)"), theirs)
    X = nn.to_columns(default.pixels)
    loss, _, gradients = nn.gradient(default.start, X, default.labels)
    assert theirs["loss"].item() == pytest.approx(loss, rel=1e-5)
    for ours, parameter in zip(gradients, theirs["model"].parameters()):
        slopes = parameter.grad.numpy().reshape(ours.shape)
        assert np.allclose(slopes, ours, rtol=0, atol=1e-5 * np.abs(ours).max())


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!http)([^)\s]+)\)", page.read_text(encoding="utf-8"))
    for link in links:
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:  # a heading, as GitHub writes it
            text = target.read_text(encoding="utf-8").lower()
            bare = re.sub(r"[^\w\n# -]", "", text).replace(" ", "-")
            assert re.search(rf"^#+-{anchor}$", bare, re.M), link


def test_the_readme_is_short_and_its_film_small():
    assert len(README.splitlines()) < 250
    assert (FOLDER / "docs" / "board.gif").stat().st_size < 500_000


def test_every_picture_is_shown_with_words_for_those_who_cannot_see_it():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    shown = set(re.findall(r"!\[.{20,}\]\((?:docs/)?(\w+\.\w+)\)", text))
    pictures = [*FOLDER.glob("docs/*.png"), *FOLDER.glob("docs/*.gif")]
    assert shown == {path.name for path in pictures}
