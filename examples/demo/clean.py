"""Leave out days with a value missing, or one that cannot be, and days that are there twice."""

import csv
import sys

COLUMNS = ("day", "temperature", "wind", "rain", "weekend", "rentals")


def is_sound(row):
    """Tell whether a day's values are all there and possible."""
    if not all(row[name] for name in COLUMNS):
        return False
    return -40 <= float(row["temperature"]) <= 50 and int(row["rentals"]) >= 0


def main(source, target):
    with open(source, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    days = {row["day"]: row for row in rows if is_sound(row)}
    with open(target, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(days[day] for day in sorted(days))
    print(f"{len(days)} of {len(rows)} rows kept")


main(*sys.argv[1:])
