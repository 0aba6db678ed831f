"""Turn texts to numbers: PREPARED FEATURES, directories with train.tsv and test.tsv."""

import json
import math
import re
import sys
from collections import Counter
from pathlib import Path

from parameters import load


def terms(text, longest):
    """List the words of a text, then pairs of them, and so on."""
    words = re.findall(r"[a-z][a-z-]+", text.lower())
    for length in range(1, longest + 1):
        yield from zip(*(words[start:] for start in range(length)), strict=False)


def main(prepared, features):
    parameters = load("featurize")
    documents = {}
    for name in ("train", "test"):
        documents[name] = []
        with open(f"{prepared}/{name}.tsv") as file:
            for line in file:
                number, label, text = line.rstrip("\n").split("\t")
                counts = Counter(" ".join(t) for t in terms(text, parameters["ngrams"]))
                documents[name].append((number, label, counts))
    known = Counter(term for _, _, counts in documents["train"] for term in counts)
    best = sorted(known, key=lambda term: (-known[term], term))[: parameters["max_features"]]
    weight = {term: math.log(len(documents["train"]) / known[term]) + 1 for term in best}
    place = {term: number for number, term in enumerate(best)}
    target = Path(features)
    target.mkdir(parents=True)
    (target / "terms.json").write_text(json.dumps(best, indent=0))
    for name, rows in documents.items():
        with open(target / f"{name}.tsv", "w") as file:
            for number, label, counts in rows:
                chosen = {place[t]: count * weight[t] for t, count in counts.items() if t in place}
                norm = math.sqrt(math.fsum(v * v for v in chosen.values())) or 1
                numbers = " ".join(f"{n}:{chosen[n] / norm:.4f}" for n in sorted(chosen))
                file.write(f"{number}\t{label}\t{numbers}\n")


main(*sys.argv[1:])
