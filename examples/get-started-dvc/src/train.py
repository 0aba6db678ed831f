"""Learn which questions are about R, by logistic regression: FEATURES MODEL.json."""

import json
import math
import sys

from model import read, score
from parameters import load


def main(features, target):
    parameters = load("train")
    rows = list(read(f"{features}/train.tsv"))
    with open(f"{features}/terms.json") as file:
        weights = [0.0] * (len(json.load(file)) + 1)
    for epoch in range(parameters["epochs"]):
        rate, loss = parameters["lr"] / (epoch + 1), 0.0
        for label, numbers in rows:
            chance = score(weights, numbers)
            loss -= math.log(max(chance if label else 1 - chance, 1e-12))
            step = rate * (chance - label)
            weights[-1] -= step
            for place, value in numbers:
                weights[place] -= step * value
        print(f"epoch {epoch + 1}: loss {loss / len(rows):.4f}")
    with open(target, "w") as file:
        json.dump({"weights": [round(w, 6) for w in weights]}, file)


main(*sys.argv[1:])
