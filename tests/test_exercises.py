"""docs/Exercises.md: every solution is typed into a copy of the script and run, as a reader would.

The page's form is the interface: under a heading `## 3. Title` come, in this order,
- ```diff    lines of the script as it was: - old, + new, blank: where; @@ begins a place;
- ```python  a program, whose first line is a comment with its file name;
- ```console `$ python PROGRAM`, and what it prints (`...` stands for lines left out).
Programs above the first heading (begin.py, mark.py) are there for all exercises.
"""

import re
import runpy
import shutil
import sys
from importlib import util
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import Neural_Network_from_Scratch as nn

HOME = Path(nn.__file__).parent
SCRIPT = Path(nn.__file__).name
PAGE = (HOME / "docs" / "Exercises.md").read_text(encoding="utf-8")
COMMON, *REST = re.split(r"^## (\d+)\. ", PAGE, flags=re.M)
EXERCISES = dict(zip(map(int, REST[::2]), REST[1::2]))
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


def blocks(text):
    """The fenced blocks, as pairs (language, content)."""
    return re.findall(r"^```(diff|python|console)\n(.*?)^```$", text, re.M | re.S)


def bare(line):
    """A line of code without the comment at its end."""
    return re.sub(r"  # .*", "", line.rstrip("\n")).rstrip()


def patched(source, diff):
    """The script with the lines of the diff replaced; each place must be there exactly once."""
    lines = source.splitlines()
    for place in re.split(r"^@@.*\n", diff, flags=re.M):
        changes = [(line[:1] or " ", line[1:]) for line in place.splitlines()]
        old = [bare(text) for sign, text in changes if sign in " -"]
        if not old:
            continue
        found = [
            i for i in range(len(lines)) if [bare(line) for line in lines[i : i + len(old)]] == old
        ]
        assert len(found) == 1, f"{len(found)} places in the script read\n" + "\n".join(old)
        i, new = found[0], []
        for sign, text in changes:
            if sign == "+":
                new.append(text)
            else:
                new += [lines[i]] if sign == " " else []
                i += 1
        lines[found[0] : i] = new
    return "\n".join(lines) + "\n"


def same(shown, printed):
    """Whether a line of the page and a line of output agree: the same words, and numbers alike.

    A number may be off by 3 % of itself and by 1.5 in its last digit: other processors add up in
    another order. Numbers of the gradient check (2e-10) must be on the same side of 1e-6, those of
    float32 against float32 ("differs by") of 1e-5; above it, alike to a factor of 2. Times are not
    compared.
    """
    words = [re.sub(r"[\s-]+", " ", NUMBER.sub("#", line)).strip() for line in (shown, printed)]
    if words[0] != words[1]:
        return False
    small = 1e-5 if "differ" in shown else 1e-6
    for one, other in zip(NUMBER.finditer(shown), NUMBER.finditer(printed)):
        if re.match(r" (ms|µs|h|times as)\b", shown[one.end() :]):
            continue
        text = one[0].replace(",", "")
        a, b = float(text), float(other[0].replace(",", ""))
        if "e" in text:
            alike = b < small if a < small else a / 2 <= b <= a * 2
        else:
            decimals = len(text.partition(".")[2])
            alike = abs(a - b) <= 0.03 * abs(a) + 1.5 * 10**-decimals
        if not alike:
            return False
    return True


class Reader:
    """Someone with a copy of the repository, who types what the page says."""

    def __init__(self, folder, digits, monkeypatch, capsys):
        self.folder, self.digits, self.patch, self.capsys = folder, digits, monkeypatch, capsys
        self.source = (HOME / SCRIPT).read_text(encoding="utf-8")
        (folder / SCRIPT).write_text(self.source, encoding="utf-8")
        monkeypatch.chdir(folder)
        monkeypatch.syspath_prepend(folder)
        monkeypatch.setattr("sys.dont_write_bytecode", True)  # programs change within a second
        monkeypatch.setattr(plt, "show", lambda: None)

    def save(self, program):
        name = re.match(r"# (\w+\.py)\n", program)[1]
        (self.folder / name).write_text(program, encoding="utf-8")

    def run(self, command):
        """What `python PROGRAM ARGUMENTS` prints; in this process, with the digits read before."""
        program, *arguments = command.split()[1:]
        for name in ("begin", "mark"):
            sys.modules.pop(name, None)
        name = Path(SCRIPT).stem
        spec = util.spec_from_file_location(name, self.folder / SCRIPT)
        script = util.module_from_spec(spec)
        self.patch.setitem(sys.modules, name, script)
        spec.loader.exec_module(script)
        script.load_digits = lambda path: self.digits
        self.capsys.readouterr()
        if program == SCRIPT:
            script.main(arguments)
        else:
            self.patch.setattr(sys, "argv", [program, *arguments])
            runpy.run_path(str(self.folder / program), run_name="__main__")
        plt.close("all")
        sys.modules.pop("begin", None)
        output = self.capsys.readouterr()
        return output.out + output.err

    def do(self, language, content):
        """Follow a block of the page; for a console, return pairs (what it shows, the output)."""
        if language == "diff":
            (self.folder / SCRIPT).write_text(patched(self.source, content), encoding="utf-8")
        elif language == "python":
            self.save(content)
        else:
            parts = re.split(r"^\$ (.*)\n", content, flags=re.M)[1:]
            return [(shown, self.run(command)) for command, shown in zip(parts[::2], parts[1::2])]
        return []


@pytest.fixture(scope="session")
def copy(tmp_path_factory):
    """A folder with the digits, for the copies of the script."""
    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(HOME / "mnist_data", folder / "mnist_data")
    return folder


@pytest.mark.filterwarnings("ignore")  # wrong lines, which some exercises ask for, may overflow
@pytest.mark.parametrize("number", EXERCISES)
def test_solution(number, copy, digits, monkeypatch, capsys):
    reader = Reader(copy, digits, monkeypatch, capsys)
    for language, content in blocks(COMMON):
        reader.do(language, content)
    compared = 0
    for language, content in blocks(EXERCISES[number]):
        if "import torch" in content:
            pytest.importorskip("torch")  # which the tests do not install
        for shown, output in reader.do(language, content):
            rest = iter(output.splitlines())
            for line in shown.splitlines():
                if line.strip() in ("...", ""):
                    continue
                assert any(same(line, printed) for printed in rest), f"{line!r} not in\n{output}"
                compared += 1
    assert compared > 1


def test_form():
    """What every exercise has; and what GitHub needs to fold it."""
    assert list(EXERCISES) == list(range(1, len(EXERCISES) + 1))
    for number, text in EXERCISES.items():
        for part in (
            "**What to do.**",
            "**What do you expect?**",
            "<summary>Hint</summary>",
            "<summary>Solution",
            "<summary>What was seen",
            "**How do you know it is right?**",
        ):
            assert part in text, (number, part)
        if re.search(r"^<details>", text, re.M):
            assert text.count("<details>") == text.count("</details>") == text.count("<summary>")
            assert text.count("</summary>\n\n") == text.count("\n\n</details>\n")
            assert text.count("</summary>\n\n") == text.count("<summary>")
    assert PAGE.count("\n```") % 2 == 0
    code = [line for _, content in blocks(PAGE) for line in content.splitlines()]
    assert max(map(len, code)) <= 100
