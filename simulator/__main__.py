"""`python -m simulator` is `portchurn`."""

from simulator.cli import main

if __name__ == "__main__":
    main()
