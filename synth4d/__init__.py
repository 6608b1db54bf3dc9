"""synth4d: 3D and 4D scenes in, training data for vision-language models out.

Importing this package loads nothing heavy; each stage imports what it needs when it runs.
"""

__version__ = "0.1.0"
