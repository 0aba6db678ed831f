"""Fit rentals to the weather: a linear model, by gradient descent on standardized values."""

import argparse
import csv
import json
import math
import operator

FEATURES = ("temperature", "wind", "rain", "weekend")


def scale(values):
    """Say the mean and the deviation of some values."""
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values))


def descend(inputs, truths, lr, epochs):
    """Give the weights, the bias first, and the loss before each step."""
    weights, losses = [0.0] * (len(FEATURES) + 1), []
    for _ in range(epochs):
        errors = [
            weights[0] + math.fsum(w * x for w, x in zip(weights[1:], row, strict=True)) - truth
            for row, truth in zip(inputs, truths, strict=True)
        ]
        losses.append(math.fsum(e * e for e in errors) / len(errors))
        columns = [[1.0] * len(inputs), *zip(*inputs, strict=True)]
        slopes = [math.fsum(map(operator.mul, errors, column)) for column in columns]
        weights = [w - lr * 2 * s / len(errors) for w, s in zip(weights, slopes, strict=True)]
    return weights, losses


def main(lr, epochs):
    with open("data/clean.csv", newline="", encoding="utf-8") as file:
        rows = [row for n, row in enumerate(csv.DictReader(file)) if n % 5]  # others: evaluate.py
    columns = [[float(row[name]) for row in rows] for name in (*FEATURES, "rentals")]
    scales = [scale(column) for column in columns]
    *inputs, truths = (
        [(value - mean) / deviation for value in column]
        for column, (mean, deviation) in zip(columns, scales, strict=True)
    )
    weights, losses = descend(list(zip(*inputs, strict=True)), truths, lr, epochs)
    with open("model.json", "w", encoding="utf-8") as file:
        json.dump({"features": FEATURES, "weights": weights, "scales": scales}, file, indent=2)
    with open("loss.csv", "w", encoding="utf-8") as file:
        file.write("epoch,loss\n")
        file.writelines(f"{n},{loss:.6f}\n" for n, loss in enumerate(losses))
    print(f"{epochs} epochs on {len(rows)} days: loss {losses[0]:.3f} to {losses[-1]:.3f}")


arguments = argparse.ArgumentParser()
arguments.add_argument("--lr", type=float, required=True)
arguments.add_argument("--epochs", type=int, required=True)
main(**vars(arguments.parse_args()))
