"""Time a step of training, side by side with the frameworks that are installed.

    python tests/benchmark.py         with all that the processor can do
    python tests/benchmark.py avx2    held to AVX2, which is what most laptops have

Each takes about four minutes on two cores. The contenders, none of them required, in the versions
that were tried: pip install torch==2.13.0 jax==0.10.2 scikit-learn==1.9.1 threadpoolctl==3.8.0
(PyTorch without a graphics card: add --index-url of its CPU builds, if pip offers a larger one.)

Each contender runs in a process of its own, with the number of threads that it chooses itself. They
take turns, 0.3 seconds each, so that a machine that slows down slows all of them; a figure is the
median of seven turns. All start from the same parameters and record loss and accuracy at every step
(scikit-learn the loss only), and full batches must all have the same loss after ten steps, which
shows that they did the same work. A turn in which another process, or the host of a virtual
machine, takes more than a tenth of a core does not count; if most are so, there is no table.
"""

import importlib.metadata
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import numpy as np

PEERS_MAY_CHOOSE = dict(os.environ)
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import Neural_Network_from_Scratch as nn  # NumPy is loaded already, so its settings do not take

os.environ.clear()
os.environ.update(PEERS_MAY_CHOOSE)
ROUNDS, TURN = 7, 0.3  # seconds
LEARNING_RATE = 0.1
ONE_CORE = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
CORE = np._core if hasattr(np, "_core") else np.core  # its name before NumPy 2
AVX2 = {
    "OPENBLAS_CORETYPE": "Haswell",  # NumPy's and SciPy's products
    "NPY_DISABLE_CPU_FEATURES": " ".join(  # NumPy's exp and the like
        name
        for name in CORE._multiarray_umath.__cpu_dispatch__
        if name.startswith(("AVX512", "X86_V4"))
    ),
    "ATEN_CPU_CAPABILITY": "avx2",  # PyTorch, and its two libraries
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",  # JAX
}

# Each contender is a generator: it takes a step and yields the loss.


def ours(look, hidden):
    for _, loss, _ in nn.train(start(hidden), look, LEARNING_RATE):
        yield loss


def start(hidden):
    return nn.initialize(np.random.default_rng(nn.SEED), hidden=hidden)


def rows(pixels):
    return np.divide(pixels, 255, dtype=np.float32)


def plain(pixels, labels, hidden, batch):
    X = nn.to_columns(pixels)
    return ours(lambda parameters: nn.gradient(parameters, X, labels), hidden)


def this_file(pixels, labels, hidden, batch, change=lambda blocks: blocks):
    if batch:
        batches = nn.mini_batches(pixels, labels, batch, np.random.default_rng(0))
        yield from ours(lambda parameters: nn.gradient(parameters, *next(batches)), hidden)
    blocks = change(nn.make_blocks(pixels, labels))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from ours(lambda p: nn.gradient_in_blocks(p, blocks, pool.map), hidden)


# The same without some of the ideas of Part 8.


def blocks_only(pixels, labels, *size):
    cuts = np.split(np.arange(len(labels)), range(3072, len(labels), 3072))
    blocks = [(nn.to_columns(pixels[cut]), labels[cut]) for cut in cuts]
    return this_file(pixels, labels, *size, change=lambda _: blocks)


def no_bytes(pixels, labels, *size):
    def as_float32(blocks):
        for X, _ in blocks:
            X.numbers = X.pixels.astype(np.float32)
            X.tiles = lambda hidden, X=X: X.numbers[None]
        return blocks

    return this_file(pixels, labels, *size, change=as_float32)


def no_tiles(pixels, labels, *size):
    tiles = nn.Tiles.tiles
    nn.Tiles.tiles = lambda X, rows: tiles(X, 999)  # as for a wide layer
    return this_file(pixels, labels, *size)


# The others.


def pytorch(pixels, labels, hidden, batch, columns=False):
    import torch
    from torch.nn import functional as F

    X, Y = torch.from_numpy(rows(pixels)), torch.from_numpy(labels.astype(np.int64))
    parameters = [torch.from_numpy(p).requires_grad_() for p in start(hidden)]
    W1, b1, W2, b2 = parameters
    optimizer = torch.optim.SGD(parameters, LEARNING_RATE)
    batches = repeat((X, Y))
    if batch:
        batches = ((X[i], Y[i]) for _ in repeat(0) for i in torch.randperm(len(Y)).split(batch))
    for x, y in batches:
        if columns:
            scores = (W2 @ F.relu(W1 @ x.T + b1) + b2).T
        else:  # what torch.nn.Linear does
            scores = F.linear(F.relu(F.linear(x, W1, b1[:, 0])), W2, b2[:, 0])
        loss = F.cross_entropy(scores, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        (scores.argmax(dim=1) == y).float().mean().item()
        yield loss.item()


def pytorch_columns(*task):
    return pytorch(*task, columns=True)


def jax(pixels, labels, hidden, batch):
    import jax
    from jax import numpy as jnp

    X, Y, parameters = jnp.asarray(rows(pixels)), jnp.asarray(labels), start(hidden)

    def loss_and_accuracy(parameters):
        W1, b1, W2, b2 = parameters
        scores = jax.nn.relu(X @ W1.T + b1.T) @ W2.T + b2.T
        true = jnp.take_along_axis(jax.nn.log_softmax(scores), Y[:, None], axis=1)
        return -true.mean(), (scores.argmax(axis=1) == Y).mean()

    @jax.jit
    def step(parameters):
        value, slopes = jax.value_and_grad(loss_and_accuracy, has_aux=True)(parameters)
        return value, jax.tree.map(lambda p, dp: p - LEARNING_RATE * dp, parameters, slopes)

    while True:
        (loss, accuracy), parameters = step(parameters)
        float(accuracy)
        yield float(loss)


def scikit_learn(pixels, labels, hidden, batch):
    from sklearn.neural_network import MLPClassifier

    X, parameters = rows(pixels), start(hidden)
    model = MLPClassifier(
        (hidden,),
        solver="sgd",
        alpha=0,
        batch_size=len(labels),
        learning_rate_init=LEARNING_RATE,
        momentum=0,
        shuffle=False,
    )
    model.partial_fit(X, labels, classes=range(10))  # makes the arrays that we now overwrite
    for ours, theirs in zip(parameters[::2], model.coefs_):
        theirs[:] = ours.T
    for ours, theirs in zip(parameters[1::2], model.intercepts_):
        theirs[:] = ours[:, 0]
    while True:
        model.partial_fit(X, labels)
        yield model.loss_


def arithmetic(pixels, labels, hidden, batch):
    """As many multiplications and additions as a step does with W1, as one product of two square
    matrices."""
    multiplications = 2 * len(labels) * hidden * 784  # W1 @ X and dZ1 @ X.T
    side = round(multiplications ** (1 / 3))
    A = np.random.default_rng(0).random((side, side), dtype=np.float32)
    while True:
        A @ A
        yield None


def work(function, hidden, batch, digits):
    """What the process of a contender does."""
    with np.load(digits) as arrays:
        losses = globals()[function](*arrays.values(), int(hidden), int(batch))
    loss = [next(losses) for _ in range(10)][-1]
    for _ in sys.stdin:
        began, steps = time.perf_counter(), 0
        while time.perf_counter() < began + TURN:
            next(losses)
            steps += 1
        seconds = (time.perf_counter() - began) / steps
        print(seconds, time.process_time(), loss, about(), sep="\t", flush=True)


def about():
    """Which kernels run here, on how many threads."""
    if "jax" in sys.modules:
        return "its own kernels and threads"
    if torch := sys.modules.get("torch"):
        return f"{torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "threadpoolctl is not installed"
    blas = next(library for library in threadpool_info() if library["user_api"] == "blas")
    name = f"{blas['internal_api']} {blas['version']} {blas.get('architecture')}"
    return f"{name}, {blas['num_threads']} to a product"


class Contender:
    """Such a process: works for a turn when told to, and says how long a step took."""

    def __init__(self, function, *task):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
        environment = kept | (AVX2 if sys.argv[1:] == ["avx2"] else {})
        if function in (this_file, blocks_only, no_bytes, no_tiles):
            environment |= dict.fromkeys(ONE_CORE, "1")  # what the program sets for itself
        command = [sys.executable, __file__, function.__name__, *map(str, task)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(command, **pipes, text=True, env=environment)
        self.processor_time, self.loss, self.about = 0, None, None

    def milliseconds(self):
        print(file=self.process.stdin, flush=True)
        reply = self.process.stdout.readline().rstrip("\n").split("\t")
        seconds, self.processor_time, self.loss, self.about = reply
        return 1000 * float(seconds)


def others(running):
    """Seconds, since the machine started, that its cores worked for others; 0 if not known."""
    try:
        fields = Path("/proc/stat").read_text().split("\n")[0].split()[1:9]
    except OSError:
        return 0
    user, nice, system, _idle, _waiting, *more = map(int, fields)
    busy = (user + nice + system + sum(more)) / os.sysconf("SC_CLK_TCK")
    return busy - sum(float(contender.processor_time) for contender in running.values())


def compete(contenders, digits, hidden, batch=0):
    """Milliseconds a step of each contender: {name: median of the turns}."""
    running = {
        name: Contender(function, hidden, batch, digits)
        for name, (function, package) in contenders.items()
        if installed(package)
    }
    turns = []
    for turn in range(10 * ROUNDS):
        began, before = time.perf_counter(), others(running)
        times = {}
        for name, contender in running.items():
            time.sleep(0.2)  # idle threads of the last one may still look for work
            times[name] = contender.milliseconds()
        share = (others(running) - before) / (time.perf_counter() - began)
        if turn and share < 0.1:  # the first turn loads, and compiles
            turns.append(times)
        if len(turns) == ROUNDS:
            break
    for contender in running.values():
        contender.process.communicate()
    print(f"\nhidden {hidden}" + (f", batch {batch}" if batch else ""), flush=True)
    if len(turns) < ROUNDS:
        raise SystemExit(f"another process keeps {share:.0%} of a core busy: no table")
    losses = {name: float(c.loss) for name, c in running.items() if c.loss != "None"}
    for name, loss in losses.items():
        # scikit-learn counts no probability below 1e-7, which a wide start has many of
        tolerance = 0.02 if name == "scikit-learn" else 1e-4
        assert batch or abs(loss / next(iter(losses.values())) - 1) < tolerance, losses
    medians = {name: statistics.median(times[name] for times in turns) for name in running}
    for name, median in medians.items():
        print(f"{name:24}{median:8.2f} ms  {running[name].about}", flush=True)
    return medians


def installed(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


IDEAS = {
    "plain": (plain, "numpy"),
    "blocks on every core": (blocks_only, "numpy"),
    "no blank pixels": (no_bytes, "numpy"),
    "bytes": (no_tiles, "numpy"),
    "tiles": (this_file, "numpy"),
}
FULL = {
    "**this file**": (this_file, "numpy"),
    "plain NumPy": (plain, "numpy"),
    "PyTorch, `Linear`": (pytorch, "torch"),
    "PyTorch, `W @ X`": (pytorch_columns, "torch"),
    "JAX": (jax, "jax"),
    "scikit-learn": (scikit_learn, "scikit-learn"),
}
MINI = {name: FULL[name] for name in ("**this file**", "PyTorch, `Linear`", "PyTorch, `W @ X`")}
ARITHMETIC = {"arithmetic alone": (arithmetic, "numpy")}


def table(results):
    """Rows of Markdown: milliseconds, and in brackets how many times as long as the first row."""
    first, *_ = results[0]
    for name in results[0]:
        cells = [f"{r[name]:.2f} ({r[name] / r[first]:.1f})" for r in results if name in r]
        print("|", " | ".join([name, *cells]), "|")


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n")
        named = {line.split(":")[0].strip(): line.split(":")[-1].strip() for line in lines}
        features = [name for name in ("avx2", "avx512f") if name in named["flags"].split()]
        family = f"family {named.get('cpu family')}, model {named.get('model')}"
        return f"{named['model name']} ({family}; {', '.join(features)})"
    except (OSError, KeyError):
        return platform.processor()


def main():
    print(f"{processor()}, {os.cpu_count()} cores, {platform.platform()}")
    packages = ("numpy", "torch", "jax", "scikit-learn")
    versions = [f"{name} {installed(name)}" for name in packages if installed(name)]
    print(f"Python {platform.python_version()}, {', '.join(versions)}")
    if sys.argv[1:] == ["avx2"]:
        print("held to AVX2:", ", ".join(f"{name}={value}" for name, value in AVX2.items()))
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(nn.SEED)
        train, _ = nn.split(*nn.load_digits(nn.DATA), nn.TEST_SIZE, rng)
        digits = Path(folder, "digits.npz")
        np.savez(digits, *train)
        ideas = compete(IDEAS, digits, 10)
        full = [compete(FULL | ARITHMETIC, digits, 10)]
        full += [compete(FULL, digits, hidden) for hidden in (32, 64, 128, 256)]
        mini = [compete(MINI, digits, *task) for task in ((128, 64), (256, 128))]
    for results in ([ideas], full, mini):
        print()
        table(results)


if __name__ == "__main__":
    work(*sys.argv[1:]) if len(sys.argv) > 2 else main()
