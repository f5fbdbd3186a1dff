"""Time one iteration of training, side by side with the frameworks that are installed.

python tests/benchmark.py          about 9 minutes on two cores

The contenders, none of them required, were tried in these versions:
pip install torch==2.13.0 jax==0.10.2 scikit-learn==1.9.1
(PyTorch without a graphics card: add --index-url of its CPU builds, if pip offers a larger one.)

Each contender runs in a process of its own, with the number of threads it chooses itself. They take
turns, a few iterations each, so that a machine that slows down slows all of them; a figure is the
median of the turns. All start from the same parameters and record loss and accuracy at every
iteration (scikit-learn the loss only). The full-batch ones all end with the same loss
(scikit-learn within 1 %), which shows that they did the same work; mini-batches are shuffled by
each in its own way.
"""

import importlib.metadata
import os
import platform
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import repeat
from pathlib import Path

if sys.argv[1:2] == ["this_file"] and sys.argv[3] == "0":  # a full batch, as the program runs it
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import Neural_Network_from_Scratch as nn

ROUNDS = 7
LEARNING_RATE = 0.1


def digits(hidden):
    """The training images as rows from 0 to 1, their labels, a start and the random numbers."""
    rng = np.random.default_rng(nn.SEED)
    (pixels, labels), _ = nn.split(*nn.load_digits(nn.default_data()), nn.TEST_SIZE, rng)
    return np.divide(pixels, 255, dtype=np.float32), labels, nn.initialize(rng, hidden=hidden), rng


# Each contender is a generator: it does an iteration and yields the loss.


def ours(hidden, batch, cut=None, on_every_core=False):
    """`cut` turns X and labels into Blocks; without it, the gradient is the plain one of Part 5."""
    rows, labels, start, rng = digits(hidden)
    training = rows.T, labels
    test = rows[:1].T, labels[:1]  # the frameworks look at no test images, so neither do we
    batches, gradient = repeat(training), nn.gradient
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        if batch:
            batches = nn.mini_batches(*training, batch, rng)
        elif cut:
            batches = repeat(cut(*training))
            each = pool.map if on_every_core else map
            gradient = partial(nn.gradient_in_blocks, each=each)
        work = batches, test, gradient
        for record in nn.train(start, *work, 10**9, LEARNING_RATE, test_every=10**9):
            yield record.loss


def this_file(hidden, batch):
    return ours(hidden, batch, nn.make_blocks, on_every_core=True)


def plain(hidden, batch):
    return ours(hidden, batch)


def blocks(hidden, batch):
    def cut(X, labels):
        parts = np.split(np.arange(labels.size), range(2048, labels.size, 2048))
        return [nn.Block(np.arange(784), np.ascontiguousarray(X[:, i]), labels[i]) for i in parts]

    return ours(hidden, batch, cut)


def blocks_without_blank_pixels(hidden, batch):
    return ours(hidden, batch, nn.make_blocks)


def pytorch(hidden, batch, columns=False):
    import torch
    from torch.nn import functional as F

    rows, labels, start, _ = digits(hidden)
    X, Y = torch.from_numpy(rows), torch.from_numpy(labels.astype(np.int64))
    parameters = [torch.from_numpy(p).requires_grad_() for p in start]
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


def pytorch_columns(hidden, batch):
    return pytorch(hidden, batch, columns=True)


def jax(hidden, batch):
    import jax
    from jax import numpy as jnp

    rows, labels, parameters, _ = digits(hidden)
    X, Y = jnp.asarray(rows), jnp.asarray(labels)

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


def scikit_learn(hidden, batch):
    from sklearn.neural_network import MLPClassifier

    rows, labels, start, _ = digits(hidden)
    model = MLPClassifier(
        (hidden,),
        solver="sgd",
        alpha=0,
        batch_size=len(labels),
        learning_rate_init=LEARNING_RATE,
        momentum=0,
        shuffle=False,
    )
    model.partial_fit(rows, labels, classes=range(10))  # makes the arrays that we now overwrite
    for ours, theirs in zip((start.W1, start.W2), model.coefs_):
        theirs[:] = ours.T
    for ours, theirs in zip((start.b1, start.b2), model.intercepts_):
        theirs[:] = ours[:, 0]
    while True:
        model.partial_fit(rows, labels)
        yield model.loss_


def dense(hidden, batch):
    """The arithmetic alone: a product of two large square matrices (its "loss" is nothing)."""
    A = np.random.default_rng(0).random((2048, 2048), dtype=np.float32)
    while True:
        A @ A
        yield np.nan


class Contender:
    """A process that runs iterations when told to, and says how long they took."""

    def __init__(self, function, hidden, batch=0):
        command = [sys.executable, __file__, function, str(hidden), str(batch)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(command, **pipes, text=True)
        self.times = []
        self.loss = None

    def run(self, iterations):
        print(iterations, file=self.process.stdin, flush=True)
        seconds, self.loss = map(float, self.process.stdout.readline().split())
        self.times.append(1000 * seconds / iterations)

    def stop(self):
        self.process.communicate()


def work(function, hidden, batch):
    """What such a process does."""
    losses = globals()[function](int(hidden), int(batch))
    for line in sys.stdin:
        began = time.perf_counter()
        for _ in range(int(line)):
            loss = next(losses)
        print(time.perf_counter() - began, loss, flush=True)


def compete(names, hidden, batch=0, iterations=10):
    """Milliseconds an iteration and final loss of each of the named contenders."""
    contenders = {}
    for name, (function, package) in names.items():
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
        contenders[name] = Contender(function, hidden, batch)
    for turn in range(ROUNDS + 1):
        for contender in contenders.values():
            contender.run(iterations)
            time.sleep(0.2)  # its idle threads still look for work; the next one shall not suffer
            if turn == 0:  # the first turn loads the digits, and compiles
                contender.times.clear()
    for contender in contenders.values():
        contender.stop()
    return {name: (statistics.median(c.times), c.loss) for name, c in contenders.items()}


STEPS = {
    "plain": ("plain", "numpy"),
    "in blocks": ("blocks", "numpy"),
    "and no blank pixels": ("blocks_without_blank_pixels", "numpy"),
    "and on every core": ("this_file", "numpy"),
}
FULL = {
    "this file (Part 6)": ("this_file", "numpy"),
    "this file, plain": ("plain", "numpy"),
    "PyTorch, W @ X": ("pytorch_columns", "torch"),
    "PyTorch, Linear": ("pytorch", "torch"),
    "JAX": ("jax", "jax"),
    "scikit-learn": ("scikit_learn", "scikit-learn"),
}
MINI = {name: FULL[name] for name in ("this file (Part 6)", "PyTorch, Linear", "PyTorch, W @ X")}


def show(title, results):
    print(f"\n{title}\n{'':22}ms an iteration   times as long   final loss")
    (ours, _), *_ = results.values()
    for name, (milliseconds, loss) in results.items():
        name = name.removesuffix(" (Part 6)") if "mini" in title else name
        print(f"{name:22}{milliseconds:12.2f}{milliseconds / ours:17.2f}{loss:17.4f}", flush=True)


def main():
    packages = ("numpy", "torch", "jax", "scikit-learn")
    installed = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
    print(f"Python {platform.python_version()}, {platform.platform()}, {os.cpu_count()} cores")
    print(", ".join(f"{name} {installed[name]}" for name in packages if name in installed))
    show("what each idea of Part 6 brings, hidden 10", compete(STEPS, 10))
    for hidden in (10, 32, 64, 128, 256):
        names = FULL | {"dense arithmetic": ("dense", "numpy")} if hidden == 10 else FULL
        results = compete(names, hidden, iterations=10 if hidden == 10 else 3)
        if hidden == 10:
            products = 2 * 2 * 10 * 784 * 41_000  # multiplications and additions with W1, twice
            milliseconds, loss = results["dense arithmetic"]
            results["dense arithmetic"] = milliseconds * products / (2 * 2048**3), loss
        show(f"full batch of 41,000, hidden {hidden}", results)
    for hidden, batch in ((128, 64), (128, 128), (256, 64), (256, 128)):
        results = compete(MINI, hidden, batch, iterations=300)
        show(f"mini-batches of {batch}, hidden {hidden}", results)


if __name__ == "__main__":
    work(*sys.argv[1:]) if len(sys.argv) > 1 else main()
