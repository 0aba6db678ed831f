"""Map reads: GENOME.fa READS.fastq TARGET.tsv, with a line for each read that has a place.

A line is the place, counted from 0, the read's name, its bases and its qualities.
"""

import argparse
from collections import Counter, defaultdict
from pathlib import Path

PAIRS = str.maketrans("ACGT", "TGCA")


def read_genome(path):
    with open(path) as file:
        return "".join(line.strip() for line in file if not line.startswith(">"))


def read_reads(path):
    with open(path) as file:
        lines = [line.rstrip("\n") for line in file]
    for start in range(0, len(lines), 4):
        name, bases, _, qualities = lines[start : start + 4]
        yield name.removeprefix("@"), bases, qualities


def find(bases, genome, index, arguments):
    """Find where most pieces of a read begin, and count the bases that differ there."""
    votes = Counter(
        place - offset
        for offset in range(0, len(bases) - arguments.seed + 1, arguments.seed // 2)
        for place in index.get(bases[offset : offset + arguments.seed], ())
    )
    for place, _ in votes.most_common(1):
        there = genome[place : place + len(bases)] if place >= 0 else ""
        different = sum(a != b for a, b in zip(bases, there, strict=False))
        if len(there) == len(bases) and different <= arguments.mismatches:
            return place
    return None


def main(arguments):
    genome = read_genome(arguments.genome)
    index = defaultdict(list)
    for place in range(len(genome) - arguments.seed + 1):
        index[genome[place : place + arguments.seed]].append(place)
    count = mapped = 0
    Path(arguments.target).parent.mkdir(exist_ok=True)
    with open(arguments.target, "w") as file:
        for name, bases, qualities in read_reads(arguments.reads):
            count += 1
            other = bases.translate(PAIRS)[::-1]
            for text, quality in ((bases, qualities), (other, qualities[::-1])):
                place = find(text, genome, index, arguments)
                if place is not None:
                    mapped += 1
                    file.write(f"{place}\t{name}\t{text}\t{quality}\n")
                    break
    print(f"{mapped} of {count} reads have a place")


parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, required=True)
parser.add_argument("--mismatches", type=int, required=True)
for name in ("genome", "reads", "target"):
    parser.add_argument(name)
main(parser.parse_args())
