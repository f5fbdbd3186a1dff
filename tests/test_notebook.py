"""The notebook is the script, executed: the same cells, with their pictures, and what they print
is what the script shows behind `#->`."""

import re

import make_notebook as tool
import nbformat
import pytest

# A cell of Part 5 learns for 750 steps. Here ten are enough to see that it runs.
LONG = "train(start, all_pictures, 0.1, 750)"
SHORT = "train(start, all_pictures, 0.1, 10)"


@pytest.fixture(scope="module")
def stored():
    return nbformat.read(tool.NOTEBOOK, as_version=4)


def code_of(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def parts_of_pictures(notebook):
    """For each picture, the number of the Part in which it stands."""
    part = "0"
    found = []
    for cell in notebook.cells:
        heading = re.search(r"^## Part (\d+)", cell.source, re.M)
        if heading:
            part = heading[1]
        for output in cell.get("outputs", []):
            found += [part] * ("image/png" in output.get("data", {}))
    return found


def test_the_stored_cells_are_those_of_the_script_and_executed(stored):
    """If this fails: python tests/make_notebook.py"""
    fresh = tool.from_script()
    cells = [(cell.cell_type, cell.source) for cell in stored.cells]
    assert cells == [(cell.cell_type, cell.source) for cell in fresh.cells]
    code = code_of(stored)
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert tool.NOTEBOOK.stat().st_size < 1_500_000
    assert str(tool.FOLDER) not in tool.NOTEBOOK.read_text(encoding="utf-8")


def test_pictures_stand_where_the_text_speaks_of_them(stored):
    """The 2, the loss, the curves, the predictions, the stencils, one of them alone."""
    assert parts_of_pictures(stored) == ["1", "5", "6", "6", "6", "6"]


def test_cells_print_what_the_script_shows(stored):
    promises = 0
    for cell in code_of(stored):
        promised = re.findall(r"^#-> ?(.*)$", cell.source, re.M)
        texts = [output.text for output in cell.outputs if "text" in output]
        assert promised == [] or "".join(texts).splitlines() == promised
        promises += len(promised)
    assert promises > 6


def test_every_cell_runs_today(stored):
    """An error in a cell would end the run; and each shows as many pictures as are stored."""
    executed = tool.from_script()
    for cell in executed.cells:
        cell.source = cell.source.replace(LONG, SHORT)
    tool.execute(executed, tool.NOTEBOOK.parent)
    assert parts_of_pictures(executed) == parts_of_pictures(stored)
