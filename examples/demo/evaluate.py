"""Compare the forecast with what was, on the days that the model was not fitted to."""

import csv
import json
import math


def forecast(model, row):
    *scales, (mean, deviation) = model["scales"]
    bias, *weights = model["weights"]
    inputs = zip(model["features"], weights, scales, strict=True)
    terms = [w * (float(row[name]) - middle) / dev for name, w, (middle, dev) in inputs]
    return mean + deviation * (bias + math.fsum(terms))


with open("model.json", encoding="utf-8") as file:
    model = json.load(file)
with open("data/clean.csv", newline="", encoding="utf-8") as file:
    rows = [row for n, row in enumerate(csv.DictReader(file)) if n % 5 == 0]
truths = [int(row["rentals"]) for row in rows]
errors = [forecast(model, row) - truth for row, truth in zip(rows, truths, strict=True)]
mean = math.fsum(truths) / len(truths)
metrics = {
    "days": len(rows),
    "mean_error": round(math.fsum(map(abs, errors)) / len(errors), 2),
    "r2": round(
        1 - math.fsum(e * e for e in errors) / math.fsum((t - mean) ** 2 for t in truths), 4
    ),
}
with open("metrics.json", "w", encoding="utf-8") as file:
    file.write(json.dumps(metrics, indent=2) + "\n")
print(f"wrong by {metrics['mean_error']} rentals a day")
