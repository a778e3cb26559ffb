"""Plain PyTorch: the networks as their papers describe them. Everything fast is checked against this."""
