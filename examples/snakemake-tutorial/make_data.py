"""Make a small genome, and reads of three samples of it, the same ones every time.

`python3 make_data.py`; only `random.random` is used, which gives the same in all Python versions.
"""

import random
from pathlib import Path

BASES = "ACGT"
GENOME, READS, LENGTH, VARIANTS, ERRORS = 12_000, 1800, 100, 30, 0.004
PAIRS = str.maketrans("ACGT", "TGCA")
draw = random.Random(20120815).random


def choose(letters):
    return letters[int(draw() * len(letters))]


def change(sequence, place):
    others = BASES.replace(sequence[place], "")
    sequence[place] = choose(others)


def read(genome):
    """Read a piece of the genome in one direction or the other, with errors now and then."""
    start = int(draw() * (len(genome) - LENGTH))
    bases, qualities = genome[start : start + LENGTH], []
    for place in range(LENGTH):
        quality = 38 - int(draw() * 8)
        if draw() < ERRORS:
            change(bases, place)
            quality = 8 + int(draw() * 8)
        qualities.append(chr(33 + quality))
    text, quality = "".join(bases), "".join(qualities)
    return (text, quality) if draw() < 0.5 else (text.translate(PAIRS)[::-1], quality[::-1])


data = Path(__file__).parent / "data"
genome = [choose(BASES) for _ in range(GENOME)]
common, text = genome.copy(), "".join(genome)
lines = "".join(f"{text[start : start + 60]}\n" for start in range(0, GENOME, 60))
(data / "genome.fa").write_text(f">chr1\n{lines}")
(data / "samples").mkdir(exist_ok=True)
for _ in range(VARIANTS // 2):
    change(common, int(draw() * GENOME))
for sample in "ABC":
    own = common.copy()
    for _ in range(VARIANTS // 2):
        change(own, int(draw() * GENOME))
    with (data / "samples" / f"{sample}.fastq").open("w") as file:
        for number in range(READS):
            bases, qualities = read(own)
            file.write(f"@{sample}.{number}\n{bases}\n+\n{qualities}\n")
