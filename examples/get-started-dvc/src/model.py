"""What training and evaluation share: reading features, and the chance that a model sees."""

import math


def read(path):
    """Yield the label of each question, and the numbers of its terms."""
    with open(path) as file:
        for line in file:
            _, label, numbers = line.rstrip("\n").split("\t")
            pairs = (pair.split(":") for pair in numbers.split())
            yield int(label), [(int(place), float(value)) for place, value in pairs]


def score(weights, numbers):
    """Say how likely a question is about R; the bias is the last weight."""
    total = weights[-1]
    for place, value in numbers:
        total += weights[place] * value
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, total))))
