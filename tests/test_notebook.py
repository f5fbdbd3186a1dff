"""The notebook is the script, executed: the same cells, from top to bottom, on the same data, and
they print what the script shows behind `#->`."""

import re

import make_notebook as tool
import nbformat
import pytest

NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?")


def contents(notebook):
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def printed(cell):
    """The lines that a cell printed or returned."""
    outputs = cell.get("outputs", [])
    assert not any(output.output_type == "error" for output in outputs)
    texts = (o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs)
    # A stream may come in several pieces, each with a line end of its own.
    return [line for line in "\n".join(texts).splitlines() if line.strip()]


def same(promised, line):
    """Whether two lines have the same words, and numbers with as many decimals that agree within
    1 %; below 1e-6 all is rounding, which differs by machine: there, within a factor of 5."""
    if NUMBER.split(promised.strip()) != NUMBER.split(line.strip()):
        return False
    for a, b in zip(NUMBER.findall(promised), NUMBER.findall(line)):
        if len(a.partition(".")[2]) != len(b.partition(".")[2]):
            return False
        x, y = (float(text.replace(",", "")) for text in (a, b))
        if not (1 / 5 < x / y < 5 if 0 < max(x, y) < 1e-6 else abs(x - y) <= 0.01 * abs(y)):
            return False
    return True


def promises(cell):
    """The lines behind #-> in a cell."""
    return re.findall(r"^#-> ?(.*)$", cell.source, re.M)


@pytest.fixture(scope="module")
def stored():
    return nbformat.read(tool.NOTEBOOK, as_version=4)


@pytest.fixture(scope="module")
def executed():
    """The notebook that the script is now, run in the folder of the one that is stored."""
    fresh = tool.from_script()
    tool.execute(fresh, tool.NOTEBOOK.parent)
    return fresh


def test_cells_are_those_of_the_script(stored):
    """If this fails: python tests/make_notebook.py"""
    assert contents(stored) == contents(tool.from_script())


def test_every_cell_is_executed_and_the_file_is_small(stored):
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert tool.NOTEBOOK.stat().st_size < 1_500_000
    assert str(tool.FOLDER) not in tool.NOTEBOOK.read_text(encoding="utf-8")


def test_cells_print_what_the_script_shows(executed):
    count = 0
    for cell in executed.cells:
        if cell.cell_type != "code":
            continue
        lines = printed(cell)
        if promises(cell):
            assert len(lines) >= len(promises(cell)), cell.source
        for promised, line in zip(promises(cell), lines):
            assert same(promised, line), f"shown: {promised}\nprinted: {line}"
            count += 1
    assert count == len(re.findall(r"^# #->", tool.SCRIPT.read_text(encoding="utf-8"), re.M))
    assert count >= 6


def test_every_cell_to_try_says_something(executed):
    tries = [cell for cell in executed.cells if cell.source.startswith("# Try it")]
    assert len(tries) >= 4
    for cell in tries:
        assert cell.outputs, cell.source


def test_the_stored_outputs_are_those_of_today(stored, executed):
    """If this fails: python tests/make_notebook.py"""
    seconds = re.compile(r"[0-9.]+ (s|seconds)\b")
    for old, new in zip(stored.cells, executed.cells):
        if new.cell_type == "code":
            before, after = printed(old), printed(new)
            assert len(before) == len(after), new.source
            for a, b in zip(before, after):
                assert same(seconds.sub("s", a), seconds.sub("s", b)), new.source
            kinds = [[sorted(o.get("data", {})) for o in cell.outputs] for cell in (old, new)]
            assert kinds[0] == kinds[1]
