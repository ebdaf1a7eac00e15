"""Checks that a restructuring changes no bit: records the results of a fixed set of runs, and compares recordings.

    python -m tests.tools.recordings record before.npz --code CHECKOUT
    python -m tests.tools.recordings record after.npz
    python -m tests.tools.recordings compare before.npz after.npz

It imports nothing of the recorded code. It uses YAML files, the commands `party` and `coordinator`, and the files that
these write, so it also works on code whose modules were moved and renamed.
"""
