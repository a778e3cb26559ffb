"""Training: blur synthesis, losses, recipes and the trainer.

python -m vdeblur_fast.training mmp-net-tiny --data clips/
python -m vdeblur_fast.training mmp-rnn-tiny --data clips/ --magnitude runs/mmp-net-tiny/best.safetensors
python -m vdeblur_fast.training david --data clips/ --budget 0.01
"""
