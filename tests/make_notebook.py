"""Make docs/Neural_Network_from_Scratch.ipynb anew from the script, and execute it.

python tests/make_notebook.py          about 20 seconds
"""

from pathlib import Path

import jupytext
import nbclient
import nbformat

FOLDER = Path(__file__).resolve().parents[1]
SCRIPT = FOLDER / "Neural_Network_from_Scratch.py"
NOTEBOOK = FOLDER / "docs" / "Neural_Network_from_Scratch.ipynb"
KERNEL = {"name": "python3", "language": "python", "display_name": "Python 3"}


def from_script():
    """The notebook that the script is, not executed yet."""
    notebook = jupytext.read(SCRIPT)
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"  # the same each time, so that a change shows only what changed
        cell.metadata = {}
    return notebook


def execute(notebook, folder):
    """Run all cells as if the notebook were opened in this folder."""
    where = {"metadata": {"path": str(folder)}}
    how = {"timeout": 300, "record_timing": False}
    nbclient.NotebookClient(notebook, resources=where, **how).execute()


if __name__ == "__main__":
    notebook = from_script()
    execute(notebook, NOTEBOOK.parent)
    # Not the version of Python that it happened to be.
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, NOTEBOOK)
