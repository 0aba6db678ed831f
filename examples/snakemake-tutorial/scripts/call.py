"""Call variants: GENOME.fa DIRECTORY TARGET.vcf, from all samples of the directory."""

import argparse
import json
import math
from collections import Counter, defaultdict
from pathlib import Path


def read_genome(path):
    with open(path) as file:
        return "".join(line.strip() for line in file if not line.startswith(">"))


def read_pile(path):
    """List what is read at each place of the genome: bases with their qualities."""
    pile = defaultdict(list)
    with open(path) as file:
        for line in file:
            start, _, bases, qualities = line.rstrip("\n").split("\t")
            for place, pair in enumerate(zip(bases, qualities, strict=True), int(start)):
                pile[place].append(pair)
    return pile


def call(pile, genome, arguments):
    """Yield the places where most reads have the same other base, with how sure that is."""
    for place in sorted(pile):
        seen = Counter(base for base, _ in pile[place])
        base, count = min(seen.items(), key=lambda pair: (-pair[1], pair[0]))
        depth = len(pile[place])
        agreed = depth >= arguments.depth and count >= arguments.fraction * depth
        if agreed and base != genome[place]:
            sure = math.fsum(ord(quality) - 33 for b, quality in pile[place] if b == base)
            yield place, base, round(sure * count / depth, 1)


def main(arguments):
    genome = read_genome(arguments.genome)
    found, samples = defaultdict(dict), []
    for path in sorted(Path(arguments.directory).glob("*.tsv")):
        samples.append(path.stem)
        for place, base, quality in call(read_pile(path), genome, arguments):
            found[place, base][path.stem] = quality
    target = Path(arguments.target)
    target.parent.mkdir(exist_ok=True)
    with target.open("w") as file:
        head = ["CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples]
        file.write("##fileformat=VCFv4.2\n#" + "\t".join(head) + "\n")
        for (place, base), qualities in sorted(found.items()):
            calls = ["1" if sample in qualities else "0" for sample in samples]
            row = ["chr1", place + 1, ".", genome[place], base, max(qualities.values())]
            file.write("\t".join(map(str, [*row, "PASS", ".", "GT", *calls])) + "\n")
    counts = {sample: sum(sample in each for each in found.values()) for sample in samples}
    summary = {"variants": len(found), "samples": counts}
    target.with_name("summary.json").write_text(json.dumps(summary, indent=2) + "\n")


parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int, required=True)
parser.add_argument("--fraction", type=float, required=True)
for name in ("genome", "directory", "target"):
    parser.add_argument(name)
main(parser.parse_args())
