"""Plain before short: few tokens in a statement, few riddles, Parts 1 to 5 short.

And importing the script changes nothing in the process but what its first cell explains.
"""

import ast
import io
import subprocess
import sys
import tokenize
from pathlib import Path
from statistics import mean

import pytest

from conftest import SCRIPT, SOURCE

TESTS = sorted(Path(__file__).parent.glob("*.py"))
NO_CODE = ("COMMENT", "NL", "INDENT", "DEDENT", "ENDMARKER")
LOOPS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
PLAIN = (ast.Name, ast.Constant)


def lengths(text):
    """{last line: number of tokens} of each statement. Neither docstrings nor decorators count."""
    found = {}
    tokens = []
    depth = 0  # inside an f-string, which is one token, in every version of Python
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = tokenize.tok_name[token.type]
        if kind == "NEWLINE":
            if tokens != ["STRING"] and tokens[0] != "@":
                found[token.start[0]] = len(tokens)
            tokens = []
        elif kind not in NO_CODE and depth == 0:
            tokens.append("@" if token.string == "@" else kind)
        depth += (kind == "FSTRING_START") - (kind == "FSTRING_END")
    return found


def nested_calls(node):
    """How many calls stand inside one another in an expression."""
    parts = [nested_calls(part) for part in ast.iter_child_nodes(node)]
    return max(parts, default=0) + isinstance(node, ast.Call)


def is_riddle(node):
    """Does a reader stop here, to unfold it?"""
    if isinstance(node, LOOPS):
        return len(node.generators) > 1
    if isinstance(node, ast.IfExp):
        return sum(isinstance(part, ast.IfExp) for part in ast.walk(node)) > 1
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
        values = getattr(node.value, "elts", [])
        return not all(isinstance(value, PLAIN) for value in values)
    if isinstance(node, ast.Assign):
        return len(node.targets) > 1
    if isinstance(node, ast.Call):
        return nested_calls(node) > 3
    return isinstance(node, (ast.NamedExpr, ast.Lambda, ast.Nonlocal))


def test_the_statements_of_the_script_are_short():
    counts = lengths(SOURCE)
    assert [line for line, count in counts.items() if count > 30] == []
    assert mean(counts.values()) <= 11
    for part in SOURCE.split("\n# ## Part "):
        assert mean(lengths(part).values()) <= 12, part[:40]


def test_the_script_has_few_riddles():
    found = {node.lineno for node in ast.walk(ast.parse(SOURCE)) if is_riddle(node)}
    assert len(found) <= 5, sorted(found)


def test_the_algorithm_is_not_long():
    """Parts 1 to 5, with the head: what everybody reads."""
    before, _ = SOURCE.split("# %% [markdown]\n# ## Part 6")
    assert len(before.rstrip().splitlines()) <= 580
    assert len(lengths(before)) < 150  # statements: most of it is prose


@pytest.mark.parametrize("path", TESTS, ids=[path.name for path in TESTS])
def test_tests_are_plain(path):
    assert mean(lengths(path.read_text(encoding="utf-8")).values()) <= 12


BEFORE_AND_AFTER = """
import os, sys, warnings
import matplotlib.pyplot, numpy, pandas, PIL.Image

def state():
    settings = [dict(matplotlib.rcParams), numpy.geterr(), PIL.Image.MAX_IMAGE_PIXELS]
    settings += [os.getcwd(), sys.path]
    return dict(os.environ), list(warnings.filters), repr(settings), set(sys.modules)

one_core = ["OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"]
os.environ.clear()
os.environ["MPLBACKEND"] = "agg"  # no setting of a user is taken away
environ, filters, settings, modules = state()
import Neural_Network_from_Scratch
environ_now, filters_now, settings_now, modules_now = state()
assert environ_now == {**environ, **dict.fromkeys(one_core, "1")}
added = [entry[1].pattern for entry in filters_now if entry not in filters]
assert added == [".* encountered in matmul"]
assert settings_now == settings
packages = {name.split(".")[0] for name in modules_now - modules} - sys.stdlib_module_names
assert packages <= {"Neural_Network_from_Scratch", "matplotlib", "PIL"}, packages
"""


def test_importing_the_script_changes_only_what_its_first_cell_explains():
    command = [sys.executable, "-c", BEFORE_AND_AFTER]
    subprocess.run(command, cwd=SCRIPT.parent, check=True)
