"""`python -m party` is the command `party`."""

from party.cli import main

if __name__ == "__main__":
    main()
