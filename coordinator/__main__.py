"""`python -m coordinator` is the command `coordinator`."""

from coordinator.cli import main

if __name__ == "__main__":
    main()
