"""Draw how sure the calls are: CALLS.vcf TARGET.svg, a histogram."""

import sys
import tomllib
from collections import Counter
from pathlib import Path

STEP, MARGIN = 100, 30


def main(calls, target):
    with open("conf/plot.toml", "rb") as file:
        conf = tomllib.load(file)
    width, height = conf["width"], conf["height"]
    with open(calls) as file:
        qualities = [float(line.split("\t")[5]) for line in file if not line.startswith("#")]
    bars = Counter(int(quality // STEP) for quality in qualities)
    columns, top = max(bars) + 1, max(bars.values())
    wide, high = (width - 2 * MARGIN) / columns, (height - 2 * MARGIN) / top
    Path(target).parent.mkdir(exist_ok=True)
    with open(target, "w") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            'font-family="sans-serif" font-size="11" text-anchor="middle">\n'
        )
        for column in range(columns):
            tall, x = bars[column] * high, MARGIN + column * wide
            file.write(
                f'  <rect x="{x:.1f}" y="{height - MARGIN - tall:.1f}" width="{wide - 2:.1f}" '
                f'height="{tall:.1f}" fill="steelblue"/>\n'
                f'  <text x="{x + wide / 2:.1f}" y="{height - 10}">{column * STEP}</text>\n'
            )
        file.write("</svg>\n")


main(*sys.argv[1:])
