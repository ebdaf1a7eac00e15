"""The command `party`, also as `python -m party`."""

from party.output.starting import start_program


def start() -> None:
    """Runs the command."""
    start_program("party.cli")


if __name__ == "__main__":
    start()
