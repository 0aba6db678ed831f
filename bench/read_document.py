"""Read a document to checked values, or as YAML with our reader or PyYAML's, or not at all.

Usage: read_document.py ours|yaml|csafe|nothing PATH
"""

import sys
from pathlib import Path

import yaml

from pivot.documents import load_yaml
from pivot.tracked import load_tracked


def main(how: str, path: str) -> None:
    """Do it."""
    if how == "ours":
        load_tracked(Path(path), Path(path).parent)
    elif how == "yaml":
        load_yaml(Path(path))
    elif how == "csafe":
        yaml.load(Path(path).read_bytes(), Loader=yaml.CSafeLoader)


if __name__ == "__main__":
    main(*sys.argv[1:])
