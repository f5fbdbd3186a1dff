"""What several test files share."""

import pytest

import Neural_Network_from_Scratch as nn


@pytest.fixture(scope="session")
def digits():
    """The pixels and labels of the embedded file, read once."""
    return nn.load_digits(nn.Path(nn.__file__).parent / "mnist_data" / "train.csv.gz")
