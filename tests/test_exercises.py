"""docs/Exercises.md: every solution is typed into a copy of the script and run, as a reader would.

The page's form is the interface: under a heading `## 3. Title` come, in any order,
- ```diff    lines of the script as it was: - old, + new, blank: where; @@ begins a place;
- ```python  a program, whose first line is a comment with its file name;
- ```console `$ python PROGRAM`, and what it prints.
What stands above the first heading (begin.py, mark.py) is there for all exercises.
"""

import re
import runpy
import sys
from importlib import import_module
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from conftest import SCRIPT, SOURCE

PAGE = (SCRIPT.parent / "docs" / "Exercises.md").read_text(encoding="utf-8")
COMMON, *EXERCISES = re.split(r"^## (?=\d+\. )", PAGE, flags=re.M)
EXERCISES[-1], _ = EXERCISES[-1].split("\n## For a teacher")
FENCED = re.compile(r"^```(diff|python|console)\n(.*?)^```$", re.M | re.S)
NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")  # not that of W1

# Wrong lines, which some exercises ask for, may overflow.
pytestmark = pytest.mark.filterwarnings("ignore")


def bare(line):
    """A line of code without the comment at its end."""
    return re.sub(r"  # .*", "", line).rstrip()


def patched(diff):
    """The script with the lines of the diff replaced; each place must be there exactly once."""
    lines = SOURCE.splitlines()
    for place in re.split(r"^@@.*\n", diff, flags=re.M)[1:]:
        changes = place.splitlines()
        old = [bare(line[1:]) for line in changes if line[0] != "+"]
        new = [line[1:] for line in changes if line[0] != "-"]
        code = [bare(line) for line in lines]
        places = [i for i in range(len(code)) if code[i : i + len(old)] == old]
        assert len(places) == 1, f"{len(places)} places in the script read\n{place}"
        lines[places[0] : places[0] + len(old)] = new
    return "\n".join(lines) + "\n"


def alike(shown, printed, limit):
    """Whether two numbers agree, given as text.

    A number may be off by 3 % of itself and by 1.5 in its last digit: other processors add up in
    another order. Numbers such as 2e-10 consist of rounding: they must be below the limit, or, if
    the page shows one above it, alike to a factor of 2.
    """
    a = float(shown.replace(",", ""))
    b = float(printed.replace(",", ""))
    if "e" in shown:
        return abs(b) < limit if abs(a) < limit else 0.5 <= b / a <= 2
    decimals = len(shown.partition(".")[2])
    return abs(a - b) <= 0.03 * abs(a) + 1.5 * 10**-decimals


def same(shown, printed):
    """Whether a line of a page and a line of output agree: the same words, and numbers alike.

    The limit is that of the gradient check, 1e-6, and 1e-5 where float32 is compared with float32
    ("difference"). Times in seconds, at the end of a line, are not compared.
    """
    lines = [re.sub(r"  \S+ s$", "", line) for line in (shown, printed)]
    words = [re.sub(r"[\s-]+", " ", NUMBER.sub("", line)).strip() for line in lines]
    limit = 1e-5 if "difference" in shown else 1e-6
    shown, printed = [NUMBER.findall(line) for line in lines]
    if words[0] != words[1] or len(shown) != len(printed):
        return False
    return all(alike(a, b, limit) for a, b in zip(shown, printed))


@pytest.fixture
def run(tmp_path, digits, monkeypatch, capsys):
    """Returns what `python PROGRAM ARGUMENTS` prints, in a folder with a copy of the script.

    It runs in this process, with the digits that were read before, to be quick.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)  # all within a second
    Path(SCRIPT.name).write_text(SOURCE, encoding="utf-8")

    def run(command):
        _, program, *arguments = command.split()
        monkeypatch.delitem(sys.modules, SCRIPT.stem)
        script = import_module(SCRIPT.stem)  # as it is now
        monkeypatch.setattr(script, "load_digits", Mock(return_value=digits))
        monkeypatch.setattr(sys, "argv", [program, *arguments])
        capsys.readouterr()
        try:
            with np.errstate():  # what a program sets shall end with it
                runpy.run_path(program, run_name="__main__")
        except SystemExit as end:
            print(end)
        finally:
            # Or the next exercise would begin with this one.
            sys.modules.pop("begin", None)
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("number", range(len(EXERCISES) + 1))
def test_solution(number, run):
    """Of the exercise, or, with the number 0, what stands above the first of them."""
    programs = re.findall(r"^```(python)\n(.*?)^```$", COMMON, re.M | re.S)
    todo = FENCED.findall([COMMON, *EXERCISES][number])
    assert "console" in dict(todo)
    for language, content in programs + todo:
        if language == "diff":
            Path(SCRIPT.name).write_text(patched(content), encoding="utf-8")
        elif language == "python":
            name = re.match(r"# (\w+\.py)\n", content)[1]
            Path(name).write_text(content, encoding="utf-8")
        else:
            for command, shown in re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", content, re.M):
                output = run(command)
                pairs = zip(shown.splitlines(), output.splitlines(), strict=True)
                for line, printed in pairs:
                    assert same(line, printed), f"{line!r} is not {printed!r}"


def test_decimal_numbers_in_the_text_stand_in_code_or_output_too():
    """Those above the first exercise are for all."""
    for text in [COMMON, *EXERCISES]:
        shown = "".join(re.findall(r"^```.*?^```$", COMMON + text, re.M | re.S))
        prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
        decimals = set(re.findall(r"\d+\.\d+", prose))
        assert decimals <= set(re.findall(r"\d+\.\d+", shown)), text[:40]


def test_every_exercise_has_its_parts_and_no_wide_code():
    """Also what GitHub needs to fold a part: a blank line on either side of its content."""
    parts = ["**What to do.**", "**What do you expect?**", "<summary>Solution</summary>"]
    parts += ["**What was seen**", "**How do you know it is right?**"]
    for number, text in enumerate(EXERCISES, 1):
        assert text.startswith(f"{number}. ")
        places = [text.index(part) for part in parts]
        assert places == sorted(places), number
        opened = len(re.findall(r"^<details><summary>.*</summary>\n\n", text, re.M))
        assert opened == text.count("\n\n</details>\n") == text.count("details>") / 2
    for _, content in FENCED.findall(PAGE):
        assert max(map(len, content.splitlines())) <= 90
