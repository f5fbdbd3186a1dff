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


@pytest.fixture(scope="module")
def executed():
    """The notebook that the script is now, run in the folder of the one that is stored."""
    fresh = tool.from_script()
    for cell in fresh.cells:
        cell.source = cell.source.replace(LONG, SHORT)
    tool.execute(fresh, tool.NOTEBOOK.parent)
    return fresh


def printed(cell):
    """The lines that a cell printed."""
    texts = [output.text for output in cell.outputs if output.output_type == "stream"]
    return "".join(texts).splitlines()


def promised(cell):
    """The lines behind #-> in a cell."""
    return re.findall(r"^#-> ?(.*)$", cell.source, re.M)


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


def test_cells_are_those_of_the_script(stored):
    """If this fails: python tests/make_notebook.py"""
    fresh = tool.from_script()
    assert [cell.source for cell in stored.cells] == [cell.source for cell in fresh.cells]
    assert [cell.cell_type for cell in stored.cells] == [
        cell.cell_type for cell in fresh.cells
    ]
    assert any(LONG in cell.source for cell in fresh.cells)


def test_every_cell_is_executed_and_the_file_is_small(stored):
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert tool.NOTEBOOK.stat().st_size < 1_500_000
    assert str(tool.FOLDER) not in tool.NOTEBOOK.read_text(encoding="utf-8")


def test_pictures_stand_where_the_text_speaks_of_them(stored):
    """The 2, the loss, the curves, the predictions, the stencils, one of them alone."""
    assert parts_of_pictures(stored) == ["1", "5", "6", "6", "6", "6"]


def test_cells_print_what_the_script_shows(stored):
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    shown = [promised(cell) for cell in code if promised(cell)]
    assert [printed(cell) for cell in code if promised(cell)] == shown
    assert len(shown) >= 4


def test_every_cell_runs_today(executed, stored):
    """An error in a cell would end the run; and each shows as many pictures as are stored."""
    assert parts_of_pictures(executed) == parts_of_pictures(stored)
    for cell in executed.cells:
        if cell.source.startswith("# Try it"):
            assert cell.outputs, cell.source
