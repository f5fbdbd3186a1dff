"""Mean, standard deviation and range of the accuracy over seeds, the default run otherwise.

python tests/seeds.py            20 seeds, about 10 minutes on two cores
python tests/seeds.py 3          the first 3 seeds
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import Neural_Network_from_Scratch as nn


def final_record(pixels, labels, seed):
    rng = np.random.default_rng(seed)
    (x_train, y_train), (x_test, y_test) = nn.split(pixels, labels, nn.TEST_SIZE, rng)
    start = nn.initialize(rng)
    training, test = (nn.to_columns(x_train), y_train), (nn.to_columns(x_test), y_test)
    *_, last = nn.train(start, training, test, iterations=750, learning_rate=0.1)
    return last


if __name__ == "__main__":
    pixels, labels = nn.load_digits(nn.default_data())
    results = []
    for seed in range(int(sys.argv[1]) if len(sys.argv) > 1 else 20):
        last = final_record(pixels, labels, seed)
        results.append((100 * last.accuracy, 100 * last.test_accuracy))
        print("seed {:2}   train {:.2f} %   test {:.1f} %".format(seed, *results[-1]), flush=True)
    for name, values in zip(("train", "test"), np.array(results).T):
        mean, deviation = values.mean(), values.std(ddof=1)
        print(f"{name}: mean {mean:.1f} %, standard deviation {deviation:.1f}, ", end="")
        print(f"range {values.min():.1f} to {values.max():.1f} %")
