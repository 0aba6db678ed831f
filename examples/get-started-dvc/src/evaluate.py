"""Test a model: MODEL.json FEATURES DIRECTORY, which gets metrics, a ROC curve and weights."""

import json
import sys
from pathlib import Path

from model import read, score


def main(model, features, directory):
    with open(model) as file:
        weights = json.load(file)["weights"]
    with open(f"{features}/terms.json") as file:
        terms = json.load(file)
    seen = sorted(((score(weights, row), label) for label, row in read(f"{features}/test.tsv")))
    seen.reverse()
    positive = sum(label for _, label in seen)
    negative = len(seen) - positive
    area, hits, misses, curve = 0, 0, 0, [(0.0, 0.0)]
    for number, (_, label) in enumerate(seen, 1):
        hits, misses = hits + label, misses + 1 - label
        area += 0 if label else hits
        if number % 25 == 0 or number == len(seen):
            curve.append((misses / negative, hits / positive))
    right = sum((chance >= 0.5) == bool(label) for chance, label in seen)
    metrics = {
        "accuracy": round(right / len(seen), 4),
        "auc": round(area / (positive * negative), 4),
        "questions": len(seen),
    }
    target = Path(directory)
    target.mkdir(exist_ok=True)
    (target / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    lines = "".join(f"{x:.4f},{y:.4f}\n" for x, y in curve)
    (target / "roc.csv").write_text(f"fpr,tpr\n{lines}")
    order = sorted(range(len(terms)), key=lambda place: (-abs(weights[place]), terms[place]))
    lines = "".join(f"{terms[place]},{weights[place]:.4f}\n" for place in order[:20])
    (target / "importance.csv").write_text(f"term,weight\n{lines}")
    print(f"accuracy {metrics['accuracy']}, area under the curve {metrics['auc']}")


main(*sys.argv[1:])
