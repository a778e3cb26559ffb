"""What the engine and the command line have in common, and is known before PyTorch is loaded."""

DEFAULT_NETWORK = "mmp-rnn-tiny"
MOST_STRENGTH = 2.0
ENSEMBLES = (1, 2, 4)
