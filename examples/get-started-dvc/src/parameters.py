"""Read a section of params.yaml: `name: number` below the section's name, and no more of YAML."""

from pathlib import Path


def load(section):
    found, inside = {}, False
    for line in Path("params.yaml").read_text().splitlines():
        if line and not line[0].isspace():
            inside = line.strip() == f"{section}:"
        elif inside and line.strip():
            name, _, value = line.partition(":")
            found[name.strip()] = float(value) if "." in value else int(value)
    return found
