"""The notebook is the script, executed: the same cells, with their pictures, and what they print
is what the script shows behind `#->`."""

import re

import nbformat

import make_notebook as tool

# A cell of Part 5 learns for 750 steps. Here ten are enough to see that it runs.
LONG = "train(start, all_pictures, 0.1, 750)"
SHORT = "train(start, all_pictures, 0.1, 10)"
STORED = nbformat.read(tool.NOTEBOOK, as_version=4)


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


def test_the_stored_cells_are_those_of_the_script_and_executed():
    """If this fails: python tests/make_notebook.py"""
    fresh = tool.from_script()
    cells = [(cell.cell_type, cell.source) for cell in STORED.cells]
    assert cells == [(cell.cell_type, cell.source) for cell in fresh.cells]
    code = [cell for cell in STORED.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        promised = re.findall(r"^#-> ?(.*)$", cell.source, re.M)
        printed = [output.text for output in cell.outputs if "text" in output]
        assert not promised or "".join(printed).splitlines() == promised
    assert tool.NOTEBOOK.stat().st_size < 1_500_000
    assert str(tool.FOLDER) not in tool.NOTEBOOK.read_text(encoding="utf-8")


def test_every_cell_runs_today_and_pictures_stand_where_the_text_speaks_of_them():
    """The 2, the loss, the curves, the predictions, the stencils, one of them alone."""
    assert parts_of_pictures(STORED) == ["1", "5", "6", "6", "6", "6"]
    executed = tool.from_script()
    for cell in executed.cells:
        cell.source = cell.source.replace(LONG, SHORT)
    tool.execute(executed, tool.NOTEBOOK.parent)
    assert parts_of_pictures(executed) == parts_of_pictures(STORED)
