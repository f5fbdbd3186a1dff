"""The program as people run it: options, output, files and manners, and a reader's changes."""

import os
import re
import signal
import subprocess
import sys
from importlib import util
from itertools import repeat
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock, create_autospec

import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import SCRIPT, SOURCE, photograph
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from test_exercises import EXERCISES, FENCED, patched

import Neural_Network_from_Scratch as nn

PROGRESS = re.compile(r"iteration +(\d+)/\d+ +loss (\S+) +train (\S+)% +test (\S+)%")
ANSWER = re.compile(r"test picture (\d+), a (\d), is read as (\d) \((\d+)%\)")
READ = re.compile(r"^ +(.+): read as (\d)", re.M)
FINAL = re.compile(r"final test accuracy: (\S+)% \((\d+) of ([\d,]+)\)")
FIGURES = ["training", "predictions", "neurons"]
NETWORK = nn.initialize(np.random.default_rng(0))


def write_table(path, pixels, labels):
    table = np.column_stack([labels, pixels])
    np.savetxt(path, table, fmt="%d", delimiter=",")
    return path


@pytest.fixture(scope="module")
def few(digits):
    return digits[0][:400], digits[1][:400]


@pytest.fixture(scope="module")
def small(tmp_path_factory, few):
    return write_table(tmp_path_factory.mktemp("small") / "400 Ziffern ä.csv", *few)


@pytest.fixture
def drawings(tmp_path, digits):
    paths = [tmp_path / f"drawing{i}.png" for i in range(3)]
    for path, row in zip(paths, digits[0][[0, 1, 3]]):
        photograph(row).save(path)
    return paths


@pytest.fixture
def program(monkeypatch, capsys, tmp_path, small):
    """Runs `main` in this process, and keeps what it draws, saves as figures, and shows."""

    def run(words, *paths, module=nn, draw=False):
        result = SimpleNamespace(shown=[])
        arguments = ["--data", small, "--figures", tmp_path / "figures"]
        arguments += [*words.split(), *paths]
        with monkeypatch.context() as patch:
            save = create_autospec(Figure.savefig)
            patch.setattr(Figure, "savefig", save)
            patch.setattr(module, "open_windows", result.shown.append)
            result.drawn = {name: Mock(return_value=Figure()) for name in FIGURES}
            if not draw:  # which takes a second
                for name, draws in result.drawn.items():
                    patch.setattr(module, f"plot_{name}", draws)
            try:
                result.status = module.main([str(argument) for argument in arguments])
            except SystemExit as end:  # argparse's own errors
                result.status = end.code
        result.saved = {call.args[1]: call.args[0] for call in save.call_args_list}
        result.output, result.errors = capsys.readouterr()
        return result

    return run


def one_error(result):
    """The one line on standard error, below the usage if it is argparse's own."""
    *usage, line = result.errors.splitlines()
    assert result.status == 2 and "error: " in line
    assert not usage or usage[0].startswith("usage: ")
    return line


def by_hand(few, words="", start=None, test=None, module=nn):
    """What Parts 1 to 5 and 9 come to with these options, plainly: `gradient` on all columns."""
    options = nn.parse_options(words.split())
    rng = np.random.default_rng(options.seed)
    training = few
    if test is None:
        training, test = nn.split(*few, len(few[1]) // 10, rng)
    if start is None:
        draw = module.initialize_he if options.init == "he" else module.initialize
        start = draw(rng, hidden=options.hidden or 10)
    everything = (nn.to_columns(training[0]), training[1])
    batches = repeat(everything)
    if options.batch_size:
        batches = nn.mini_batches(*training, options.batch_size, rng)

    def of_step(parameters):
        return module.gradient(parameters, *next(batches))

    networks = []
    history = []
    steps = module.train(start, of_step, options.learning_rate, options.iterations)
    for step, parameters, loss, fraction in steps:
        networks.append(parameters)
        history.append((step, loss, fraction))
    told = list(history)
    history[-1] = (step, *module.evaluate(parameters, *everything))
    return SimpleNamespace(
        networks=networks, history=history, told=told, test=test, module=module
    )


def agree(network, expected):
    pairs = zip(network, expected)
    return all(P.shape == Q.shape and np.allclose(P, Q, atol=2e-4) for P, Q in pairs)


def assert_alike(points, expected):
    """Of two lists of (step, loss, accuracy); one picture of 40 may be read otherwise."""
    assert len(points) == len(expected)
    assert np.allclose(points, expected, rtol=0, atol=[0, 1e-3, 0.026])


def compare(result, expected):
    """All that a run printed and drew, with what was found by hand."""
    assert (result.status, result.errors) == (0, "")
    networks = expected.networks
    module = expected.module
    history, history_test = result.drawn["training"].call_args.args
    pixels, labels, A2 = result.drawn["predictions"].call_args.args
    before, after, X_test = result.drawn["neurons"].call_args.args
    assert np.array_equal(pixels, expected.test[0])
    assert np.array_equal(labels, expected.test[1])
    assert np.array_equal(X_test, nn.to_columns(pixels))
    np.testing.assert_allclose(A2, module.forward(networks[-1], X_test).A2, atol=1e-3)
    assert agree(before, networks[0]) and agree(after, networks[-1])
    assert_alike(history, expected.history)
    steps = [step for step, _, _ in history_test]
    assert (steps[0], steps[-1]) == (0, len(networks) - 1)
    tested = [module.evaluate(networks[step], X_test, labels) for step in steps]
    assert_alike(history_test, np.column_stack([steps, tested]))
    percents = {step: 100 * fraction for step, _, fraction in history_test}
    for line in PROGRESS.findall(result.output):
        step, loss, train, test = [float(number) for number in line]
        assert test == pytest.approx(percents[step], abs=0.051)
        assert_alike([(step, loss, train / 100)], [expected.told[int(step)]])
    train = re.search(r"final training accuracy: (\S+)%", result.output)[1]
    assert float(train) == pytest.approx(100 * history[-1][2], abs=0.051)
    test, right, count = FINAL.search(result.output).groups()
    assert float(test) == pytest.approx(percents[steps[-1]], abs=0.051)
    assert int(right) == round(percents[steps[-1]] * int(count) / 100)


def test_the_default_run_learns_to_read(default_run, default):
    percent, right, count = FINAL.search(default_run.output).groups()
    assert count == "1,000" and int(right) == pytest.approx(869, abs=4)
    lines = PROGRESS.findall(default_run.output)
    assert 10 < len(lines) < 21
    assert (lines[0][0], lines[-1][0], lines[-1][3]) == ("0", "750", percent)
    assert float(lines[-1][2]) == pytest.approx(87.3, abs=0.3)
    _, fraction = nn.evaluate(default_run.learnt, default.X_test, default.labels_test)
    assert round(1000 * fraction) == int(right)
    answers = [(8, 2, 5, pytest.approx(65, abs=1)), (8, 2, 2, pytest.approx(99, abs=2))]
    for found, expected in zip(ANSWER.findall(default_run.output), answers, strict=True):
        assert tuple(int(number) for number in found) == expected
    for name in FIGURES:
        assert plt.imread(default_run.folder / f"{name}.png").size > 300_000


OPTIONS = """--iterations 20
    --iterations 0
    --iterations 150
    --iterations 20 --batch-size 50
    --iterations 20 --learning-rate 0.3
    --iterations 20 --hidden 20
    --iterations 20 --seed 5
    --iterations 20 --hidden 1 --seed 3
    --iterations 20 --init he"""


@pytest.mark.parametrize("words", OPTIONS.splitlines())
def test_an_option_does_what_the_functions_do(program, few, tmp_path, words):
    """Of 150 steps not each is tested; one neuron is silent on all test pictures, not dead."""
    file = tmp_path / "learnt"  # a name that np.savez by itself would change
    compare(program(f"{words} --save", file), by_hand(few, words))
    learnt = nn.load_network(file)
    assert agree(learnt, by_hand(few, words).networks[-1])
    usual = by_hand(few, "--iterations 20").networks[-1]
    assert agree(learnt, usual) == (words == "--iterations 20")


def test_the_options_for_files(program, few, digits, tmp_path, drawings):
    """--data, --test-data, --load, --save, --figures, --no-show."""
    learn = [part[500:700] for part in digits]
    test = [part[800:850] for part in digits]
    table = write_table(tmp_path / "learn.csv", *learn)
    table_test = write_table(tmp_path / "test.csv", *test)
    result = program("--iterations 20 --data", table, "--test-data", table_test)
    compare(result, by_hand(learn, "--iterations 20", test=test))
    first = tmp_path / "first.npz"
    folder = tmp_path / "new" / "folder"
    result = program("--iterations 10 --figures", folder, "--save", first)
    assert list(result.saved) == [folder / f"{name}.png" for name in FIGURES]
    assert folder.is_dir()
    assert agree(result.shown[0], nn.load_network(first))
    start = by_hand(few, "--iterations 10").networks[-1]
    result = program("--iterations 10 --no-show --load", first)
    compare(result, by_hand(few, "--iterations 10", start))
    assert result.shown == []
    nothing = ("--iterations 0 --data none --load", first)  # nothing to learn from
    assert program(*nothing, "--digit", *drawings).status == 0
    assert "none" in one_error(program(*nothing))


def test_handwriting_is_read(program, tmp_path, monkeypatch, drawings):
    """By what was learnt, all of it; what is no picture, or is empty, does no harm to it."""
    monkeypatch.setattr(Figure, "tight_layout", Mock())  # it takes seconds
    file = tmp_path / "learnt.npz"
    broken = [tmp_path / "broken.png", tmp_path / "empty.png"]
    broken[0].write_text("no picture")
    Image.new("L", (100, 100), 255).save(broken[1])
    pictures = [drawings[0], *broken, *drawings[1:], *7 * drawings]
    result = program("--iterations 60 --save", file, "--digit", *pictures)
    X = nn.to_columns(np.array([nn.read_picture(path) for path in drawings]))
    answers = nn.forward(nn.load_network(file), X).A2.argmax(axis=0)
    expected = [(str(path), str(answer)) for path, answer in zip(drawings, answers)]
    assert READ.findall(result.output) == 8 * expected
    assert len(set(answers)) > 1
    assert result.status == 2
    first, second = result.errors.splitlines()
    assert str(broken[0]) in first and str(broken[1]) in second
    assert re.search("20.*24", result.output)
    *_, figure = result.saved.values()
    assert len(result.saved) == 4 and len(figure.axes) == 4 * 20
    assert len(result.shown) == 1


@pytest.mark.parametrize("words", ["", "--batch-size 50"])
def test_the_same_seed_gives_the_same_bits(program, monkeypatch, tmp_path, words):
    monkeypatch.setattr(nn, "BLOCK", 64)
    file = tmp_path / "learnt.npz"
    runs = []
    for seed in (7, 7, 8):
        result = program(f"--iterations 30 {words} --seed {seed} --save", file)
        without_times = re.sub(r"\S+ s$", "", result.output, flags=re.M)
        runs.append((without_times, file.read_bytes()))
    assert runs[0] == runs[1] != runs[2]


# What a reader changes in Parts 1 to 5 works in the whole program.


def module_of(folder, source):
    path = folder / "changed.py"
    path.write_text(source, encoding="utf-8")
    specification = util.spec_from_file_location("changed", path)
    module = util.module_from_spec(specification)
    specification.loader.exec_module(module)
    module.ONE_CORE = nn.ONE_CORE  # NumPy, loaded before it, is on one core
    return module


def changed(folder, *lines):
    """The script in which lines, pairs of (old, new), are others."""
    source = SOURCE
    for old, new in lines:
        assert source.count(old) == 1
        source = source.replace(old, new)
    return module_of(folder, source)


def test_a_second_hidden_layer(program, few, tmp_path, drawings):
    """With the exercise's solution the rest of the file need not change."""
    (exercise,) = [text for text in EXERCISES if "A second hidden layer" in text]
    blocks = dict(FENCED.findall(exercise))
    deep = module_of(tmp_path, patched(blocks["diff"]))
    file = tmp_path / "deep.npz"
    words = "--init he --batch-size 50 --iterations 5"
    result = program(words, "--save", file, "--digit", *drawings, module=deep, draw=True)
    assert (result.status, result.errors, len(result.saved)) == (0, "", 4)
    learnt = deep.load_network(file)
    assert learnt.WM.shape == (10, 10)
    assert agree(learnt, by_hand(few, words, module=deep).networks[-1])
    again = program("--iterations 5 --load", file, "--digit", *drawings, module=deep)
    compare(again, by_hand(few, "--iterations 5", learnt, module=deep))
    assert len(READ.findall(again.output)) == 3
    board = deep.DrawingBoard(learnt)
    board.page.paste(255, (50, 20, 60, 90))
    board.read(0)
    assert "read as" in board.answer.words.get_text()


SCORES = "    Z1 = W1 @ X"
OTHER_INPUTS = "    X = X - 0.1\n"
CHANGES = [
    [(SCORES, "    Z1 = W1.dot(X)")],
    [(SCORES, "    Z1 = np.matmul(W1, X)")],
    [(SCORES, f"    print(X.max())\n{SCORES}")],
    [("    dW1 = dZ1 @ X.T", "    dW1 = dZ1.dot(X.T)")],
    [(SCORES, OTHER_INPUTS + SCORES), ("    m = X", f"{OTHER_INPUTS}    m = X")],
]


@pytest.mark.parametrize("lines", CHANGES)
def test_a_line_that_a_reader_changes_is_learnt_with(program, few, tmp_path, lines):
    """Also if Part 8 knows nothing of it: in the last, a blank pixel is not 0 any more."""
    module = changed(tmp_path, *lines)
    result = program("--iterations 20", module=module)
    compare(result, by_hand(few, "--iterations 20", module=module))
    assert ("Part 8 does not know" in result.output) == (lines == CHANGES[-1])


def test_a_start_from_zeros_is_not_called_a_wrong_gradient(program, tmp_path):
    zeros = ("return Parameters(W1, b1", "return Parameters(0 * W1, 0 * b1")
    result = program("", module=changed(tmp_path, zeros))
    assert "No check" in result.output
    assert "dead" in one_error(result)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("    dZ2 = A2 - Y", "    dZ2 = Y - A2", "gradient"),
        ("db1 = dZ1.sum(axis=1, keepdims=True)", "db1 = dZ1.sum(axis=1)", "b1.*10,"),
        ("    dW1 = dZ1 @ X.T", "    dW1 = dZ1 @ X", r"line \d+, backward.*784"),
    ],
)
def test_a_wrong_line_is_told_before_learning(program, tmp_path, old, new, told):
    result = program("", module=changed(tmp_path, (old, new)))
    assert re.search(told, one_error(result))
    assert "5. Learning" not in result.output


# What is wrong is one line, with exit status 2.

BAD = """
    --iterations -1, --batch-size 0, --learning-rate nan, --hidden 0, --seed -1, --iter 5,
    --init magic, --data missing, --data folder, --test-data missing, --load missing,
    --load folder, --digit missing, --digit folder, --figures file,
    --figures file/below, --save file/below, --save folder, --load network --hidden 10
"""
FILES = ("--data", "--test-data")  # the message names the file
if sys.platform == "linux":
    BAD += ", --figures /proc, --save /proc/network"  # where nobody can write
    BAD += ", --save pipe"  # which would be replaced


@pytest.mark.parametrize("words", BAD.strip().split(","))
def test_bad_options_are_one_line_before_learning(program, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").write_text("text")
    if sys.platform == "linux":
        os.mkfifo("pipe")
    nn.save_network(Path("network"), NETWORK)
    result = program(words)
    option, value, *_ = words.split()
    line = one_error(result)
    assert (value if option in FILES else option) in line
    assert "5. Learning" not in result.output


def test_in_a_notebook_errors_are_exceptions(tmp_path):
    with pytest.raises(OSError):
        nn.read_digits(tmp_path)
    file = tmp_path / "network"
    with pytest.raises(OSError):
        nn.load_network(file)
    nn.save_network(file, NETWORK)
    damaged = bytearray(file.read_bytes())
    damaged[20_000] ^= 255
    file.write_bytes(damaged)
    with pytest.raises(ValueError):
        nn.load_network(file)
    nn.save_network(file, NETWORK._replace(b1=np.zeros(10)))
    with pytest.raises(ValueError):
        nn.load_network(file)
    assert SOURCE.count("sys.exit(") == 1  # at the end, of what `main` returns


@pytest.mark.parametrize(("learning_rate", "told"), [("10", "dead"), ("1e30", "nan|inf")])
def test_learning_that_breaks_down_is_one_line(program, tmp_path, learning_rate, told):
    file = tmp_path / "learnt.npz"
    result = program(f"--learning-rate {learning_rate} --save", file)
    line = one_error(result)
    assert re.search(rf"step [1-9].*({told}).*--learning-rate", line)
    assert not file.exists() and not result.saved


def test_a_network_is_saved_whole_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "kept.npz"
    file.write_text("old")

    def fail(place, **arrays):
        place.write(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="full"):
        nn.save_network(file, NETWORK)
    assert file.read_text() == "old"


# Ctrl-C, pipes, screens.


@pytest.mark.parametrize("words", ["", "--batch-size 50"])
def test_ctrl_c_keeps_what_was_learnt(program, monkeypatch, few, tmp_path, words):
    train = nn.train

    def interrupted(*arguments):
        for values in train(*arguments):
            if values[0] == 31:
                raise KeyboardInterrupt
            yield values

    monkeypatch.setattr(nn, "train", interrupted)
    file = tmp_path / "learnt.npz"
    result = program(f"--iterations 10000 {words} --save", file)
    expected = by_hand(few, f"--iterations 30 {words}")
    compare(result, expected)
    assert re.search(r"stopped.*\b30\b", result.output)
    assert agree(nn.load_network(file), expected.networks[-1])


def without_screen(*words):
    """The program as a process."""
    environment = os.environ | {"MPLBACKEND": "TkAgg"}
    environment.pop("DISPLAY", None)
    environment.pop("WAYLAND_DISPLAY", None)
    command = [sys.executable, SCRIPT, *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    return subprocess.Popen(command, **pipes, env=environment)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is a screen")
def test_no_screen_is_no_error_nor_a_real_ctrl_c(small, tmp_path):
    """And in a pipe, lines come at once."""
    words = ("--iterations", "30000", "--data", small, "--figures", tmp_path)
    process = without_screen(*words)
    for line in process.stdout:
        if PROGRESS.search(line):
            break
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert "stopped" in output and FINAL.search(output)
    assert "board" in output.splitlines()[-1]  # why none opens
    assert (tmp_path / "training.png").exists()


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX")
def test_a_reader_who_has_enough_is_no_error(small, tmp_path):
    """As in `python Neural_Network_from_Scratch.py | head -1`."""
    process = without_screen("--no-show", "--data", small, "--figures", tmp_path)
    assert process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    assert (process.wait(), errors) == (1, "")


def test_with_a_screen_the_board_opens_beside_the_figures(monkeypatch):
    shown = []
    window = Mock()
    monkeypatch.setattr(FigureCanvasAgg, "required_interactive_framework", "tk")
    monkeypatch.setattr(FigureManagerBase, "window", window, raising=False)
    monkeypatch.setattr(plt, "show", lambda block: shown.extend(plt.get_fignums()))
    nn.open_windows(NETWORK)
    assert len(shown) == 1  # and no empty figure beside it
    assert window.attributes.called
