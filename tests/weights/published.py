"""The published code of MMP-RNN and ESTRNN, from its layout: what its state dicts hold, and what it computes.

Written from the names and shapes of the authors' modules alone, in plain functions, and with no help of our networks.
`p` is a state dict in their names; images are centred on 0, as they feed them.
"""

import torch
from torch.nn.functional import (
    batch_norm,
    conv2d,
    conv_transpose2d,
    gelu,
    interpolate,
    leaky_relu,
    linear,
    max_pool2d,
    pad,
    relu,
)

Weights = dict[str, torch.Tensor]
PREFIX = "module.model."


def layer(name: str, *shape: int, outputs: int | None = None) -> Weights:
    """Random weights and bias of one layer; `outputs` where it is not the first number of the shape."""
    fan = shape[1:] if outputs is None else (shape[0], *shape[2:])
    scale = 1.5 / torch.tensor(fan).prod().sqrt()
    return {f"{name}.weight": torch.randn(shape) * scale, f"{name}.bias": 0.1 * torch.randn(outputs or shape[0])}


def norm(name: str, channels: int) -> Weights:
    return {
        f"{name}.weight": torch.rand(channels) + 0.5,
        f"{name}.bias": 0.1 * torch.randn(channels),
        f"{name}.running_mean": 0.1 * torch.randn(channels),
        f"{name}.running_var": torch.rand(channels) + 0.5,
        f"{name}.num_batches_tracked": torch.tensor(7),
    }


def rdb_weights(name: str, channels: int, growth: int) -> Weights:
    p: Weights = {}
    for i in range(3):
        p |= layer(f"{name}.dense_layers.{i}.conv", growth, channels + i * growth, 3, 3)
    return p | layer(f"{name}.conv1x1", channels, channels + 3 * growth, 1, 1)


def rdnet_weights(name: str, channels: int, growth: int, blocks: int) -> Weights:
    p: Weights = {}
    for i in range(blocks):
        p |= rdb_weights(f"{name}.RDBs.{i}", channels, growth)
    p |= layer(f"{name}.conv1x1", channels, blocks * channels, 1, 1)
    return p | layer(f"{name}.conv3x3", channels, channels, 3, 3)


def unet_weights(name: str = "") -> Weights:
    """MMP-Net's, 851,417 numbers besides the statistics."""
    p = layer(f"{name}conv9x9", 16, 3, 9, 9)
    doubles = {"inc": (16, 16)}
    for i, (inputs, outputs) in enumerate(((16, 32), (32, 64), (64, 128), (128, 128)), 1):
        doubles[f"down{i}.maxpool_conv.1"] = (inputs, outputs)
    for i, (inputs, outputs) in enumerate(((256, 64), (128, 32), (64, 16), (32, 16)), 1):
        doubles[f"up{i}.conv"] = (inputs, outputs)
    for key, (inputs, outputs) in doubles.items():
        double = f"{name}{key}.double_conv"
        p |= layer(f"{double}.0", outputs, inputs, 3, 3) | norm(f"{double}.1", outputs)
        p |= layer(f"{double}.3", outputs, outputs, 3, 3) | norm(f"{double}.4", outputs)
    return p | rdb_weights(f"{name}refine", 16, 8) | layer(f"{name}outc.conv", 1, 16, 1, 1)


def cell_weights(c: int, blocks: int, passed_on: int) -> Weights:
    p = layer("cell.F_B0", c, 3, 5, 5)
    p |= rdb_weights("cell.F_B1.rdb", c, c) | layer("cell.F_B1.down_sampling", 2 * c, c, 5, 5)
    p |= rdb_weights("cell.F_B2.rdb", 2 * c, c * 3 // 2) | layer("cell.F_B2.down_sampling", passed_on, 2 * c, 5, 5)
    p |= rdnet_weights("cell.F_R", 5 * c, 2 * c, blocks)
    p |= layer("cell.F_h.0", c, 5 * c, 3, 3) | rdb_weights("cell.F_h.1", c, c) | layer("cell.F_h.2", c, c, 3, 3)
    return p


def mmp_rnn_weights(c: int, a: int, b: int) -> Weights:
    p = cell_weights(c, a, 2 * c) | unet_weights("cell.prior.")
    p |= layer("cell.MMAM1.MMAM_conv0", c // 2, 1, 1, 1) | layer("cell.MMAM1.MMAM_conv1", c, c // 2, 1, 1)
    p |= rdnet_weights("recons.D_Net", 5 * c, 2 * c, b)
    p |= layer("recons.model.0", 5 * c, 2 * c, 3, 3, outputs=2 * c) | layer("recons.model.1", 2 * c, c, 3, 3, outputs=c)
    p |= layer("recons.model.2", 3, c, 5, 5) | layer("fusion.fusion", 5 * c, 25 * c, 1, 1)
    squeezed = 25 * c // 16
    p |= layer("fusion.ca.conv_du.0", squeezed, 25 * c, 1, 1) | layer("fusion.ca.conv_du.2", 25 * c, squeezed, 1, 1)
    return p | layer("skip", 3, 3, 9, 9)


def estrnn_weights(c: int, blocks: int) -> Weights:
    n = 5 * c
    p = cell_weights(c, blocks, 4 * c)
    p |= layer("recons.model.0", 5 * n, 2 * c, 3, 3, outputs=2 * c) | layer("recons.model.1", 2 * c, c, 3, 3, outputs=c)
    p |= layer("recons.model.2", 3, c, 5, 5)
    p |= layer("fusion.F_f.0", 4 * n, 2 * n) | layer("fusion.F_f.2", 2 * n, 4 * n)
    p |= layer("fusion.F_p.0", 4 * n, 2 * n, 1, 1) | layer("fusion.F_p.1", 2 * n, 4 * n, 1, 1)
    return p | layer("fusion.condense", n, 2 * n, 1, 1) | layer("fusion.fusion", 5 * n, 5 * n, 1, 1)


def conv(p: Weights, name: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
    weight = p[f"{name}.weight"]
    return conv2d(x, weight, p[f"{name}.bias"], stride, weight.shape[-1] // 2)


def rdb(p: Weights, name: str, x: torch.Tensor) -> torch.Tensor:
    y = x
    for i in range(3):
        y = torch.cat((y, gelu(conv(p, f"{name}.dense_layers.{i}.conv", y))), 1)
    return conv(p, f"{name}.conv1x1", y) + x


def rdnet(p: Weights, name: str, x: torch.Tensor) -> torch.Tensor:
    kept = []
    while f"{name}.RDBs.{len(kept)}.conv1x1.weight" in p:
        x = rdb(p, f"{name}.RDBs.{len(kept)}", x)
        kept.append(x)
    return conv(p, f"{name}.conv3x3", conv(p, f"{name}.conv1x1", torch.cat(kept, 1)))


def unet(p: Weights, x: torch.Tensor, name: str = "") -> torch.Tensor:
    def double(key: str, y: torch.Tensor) -> torch.Tensor:
        for i in (0, 3):
            at = f"{name}{key}.double_conv.{i + 1}"
            y = conv(p, f"{name}{key}.double_conv.{i}", y)
            y = batch_norm(y, p[f"{at}.running_mean"], p[f"{at}.running_var"], p[f"{at}.weight"], p[f"{at}.bias"])
            y = relu(y)
        return y

    found = [double("inc", conv(p, f"{name}conv9x9", x))]
    for i in range(1, 5):
        found.append(double(f"down{i}.maxpool_conv.1", max_pool2d(found[-1], 2)))
    y = found.pop()
    for i in range(1, 5):
        skip = found.pop()
        y = interpolate(y, scale_factor=2, mode="bilinear", align_corners=True)
        rows, columns = skip.shape[2] - y.shape[2], skip.shape[3] - y.shape[3]
        y = pad(y, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        y = double(f"up{i}.conv", torch.cat((skip, y), 1))
    return torch.sigmoid(conv(p, f"{name}outc.conv", rdb(p, f"{name}refine", y)))


def hidden(p: Weights, x: torch.Tensor) -> torch.Tensor:
    return conv(p, "cell.F_h.2", rdb(p, "cell.F_h.1", conv(p, "cell.F_h.0", x)))


def down(p: Weights, x: torch.Tensor) -> torch.Tensor:
    for name in ("cell.F_B1", "cell.F_B2"):
        x = conv(p, f"{name}.down_sampling", rdb(p, f"{name}.rdb", x), 2)
    return x


def reconstructed(p: Weights, x: torch.Tensor) -> torch.Tensor:
    for i in (0, 1):
        x = conv_transpose2d(x, p[f"recons.model.{i}.weight"], p[f"recons.model.{i}.bias"], 2, 1, 1)
    return conv(p, "recons.model.2", x)


def mmp_rnn(p: Weights, clip: torch.Tensor, attention: bool = True) -> torch.Tensor:
    """clip (B, T, 3, H, W) -> (B, T - 4, 3, H, W)"""
    c, (b, t, _, h, w) = p["cell.F_B0.weight"].shape[0], clip.shape
    state, before = clip.new_zeros(b, c, h // 4, w // 4), clip.new_zeros(b, 2 * c, h // 4, w // 4)
    features = []
    for frame in clip.unbind(1):
        magnitude = unet(p, frame, "cell.prior.")
        scale = conv(p, "cell.MMAM1.MMAM_conv1", leaky_relu(conv(p, "cell.MMAM1.MMAM_conv0", magnitude), 0.1))
        own = down(p, conv(p, "cell.F_B0", frame) * (scale + 1))
        features.append(rdnet(p, "cell.F_R", torch.cat((own, before, state), 1)))
        state, before = hidden(p, features[-1]), own
    images = []
    for i in range(2, t - 2):
        x = torch.cat(features[i - 2 : i + 3], 1)
        if attention:
            squeezed = relu(conv(p, "fusion.ca.conv_du.0", x.mean((2, 3), keepdim=True)))
            x = x * conv(p, "fusion.ca.conv_du.2", squeezed).sigmoid()
        x = rdnet(p, "recons.D_Net", conv(p, "fusion.fusion", x))
        images.append(reconstructed(p, x) + conv(p, "skip", clip[:, i]))
    return torch.stack(images, 1)


def estrnn(p: Weights, clip: torch.Tensor) -> torch.Tensor:
    """clip (B, T, 3, H, W) -> (B, T - 4, 3, H, W)"""
    c, (b, t, _, h, w) = p["cell.F_B0.weight"].shape[0], clip.shape
    state = clip.new_zeros(b, c, h // 4, w // 4)
    features = []
    for frame in clip.unbind(1):
        own = down(p, conv(p, "cell.F_B0", frame))
        features.append(rdnet(p, "cell.F_R", torch.cat((own, state), 1)))
        state = hidden(p, features[-1])
    images = []
    for i in range(2, t - 2):
        found = []
        for j in (i - 2, i - 1, i + 1, i + 2):
            pair = torch.cat((features[i], features[j]), 1)
            gate = gelu(linear(pair.mean((2, 3)), p["fusion.F_f.0.weight"], p["fusion.F_f.0.bias"]))
            gate = linear(gate, p["fusion.F_f.2.weight"], p["fusion.F_f.2.bias"]).sigmoid()
            values = conv(p, "fusion.F_p.1", conv(p, "fusion.F_p.0", pair))
            found.append(conv(p, "fusion.condense", gate[:, :, None, None] * values))
        images.append(reconstructed(p, conv(p, "fusion.fusion", torch.cat((*found, features[i]), 1))))
    return torch.stack(images, 1)


def trainer_checkpoint(p: Weights) -> dict:
    """As the authors' trainers save it: of a DataParallel, with the trainer's own state beside it."""
    return {
        "epoch": 500,
        "model": "MMPRNN",
        "state_dict": {PREFIX + name: tensor for name, tensor in p.items()},
        "register_dict": {"PSNR_valid": {1: 30.5, "max": 30.5, "min": 30.5}},
        "optimizer": {"state": {0: {"step": 3, "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 5e-4}]},
        "scheduler": {"last_epoch": 500},
    }
