"""The GPU bodies in CUDA C++ (csrc/cuda), called with addresses and a stream. `vdeblur_fast.ops.cuda` imports them."""
