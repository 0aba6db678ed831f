"""`python -m pivot`."""

from pivot.cli import main

if __name__ == "__main__":
    main()
