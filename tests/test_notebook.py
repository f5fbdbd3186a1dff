"""The notebook is the script, executed: the same cells, from top to bottom, on the same data."""

import types
from pathlib import Path

import make_notebook as tool
import nbformat
import pytest

import Neural_Network_from_Scratch as nn


def contents(notebook):
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def output_texts(notebook):
    """What the cells printed or returned, a string for each cell that did."""
    texts = []
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        assert not any(output.output_type == "error" for output in outputs)
        texts.append("".join(o.get("text", "") or o.data["text/plain"] for o in outputs))
    return [text for text in texts if text]


@pytest.fixture(scope="module")
def stored():
    return nbformat.read(tool.NOTEBOOK, as_version=4)


def test_cells_are_those_of_the_script(stored):
    """If this fails: python tests/make_notebook.py"""
    assert contents(stored) == contents(tool.from_script())


def test_a_changed_script_is_noticed(stored, monkeypatch, tmp_path):
    changed = tmp_path / "changed.py"
    changed.write_text(tool.SCRIPT.read_text(encoding="utf-8").replace("A2 - Y", "Y - A2"), "utf-8")
    monkeypatch.setattr(tool, "SCRIPT", changed)
    assert contents(stored) != contents(tool.from_script())


def test_every_cell_is_executed_and_the_file_is_small(stored):
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert tool.NOTEBOOK.stat().st_size < 1_500_000
    assert str(tool.FOLDER) not in tool.NOTEBOOK.read_text(encoding="utf-8")


def test_runs_from_top_to_bottom_and_learns(stored):
    fresh = tool.from_script()
    tool.execute(fresh, tool.NOTEBOOK.parent)
    old, new = output_texts(stored), output_texts(fresh)
    assert len(old) == len(new)
    assert old[0] == new[0]  # shapes and a picture: the same on every machine
    assert float(new[2]) < 1e-6  # the gradient check
    assert float(new[4].split()[-1].rstrip("%")) > 85.8  # the test accuracy at the end
    pictures = [o for cell in fresh.cells for o in cell.get("outputs", []) if "data" in o]
    assert sum("image/png" in output.data for output in pictures) == 3


@pytest.mark.parametrize(
    "place", ["train.csv", "train.csv.gz", "mnist_data/train.csv.gz", "../mnist_data/train.csv"]
)
def test_a_notebook_finds_the_data(monkeypatch, tmp_path, place):
    working = tmp_path / "docs"
    working.mkdir()
    monkeypatch.chdir(working)
    in_notebook = types.FunctionType(nn.default_data.__code__, {"Path": Path})  # without __file__
    with pytest.raises(nn.UserError, match=r"No such file.* Put a CSV file .* beside this file"):
        nn.load_digits(in_notebook())
    if "mnist_data" not in place:  # your own file goes before the one that comes with the project
        (tmp_path / "mnist_data").mkdir()
        (tmp_path / "mnist_data" / "train.csv.gz").touch()
    (working / place).parent.mkdir(exist_ok=True)
    (working / place).touch()
    assert in_notebook().resolve() == (working / place).resolve()
