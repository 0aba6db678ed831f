"""Divide questions: DUMP.xml DIRECTORY, which gets train.tsv and test.tsv."""

import random
import re
import sys
from pathlib import Path
from xml.etree.ElementTree import iterparse

from parameters import load


def main(dump, directory):
    parameters = load("prepare")
    draw = random.Random(parameters["seed"]).random
    target = Path(directory)
    target.mkdir(parents=True)
    with open(target / "train.tsv", "w") as train, open(target / "test.tsv", "w") as test:
        for _, row in iterparse(dump):
            if row.tag != "row":
                continue
            text = re.sub(r"<[^>]+>|\s+", " ", f"{row.get('Title')} {row.get('Body')}")
            label = int("<r>" in row.get("Tags"))
            file = test if draw() < parameters["split"] else train
            file.write(f"{row.get('Id')}\t{label}\t{text.strip()}\n")
            row.clear()


main(*sys.argv[1:])
