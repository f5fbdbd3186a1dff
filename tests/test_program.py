"""The program as people run it: options, output, files and manners, and a reader's changes."""

import os
import re
import signal
import sys
from itertools import islice, repeat
from pathlib import Path
from subprocess import PIPE, Popen
from types import ModuleType, SimpleNamespace
from unittest.mock import Mock

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

import Neural_Network_from_Scratch as nn
from conftest import SCRIPT, SOURCE, photograph
from test_exercises import EXERCISES, FENCED, patched, same
from test_readme import README

PROGRESS = re.compile(r"iteration +(\d+)/\d+ +loss (\S+) +train (\S+)% +test (\S+)%")
READ = re.compile(r"^ +.+: read as (\d)", re.M)
FIGURES = ["training", "predictions", "neurons", "handwriting"]
NETWORK = nn.initialize(np.random.default_rng(0))


@pytest.fixture(scope="module")
def small(tmp_path_factory, digits):
    """A table of 400 digits: where it is, and what it holds."""
    path = tmp_path_factory.mktemp("small") / "400 Ziffern ä.csv"
    pixels, labels = [part[:400] for part in digits]
    np.savetxt(path, np.column_stack([labels, pixels]), fmt="%d", delimiter=",")
    return SimpleNamespace(path=path, digits=(pixels, labels))


@pytest.fixture
def drawing(tmp_path, digits):
    path = tmp_path / "drawing.png"
    photograph(digits[0][0]).save(path)
    return path


@pytest.fixture
def program(monkeypatch, capsys, tmp_path, small):
    """Runs `main` in this process, with empty figures, and keeps what they were to show."""

    def run(words, *paths, module=nn):
        arguments = ["--data", small.path, "--figures", tmp_path / "figures"]
        arguments += [*words.split(), *paths]
        result = SimpleNamespace(digits=small.digits, shown=[], drawn={})
        with monkeypatch.context() as patch:
            patch.setattr(module, "open_windows", result.shown.append)
            for name in FIGURES:
                result.drawn[name] = Mock(return_value=plt.figure(name, figsize=(1, 1)))
                patch.setattr(module, f"plot_{name}", result.drawn[name])
            try:
                result.status = module.main([str(argument) for argument in arguments])
            except SystemExit as end:  # argparse's own errors
                result.status = end.code
        result.left_open = plt.get_figlabels()
        plt.close("all")
        result.output, result.errors = capsys.readouterr()
        return result

    return run


def one_error(result):
    """The one line on standard error, below the usage if it is argparse's own."""
    *usage, line = result.errors.splitlines()
    assert result.status == 2 and "error: " in line
    assert not usage or usage[0].startswith("usage: ")
    return line


def is_same(network, expected):
    pairs = zip(network, expected)
    return all(P.shape == Q.shape and np.allclose(P, Q, atol=2e-4) for P, Q in pairs)


def assert_alike(points, expected):
    """Of two lists of (step, loss, accuracy); one picture of 40 may be read otherwise."""
    assert np.shape(points) == np.shape(expected)
    assert np.allclose(points, expected, rtol=0, atol=[0, 1e-3, 0.026])


def by_hand(words, digits, test, start, module):
    """The steps of a run with these options, plainly: `gradient` on all columns.

    Returns what `train` yields, the digits that are learnt from, and those of the test.
    """
    options = nn.parse_options(words.split())
    rng = np.random.default_rng(options.seed)
    if test is None:
        digits, test = nn.split(*digits, len(digits[1]) // 10, rng)
    if start is None:
        draw = module.initialize_he if options.init == "he" else module.initialize
        start = draw(rng, hidden=options.hidden or 10)
    batches = repeat((module.to_columns(digits[0]), digits[1]))
    if options.batch_size:
        batches = nn.mini_batches(*digits, options.batch_size, rng)

    def of_step(parameters):
        return module.gradient(parameters, *next(batches))

    steps = module.train(start, of_step, options.learning_rate, options.iterations)
    return list(steps), digits, test


def compare(result, words, test=None, start=None, module=nn):
    """All that a run printed and drew is what is found by hand. Returns what is learnt so."""
    assert (result.status, result.errors) == (0, "")
    steps, digits, test = by_hand(words, result.digits, test, start, module)
    networks = [parameters for _, parameters, _, _ in steps]
    told = np.array([(step, loss, fraction) for step, _, loss, fraction in steps])
    history, history_test = map(np.array, result.drawn["training"].call_args.args)
    pixels, labels, A2 = result.drawn["predictions"].call_args.args
    before, after, X_test = result.drawn["neurons"].call_args.args
    assert np.array_equal(pixels, test[0]) and np.array_equal(labels, test[1])
    assert np.array_equal(X_test, module.to_columns(pixels))
    assert np.allclose(A2, module.forward(networks[-1], X_test).A2, atol=1e-3)
    assert is_same(before, networks[0]) and is_same(after, networks[-1])
    at_the_end = module.evaluate(networks[-1], module.to_columns(digits[0]), digits[1])
    assert_alike(history, [*told[:-1], (len(steps) - 1, *at_the_end)])
    when = history_test[:, 0].astype(int)
    assert (when[0], when[-1]) == (0, len(steps) - 1)
    tested = [module.evaluate(networks[step], X_test, labels) for step in when]
    assert_alike(history_test, np.column_stack([when, tested]))
    printed = np.array(PROGRESS.findall(result.output), float) / [1, 1, 100, 100]
    shown = printed[:, 0].astype(int)
    assert_alike(printed[:, :3], told[shown])
    fractions = history_test[np.isin(when, shown), 2]
    assert printed[:, 3] == pytest.approx(fractions, abs=0.00051)
    fraction = history_test[-1][2]
    right = round(fraction * len(labels))
    assert f"final training accuracy: {history[-1][2]:.1%}\n" in result.output
    final = f"final test accuracy: {fraction:.1%} ({right} of {len(labels)})\n"
    assert final in result.output
    fires = module.forward(networks[-1], X_test).A1.any(axis=1)
    silent = re.findall(r"(\d+) of \d+ hidden neurons never fire", result.output)
    assert sum(map(int, silent)) == np.sum(~fires)
    return networks[-1]


def test_the_default_run_is_the_one_that_the_readme_shows(default_run):
    """But for the times, and the folder of the figures."""
    (shown,) = re.findall(r"^```\n(1\. The data\n.*?)^   saved", README, re.M | re.S)
    printed = default_run.output.splitlines()
    for line in shown.replace("   ...\n", "").splitlines():
        assert any(same(line, other) for other in printed), line
    assert "after learning, test picture 8, a 2, is read as 2 " in default_run.output
    right = re.search(r"final test accuracy: .*\((\d+) of 1,000", default_run.output)[1]
    assert int(right) == pytest.approx(869, abs=4)
    assert 10 < len(PROGRESS.findall(default_run.output)) < 21
    for name in FIGURES[:3]:
        path = default_run.folder / f"{name}.png"
        assert f"   saved {path}\n" in default_run.output
        assert plt.imread(path).size > 300_000


OPTIONS = """--iterations 0
    --iterations 150
    --iterations 20 --batch-size 50 --init he
    --iterations 20 --learning-rate 0.3 --hidden 20 --seed 5
    --iterations 20 --hidden 1 --seed 3"""


@pytest.mark.parametrize("words", OPTIONS.splitlines())
def test_an_option_does_what_the_functions_do(program, tmp_path, words):
    """Of 150 steps not each is tested; one neuron is silent on all test pictures, not dead."""
    file = tmp_path / "learnt"  # a name that np.savez by itself would change
    learnt = compare(program(f"{words} --save", file), words)
    assert is_same(nn.load_network(file), learnt)


def test_the_options_for_files(program, digits, small, tmp_path, drawing):
    """--data, --test-data, --load, --save, --figures, --no-show."""
    table = tmp_path / "learn.csv"
    pixels, labels = [part[500:700] for part in digits]
    np.savetxt(table, np.column_stack([labels, pixels]), fmt="%d", delimiter=",")
    result = program("--iterations 20 --data", table, "--test-data", small.path)
    result.digits = (pixels, labels)
    compare(result, "--iterations 20", test=small.digits)
    first = tmp_path / "first.npz"
    folder = tmp_path / "new" / "folder"
    result = program("--iterations 10 --figures", folder, "--save", first)
    assert {path.stem for path in folder.iterdir()} == set(FIGURES[:3])
    learnt = compare(result, "--iterations 10")
    assert is_same(result.shown[0], learnt) and len(result.left_open) == 4
    result = program("--iterations 10 --no-show --load", first)
    compare(result, "--iterations 10", start=learnt)
    assert result.shown == []
    assert result.left_open == ["handwriting"]  # `program` made it, the run did not ask
    nothing = ("--iterations 0 --data none --load", first)  # nothing to learn from
    assert program(*nothing, "--digit", drawing).status == 0
    assert "none" in one_error(program(*nothing))


def test_handwriting_is_read(program, capsys, tmp_path, drawing):
    """By what was learnt; what is no picture does no harm to it. A tall figure is only saved."""
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    result = program("--iterations 60 --digit", broken, *5 * [drawing])
    assert str(broken) in one_error(result)
    read, learnt = result.drawn["handwriting"].call_args.args
    assert len(read) == 5 and learnt is result.shown[0]
    probabilities = nn.predict(learnt, nn.to_columns(nn.read_picture(drawing)[None]))
    assert READ.findall(result.output) == 5 * [str(probabilities.argmax())]
    assert (tmp_path / "figures" / "digits.png").exists()
    assert result.left_open == FIGURES[:3]
    assert len(nn.plot_handwriting(read, learnt, most=2).axes) == 2 * 4
    assert "first 2 of 5" in capsys.readouterr().out


# What a reader changes in Parts 1 to 5 works in the whole program.


def module_of(source):
    module = ModuleType("changed")
    exec(source, module.__dict__)
    module.ONE_CORE = nn.ONE_CORE  # NumPy, loaded before it, is on one core
    return module


def changed(old, new):
    assert SOURCE.count(old) == 1
    return module_of(SOURCE.replace(old, new))


def test_a_second_hidden_layer(program, tmp_path, drawing):
    """With the exercise's solution the rest of the file need not change."""
    (exercise,) = [text for text in EXERCISES if "A second hidden layer" in text]
    deep = module_of(patched(dict(FENCED.findall(exercise))["diff"]))
    file = tmp_path / "deep.npz"
    words = "--init he --batch-size 50 --iterations 5"
    compare(program(words, "--save", file, module=deep), words, module=deep)
    learnt = deep.load_network(file)
    assert learnt.WM.shape == (10, 10)
    load = ("--iterations 5 --load", file, "--digit", drawing)
    result = program(*load, module=deep)
    compare(result, "--iterations 5", start=learnt, module=deep)
    for name, plot in result.drawn.items():
        getattr(deep, f"plot_{name}")(*plot.call_args.args)
    board = deep.DrawingBoard(learnt)
    board.page.paste(255, (50, 20, 60, 90))
    board.read(0)
    assert "read as" in board.answer.words.get_text()


SCORES = "    Z1 = W1 @ X"
COLUMNS = "    return np.divide(pixels, 255, dtype=np.float32).T"
CHANGES = [
    (SCORES, "    Z1 = W1.dot(X)"),
    (SCORES, "    Z1 = np.matmul(W1, X)"),
    (SCORES, f"    print(X.max())\n{SCORES}"),
    ("    dW1 = dZ1 @ X.T", "    dW1 = dZ1.dot(X.T)"),
    (COLUMNS, f"{COLUMNS} - np.float32(0.1)"),
]


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_a_line_that_a_reader_changes_is_learnt_with(program, old, new):
    """Also if Part 8 knows nothing of it: in the last, a blank pixel is not 0 any more."""
    module = changed(old, new)
    result = program("--iterations 20", module=module)
    compare(result, "--iterations 20", module=module)
    assert ("Part 8 does not know" in result.output) == (old == COLUMNS)


def test_a_start_from_zeros_is_not_called_a_wrong_gradient(program):
    zeros = changed("return Parameters(W1, b1", "return Parameters(0 * W1, 0 * b1")
    result = program("", module=zeros)
    assert "No check" in result.output and "dead" in one_error(result)


WRONG = [
    ("    dZ2 = A2 - Y", "    dZ2 = Y - A2", "gradient"),
    ("    dZ2 = A2 - Y", "    dZ2 = np.nan * Y", "gradient"),
    ("db1 = dZ1.sum(axis=1, keepdims=True)", "db1 = dZ1.sum(axis=1)", "b1.*10,"),
    ("    dW1 = dZ1 @ X.T", "    dW1 = dZ1 @ X", r"line \d+, backward.*784"),
]


@pytest.mark.parametrize(("old", "new", "told"), WRONG)
def test_a_wrong_line_is_told_before_learning(program, old, new, told):
    result = program("", module=changed(old, new))
    assert re.search(told, one_error(result))
    assert "5. Learning" not in result.output


# What is wrong is one line, with exit status 2.

BAD = """
    --iterations -1, --batch-size 0, --learning-rate nan, --hidden 0, --seed -1, --iter 5,
    --init magic, --data missing, --data folder, --test-data missing, --load missing,
    --load folder, --digit missing, --digit folder, --figures file,
    --figures file/below, --save file/below, --save folder, --load network --hidden 10
"""
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
    assert (value if "data" in option else option) in one_error(result)
    assert "5. Learning" not in result.output


def test_in_a_notebook_errors_are_exceptions(tmp_path):
    with pytest.raises(OSError):
        nn.read_digits(tmp_path)
    file = tmp_path / "network"
    with pytest.raises(OSError):
        nn.load_network(file)
    for b1 in (np.zeros(10), np.full((10, 1), np.nan)):
        nn.save_network(file, NETWORK._replace(b1=b1))
        with pytest.raises(ValueError, match="holds no network"):
            nn.load_network(file)
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(ValueError, match="holds no network"):
        nn.load_network(file)


@pytest.mark.parametrize(("learning_rate", "told"), [("10", "dead"), ("1e30", "nan|inf")])
def test_learning_that_breaks_down_is_one_line(program, tmp_path, learning_rate, told):
    file = tmp_path / "learnt.npz"
    result = program(f"--learning-rate {learning_rate} --save", file)
    line = one_error(result)
    assert re.search(rf"step [1-9].*({told}).*--learning-rate", line)
    assert not file.exists()


def test_a_network_is_saved_whole_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "kept.npz"
    file.write_text("old")
    monkeypatch.setattr(np, "savez", Mock(side_effect=OSError("the disk is full")))
    with pytest.raises(OSError, match="full"):
        nn.save_network(file, NETWORK)
    assert file.read_text() == "old"


# Ctrl-C, pipes, screens.


@pytest.mark.parametrize("words", ["", "--batch-size 50"])
def test_ctrl_c_keeps_what_was_learnt(program, monkeypatch, tmp_path, words):
    train = nn.train

    def interrupted(*arguments):
        yield from islice(train(*arguments), 31)
        raise KeyboardInterrupt

    file = tmp_path / "learnt.npz"
    with monkeypatch.context() as patch:
        patch.setattr(nn, "train", interrupted)
        result = program(f"--iterations 10000 {words} --save", file)
    learnt = compare(result, f"--iterations 30 {words}")
    assert re.search(r"stopped.*\b30\b", result.output)
    assert is_same(nn.load_network(file), learnt)


ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="a screen is elsewhere")


@pytest.fixture
def process(monkeypatch, small, tmp_path):
    """The program by itself, where there is no screen."""
    monkeypatch.setenv("MPLBACKEND", "TkAgg")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    command = [sys.executable, SCRIPT, "--data", small.path, "--figures", tmp_path]
    command += ["--iterations", "30000"]
    with Popen(command, stdout=PIPE, stderr=PIPE, encoding="utf-8") as process:
        yield process


@ON_LINUX
@pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="Ctrl-C is ignored here"
)
def test_no_screen_is_no_error_nor_a_real_ctrl_c(process, tmp_path):
    """And in a pipe, lines come at once."""
    for line in process.stdout:
        if PROGRESS.search(line):
            break
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert "stopped" in output and "final test accuracy" in output
    assert "board" in output.splitlines()[-1]  # why none opens
    assert (tmp_path / "training.png").exists()


@ON_LINUX
def test_a_reader_who_has_enough_is_no_error(process):
    """As in `python Neural_Network_from_Scratch.py | head -1`."""
    assert process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    assert (process.wait(), errors) == (1, "")


def test_with_a_screen_the_board_opens_in_front(monkeypatch):
    shown = []
    window = Mock()
    monkeypatch.setattr(FigureCanvasAgg, "required_interactive_framework", "tk")
    monkeypatch.setattr(FigureManagerBase, "window", window, raising=False)
    monkeypatch.setattr(plt, "show", lambda block: shown.extend(plt.get_fignums()))
    nn.open_windows(NETWORK)
    (number,) = shown  # and no empty figure beside it
    assert isinstance(plt.figure(number).board, nn.DrawingBoard)
    window.attributes.assert_called_once_with("-topmost", True)
    window.after.assert_any_call(500, window.lift)
    window.after.assert_any_call(1000, window.attributes, "-topmost", False)
