"""The GPU bodies of the operators, in Triton. `vdeblur_fast.ops` imports them, and triton with them."""
