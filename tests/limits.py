"""What each limit of the network costs: the README's table, a Markdown row for each command.

python tests/limits.py               5 seeds (0 to 4) of each command, about 40 minutes
python tests/limits.py choose        how the numbers of the last command were chosen, 5 minutes

The choice looks at no picture that is a test picture for any of the seeds 0 to 4: these are taken
out, and of the others 5,000 are held out from training to compare learning rates and weight decays.
"""

import itertools
import sys
from pathlib import Path

import numpy as np
from seeds import measure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import Neural_Network_from_Scratch as nn

SEEDS = range(5)
BEST = "--hidden 256 --init he --batch-size 128 --iterations 6420 --schedule cosine"
COMMANDS = (
    "",
    "--hidden 32",
    "--hidden 128",
    "--hidden 256",
    "--batch-size 128 --iterations 6420",
    "--init he",
    "--weight-decay 1e-4",
    "--schedule cosine",
    "--raw-pixels",
    f"{BEST} --learning-rate 1 --weight-decay 1e-4",
)


def table():
    for command in COMMANDS:
        results = [measure(seed, command.split()) for seed in SEEDS]
        lived = np.array([result for result in results if not isinstance(result, str)])
        columns = "-", "-", "-"
        if len(lived) > 1:
            (train, test, seconds), (d_train, d_test, _) = lived.mean(0), lived.std(0, ddof=1)
            columns = f"{train:.1f} ± {d_train:.1f}", f"{test:.1f} ± {d_test:.1f}", f"{seconds:.1f}"
        died = [result for result in results if isinstance(result, str)]
        note = f"{len(died)} of {len(results)}: {died[0]}" if died else ""
        print("|", f"`{command}`", *(f"| {column}" for column in columns), "|", note, flush=True)


def choose():
    everything = nn.load_digits(nn.default_data())
    tested = np.zeros(len(everything[1]), bool)
    for seed in SEEDS:
        rows = np.arange(len(tested)), everything[1]
        _, (test, _) = nn.split(*rows, nn.TEST_SIZE, np.random.default_rng(seed))
        tested[test] = True
    pixels, labels = (part[~tested] for part in everything)
    print(f"{len(labels):,} pictures are no test pictures")
    for rate, decay in itertools.product((0.1, 0.2, 0.5, 1.0), (0, 1e-4, 1e-3)):
        scores = []
        for seed in (100, 101, 102):
            rng = np.random.default_rng(seed)
            learn, held_out = nn.split(pixels, labels, 5000, rng)
            (X, y), test = ((nn.to_columns(p), labels) for p, labels in (learn, held_out))
            start = nn.initialize_he(rng, hidden=256)
            work = nn.mini_batches(X, y, 128, rng), test, nn.gradient, 20 * len(y) // 128
            # A list of all the records, with their parameters, would fill the memory.
            for last in nn.train(start, *work, rate, decay, nn.cosine, test_every=10**9):  # noqa: B007
                pass
            scores.append(100 * last.test_accuracy)
        print(
            f"learning rate {rate}, weight decay {decay}: held out {np.mean(scores):.2f} %", end=""
        )
        print(f" (standard deviation {np.std(scores, ddof=1):.2f})", flush=True)


if __name__ == "__main__":
    choose() if sys.argv[1:] == ["choose"] else table()
