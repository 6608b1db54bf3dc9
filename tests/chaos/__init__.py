"""The fault matrix: every row disturbs runs in one way, many times, and counts what was not as promised.

    python -m chaos [ROW…] [--short] [--write FILE]     (make chaos)

The stages are the stand-ins of fake_work, so that a run is a second and everything around it is real.
"""

from synth4d import machine

machine.settle()  # before numpy is imported, here and in what is started
