"""Time a step of training, side by side with the frameworks that are installed.

    python tests/benchmark.py         with all that the processor can do
    python tests/benchmark.py avx2    held to AVX2, which is what most laptops have

Each takes about four minutes on two cores. The contenders, none of them required, in the versions
that were tried: pip install torch==2.13.0 jax==0.10.2 scikit-learn==1.9.1 threadpoolctl==3.8.0

Each contender runs in a process of its own, with the number of threads that it chooses itself. They
take turns, 0.3 seconds each, so that a machine that slows down slows all of them; a figure is the
median of seven turns. All start from the same parameters and record loss and accuracy at every step
(scikit-learn the loss only), and full batches must all have the same loss at the tenth step, which
shows that they did the same work. Let nothing else run meanwhile.
"""

import importlib.util
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np

ENVIRONMENT = dict(os.environ)
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import Neural_Network_from_Scratch as nn  # NumPy is loaded already: its settings do not take

os.environ.clear()  # the script's settings are not for the others
os.environ.update(ENVIRONMENT)

ROUNDS = 7
TURN = 0.3  # seconds
RATE = 0.1
CORE = np._core if hasattr(np, "_core") else np.core  # its name before NumPy 2
DISPATCHED = CORE._multiarray_umath.__cpu_dispatch__
WIDE = [name for name in DISPATCHED if name.startswith(("AVX512", "X86_V4"))]
AVX2 = {
    "OPENBLAS_CORETYPE": "Haswell",  # NumPy's and SciPy's products
    "NPY_DISABLE_CPU_FEATURES": " ".join(WIDE),  # NumPy's exp and the like
    "ATEN_CPU_CAPABILITY": "avx2",  # PyTorch, and its two libraries
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",  # JAX
}

# Each contender is a generator: it takes a step and yields the loss.


def start(hidden):
    return nn.initialize(np.random.default_rng(nn.SEED), hidden=hidden)


def rows(pixels):
    return np.divide(pixels, 255, dtype=np.float32)


def ours(gradient_of_step, hidden):
    steps = nn.train(start(hidden), gradient_of_step, RATE, 10**9)
    for _, _, loss, _ in steps:
        yield loss


def plain(pixels, labels, hidden, batch):
    """Part 5, and nothing of Part 8."""
    X = nn.to_columns(pixels)

    def gradient_of_step(parameters):
        return nn.gradient(parameters, X, labels)

    return ours(gradient_of_step, hidden)


def in_blocks(blocks, hidden):
    pool = ThreadPoolExecutor(os.cpu_count())

    def gradient_of_step(parameters):
        return nn.gradient_in_blocks(parameters, blocks, pool.map)

    return ours(gradient_of_step, hidden)


def this_file(pixels, labels, hidden, batch):
    if batch == 0:
        return in_blocks(nn.make_blocks(pixels, labels), hidden)
    batches = nn.mini_batches(pixels, labels, batch, np.random.default_rng(0))

    def gradient_of_step(parameters):
        return nn.gradient(parameters, *next(batches))

    return ours(gradient_of_step, hidden)


# The same without some of the ideas of Part 8.


def only_blocks(pixels, labels, hidden, batch):
    def gradient_of_block(parameters, block):
        X, _, labels = block
        return nn.gradient(parameters, X, labels)

    nn.gradient_of_block = gradient_of_block
    blocks = []
    for cut in np.split(np.arange(len(labels)), range(nn.BLOCK, len(labels), nn.BLOCK)):
        blocks.append((nn.to_columns(pixels[cut]), None, labels[cut]))
    return in_blocks(blocks, hidden)


def only_ink(pixels, labels, hidden, batch):
    def gradient_of_block(parameters, block):
        pixels, ink, labels = block
        fewer = parameters._replace(W1=parameters.W1[:, ink])
        loss, fraction, slopes = nn.gradient(fewer, pixels.T, labels)
        dW1 = np.zeros_like(parameters.W1)
        dW1[:, ink] = slopes.W1
        return loss, fraction, slopes._replace(W1=dW1)

    nn.gradient_of_block = gradient_of_block
    blocks = []
    for part, ink, y in nn.make_blocks(pixels, labels):
        blocks.append((rows(part), ink, y))
    return in_blocks(blocks, hidden)


def no_tiles(pixels, labels, hidden, batch):
    nn.Tiles = np.ndarray
    return this_file(pixels, labels, hidden, batch)


# The others.


def pytorch(pixels, labels, hidden, batch, in_columns=False):
    import torch
    from torch.nn import functional as F

    X = torch.from_numpy(rows(pixels))
    Y = torch.from_numpy(labels.astype(np.int64))
    parameters = []
    for array in start(hidden):
        parameters.append(torch.from_numpy(array).requires_grad_())
    W1, b1, W2, b2 = parameters
    optimizer = torch.optim.SGD(parameters, RATE)

    def step(x, y):
        if in_columns:
            A1 = F.relu(W1 @ x.T + b1)
            scores = (W2 @ A1 + b2).T
        else:  # what torch.nn.Linear does
            A1 = F.relu(F.linear(x, W1, b1[:, 0]))
            scores = F.linear(A1, W2, b2[:, 0])
        loss = F.cross_entropy(scores, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        right = scores.argmax(dim=1) == y
        right.float().mean().item()
        return loss.item()

    while batch == 0:
        yield step(X, Y)
    while True:
        for i in torch.randperm(len(Y)).split(batch):
            yield step(X[i], Y[i])


def pytorch_columns(pixels, labels, hidden, batch):
    return pytorch(pixels, labels, hidden, batch, in_columns=True)


def jax(pixels, labels, hidden, batch):
    import jax
    from jax import numpy as jnp

    X = jnp.asarray(rows(pixels))
    Y = jnp.asarray(labels)
    parameters = start(hidden)

    def loss_and_accuracy(parameters, X, Y):
        W1, b1, W2, b2 = parameters
        A1 = jax.nn.relu(X @ W1.T + b1.T)
        scores = A1 @ W2.T + b2.T
        logs = jax.nn.log_softmax(scores)
        true = jnp.take_along_axis(logs, Y[:, None], axis=1)
        right = scores.argmax(axis=1) == Y
        return -true.mean(), right.mean()

    @jax.jit
    def step(parameters, X, Y):
        differentiate = jax.value_and_grad(loss_and_accuracy, has_aux=True)
        value, slopes = differentiate(parameters, X, Y)
        return value, [P - RATE * dP for P, dP in zip(parameters, slopes)]

    while True:
        (loss, accuracy), parameters = step(parameters, X, Y)
        float(accuracy)
        yield float(loss)


def scikit_learn(pixels, labels, hidden, batch):
    from sklearn.neural_network import MLPClassifier

    X = rows(pixels)
    W1, b1, W2, b2 = start(hidden)
    plain = {"solver": "sgd", "alpha": 0, "momentum": 0, "shuffle": False}
    sizes = {"batch_size": len(labels), "learning_rate_init": RATE}
    model = MLPClassifier((hidden,), **plain, **sizes)
    model.partial_fit(X, labels, classes=range(10))  # makes arrays, which we overwrite
    model.coefs_[0][:] = W1.T
    model.coefs_[1][:] = W2.T
    model.intercepts_[0][:] = b1[:, 0]
    model.intercepts_[1][:] = b2[:, 0]
    while True:
        model.partial_fit(X, labels)
        yield model.loss_


# The name of a contender: its function, the package that it needs.
IDEAS = {
    "plain": (plain, "numpy"),
    "blocks on every core": (only_blocks, "numpy"),
    "no blank pixels": (only_ink, "numpy"),
    "bytes": (no_tiles, "numpy"),
    "tiles": (this_file, "numpy"),
}
MINI = {
    "**this file**": (this_file, "numpy"),
    "PyTorch, `Linear`": (pytorch, "torch"),
    "PyTorch, `W @ X`": (pytorch_columns, "torch"),
}
FULL = {
    **MINI,
    "plain NumPy": (plain, "numpy"),
    "JAX": (jax, "jax"),
    "scikit-learn": (scikit_learn, "sklearn"),
}


def work(function, hidden, batch, digits):
    """What the process of a contender does: at each line that comes in, a turn."""
    with np.load(digits) as arrays:
        losses = globals()[function](*arrays.values(), int(hidden), int(batch))
    loss = [next(losses) for _ in range(10)][-1]
    for _ in sys.stdin:
        steps = 0
        began = time.perf_counter()
        while time.perf_counter() < began + TURN:
            next(losses)
            steps += 1
        seconds = (time.perf_counter() - began) / steps
        print(seconds, loss, kernels(), sep="\t", flush=True)


def kernels():
    """Which kernels run in this process, on how many threads."""
    if "jax" in sys.modules:
        return "its own kernels and threads"
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        name = torch.backends.cpu.get_cpu_capability()
        return f"{name}, {torch.get_num_threads()} threads"
    if not importlib.util.find_spec("threadpoolctl"):
        return "threadpoolctl is not installed"
    from threadpoolctl import threadpool_info

    blas = next(library for library in threadpool_info() if library["user_api"] == "blas")
    name = f"{blas['internal_api']} {blas['version']} {blas.get('architecture')}"
    return f"{name}, {blas['num_threads']} to a product"


def begin(function, hidden, batch, digits):
    """Start the process of a contender."""
    environment = dict(ENVIRONMENT)
    for name in ENVIRONMENT:
        if name.startswith("OPENBLAS_"):
            del environment[name]
    if sys.argv[1:] == ["avx2"]:
        environment.update(AVX2)
    if function in (this_file, only_blocks, only_ink, no_tiles):
        for name in nn.SETTINGS:  # what the program sets for itself
            environment[name] = "1"
    command = [sys.executable, __file__, function.__name__, str(hidden), str(batch)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([*command, digits], env=environment, **pipes)


def compete(contenders, digits, hidden, batch=0):
    """Milliseconds of a step of each contender, the median of its turns, by its name."""
    running = {}
    for name, (function, package) in contenders.items():
        if importlib.util.find_spec(package):
            running[name] = begin(function, hidden, batch, digits)
    turns = {name: [] for name in running}
    losses = {}
    used = {}
    for turn in range(1 + ROUNDS):  # the first loads, and compiles
        for name, process in running.items():
            time.sleep(0.2)  # idle threads of the last one may still look for work
            print(file=process.stdin, flush=True)
            reply = process.stdout.readline().rstrip("\n")
            seconds, losses[name], used[name] = reply.split("\t")
            if turn > 0:
                turns[name].append(1000 * float(seconds))
    for process in running.values():
        process.communicate()
    if batch == 0:
        compare(losses)
    print(f"\nhidden {hidden}, batch {batch or 'full'}")
    medians = {}
    for name, times in turns.items():
        medians[name] = median(times)
        print(f"{name:24}{medians[name]:8.2f} ms  {used[name]}", flush=True)
    return medians


def compare(losses):
    first = float(next(iter(losses.values())))
    for name, loss in losses.items():
        # scikit-learn counts no probability below 1e-7, which a wide start has many of
        tolerance = 0.02 if name == "scikit-learn" else 1e-4
        assert abs(float(loss) / first - 1) < tolerance, name


def print_table(results):
    """Rows of Markdown: milliseconds, and how many times as long as the first row."""
    first = next(iter(results[0]))
    print()
    for name in results[0]:
        cells = [name]
        for result in results:
            ratio = result[name] / result[first]
            cells.append(f"{result[name]:.2f} ({ratio:.1f})")
        print("|", " | ".join(cells), "|")


def processor():
    """Its name, where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    names = []
    if cpuinfo.exists():
        names = re.findall(r"^model name\s*: (.*)", cpuinfo.read_text(), re.M)
    return names[0] if names else platform.processor()


def main():
    print(f"{processor()}, {os.cpu_count()} cores, {platform.platform()}")
    print(f"Python {platform.python_version()}, {' '.join(sys.argv[1:])}")
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(nn.SEED)
        training, _ = nn.split(*nn.load_digits(nn.DATA), nn.TEST_SIZE, rng)
        digits = Path(folder, "digits.npz")
        np.savez(digits, *training)
        print_table([compete(IDEAS, digits, 10)])
        widths = (10, 32, 64, 128, 256)
        print_table([compete(FULL, digits, hidden) for hidden in widths])
        print_table([compete(MINI, digits, 128, 64), compete(MINI, digits, 256, 128)])


if __name__ == "__main__":
    if len(sys.argv) == 5:
        work(*sys.argv[1:])
    else:
        main()
