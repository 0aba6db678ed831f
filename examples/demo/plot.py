"""Draw the loss over the epochs, as SVG."""

import csv

WIDTH, HEIGHT, MARGIN = 480, 240, 40

with open("loss.csv", newline="", encoding="utf-8") as file:
    losses = [float(row["loss"]) for row in csv.DictReader(file)]
top, last = max(losses), max(len(losses) - 1, 1)


def place(epoch, loss):
    x = MARGIN + epoch / last * (WIDTH - 2 * MARGIN)
    return f"{x:.1f},{HEIGHT - MARGIN - loss / top * (HEIGHT - 2 * MARGIN):.1f}"


line = " ".join(place(epoch, loss) for epoch, loss in enumerate(losses))
axes = f"{MARGIN},{MARGIN} {MARGIN},{HEIGHT - MARGIN} {WIDTH - MARGIN},{HEIGHT - MARGIN}"
with open("loss.svg", "w", encoding="utf-8") as file:
    file.write(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12" fill="none" stroke-width="1.5">\n'
        f'  <polyline points="{axes}" stroke="gray"/>\n'
        f'  <polyline points="{line}" stroke="steelblue"/>\n'
        f'  <text x="{MARGIN}" y="{MARGIN - 10}" fill="black">loss</text>\n'
        f'  <text x="{WIDTH - MARGIN}" y="{HEIGHT - 15}" fill="black" text-anchor="end">'
        f"{len(losses)} epochs</text>\n</svg>\n"
    )
print(f"loss.svg: {len(losses)} epochs")
