"""What the README shows: options, commands, the algorithm on one screen, Python, PyTorch."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from conftest import learn, photograph

import Neural_Network_from_Scratch as nn

FOLDER = Path(nn.__file__).parent
README = (FOLDER / "README.md").read_text(encoding="utf-8")
PAGES = [FOLDER / "README.md", *FOLDER.glob("docs/*.md")]


def code_with(words):
    """The README's one Python block that contains these words."""
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)
    (code,) = [block for block in blocks if words in block]
    return code


def test_every_option_stands_in_the_table_with_its_default(capsys):
    with pytest.raises(SystemExit):
        nn.main(["--help"])
    offered = set(re.findall(r"(--[a-z-]+)", capsys.readouterr().out)) - {"--help"}
    table = dict(re.findall(r"^\| `(--[a-z-]+)[^|]*\|([^|]*)\|", README, re.M))
    assert set(table) == offered
    options = vars(nn.parse_options([]))
    for name in ("iterations", "learning_rate", "seed", "figures"):
        assert table["--" + name.replace("_", "-")].strip(" `") == str(options[name])
    assert int(table["--hidden"]) == len(nn.initialize(np.random.default_rng(0)).W1)


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
    *_, (_, ours, _, _) = learn(default.start, X, default.labels, 0.1, 3)
    for name, expected in ours._asdict().items():
        assert np.abs(theirs[name] - expected).max() < 1e-5, name
    right = nn.evaluate(ours, default.X_test, default.labels_test)[1]
    assert float(capsys.readouterr().out) == pytest.approx(right, abs=0.002)


def test_read_a_picture_from_python(default, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    photograph(default.pixels_test[8]).save("photo.jpg")
    nn.save_network(Path("well.npz"), nn.initialize(np.random.default_rng(0)))
    capsys.readouterr()
    names = {}
    exec(code_with('nn.read_picture("photo.jpg")'), names)
    answer, probability = capsys.readouterr().out.split()
    A2 = nn.forward(names["network"], nn.to_columns(names["pixels"][None])).A2
    assert int(answer) == A2.argmax()
    assert float(probability) == pytest.approx(A2.max(), rel=1e-6)


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
        difference = np.abs(parameter.grad.numpy() - ours.reshape(parameter.shape))
        assert difference.max() < 1e-5 * np.abs(ours).max()


def test_it_is_short():
    assert len(README.splitlines()) < 250
    assert (FOLDER / "docs" / "board.gif").stat().st_size < 500_000


def anchors(page):
    """What one can link to: the headings of a page, as GitHub writes them."""
    headings = re.findall(r"^#+ (.*)", page.read_text(encoding="utf-8"), re.M)
    bare = [re.sub(r"[^\w -]", "", heading).lower() for heading in headings]
    return [heading.replace(" ", "-") for heading in bare]


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!http)([^)\s]+)\)", page.read_text(encoding="utf-8"))
    for link in links:
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_picture_is_shown_with_words_for_those_who_cannot_see_it():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    shown = set(re.findall(r"!\[.{20,}\]\((?:docs/)?(\w+\.\w+)\)", text))
    pictures = [*FOLDER.glob("docs/*.png"), *FOLDER.glob("docs/*.gif")]
    assert shown == {picture.name for picture in pictures}
