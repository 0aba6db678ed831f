"""`python -m pivot`."""

from pivot.start import main

if __name__ == "__main__":
    main()
