"""The command `coordinator`, also as `python -m coordinator`."""

from party.output.starting import start_program


def start() -> None:
    """Runs the command."""
    start_program("coordinator.cli")


if __name__ == "__main__":
    start()
