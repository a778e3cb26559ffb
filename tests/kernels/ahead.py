"""Compiles every kernel as it is launched, for GPUs that need not be there, and prints what came out, as JSON.

Run as a process of its own, with the Triton interpreter off: `python -m tests.kernels.ahead`.
"""

import json
import re
import subprocess
import tempfile
from itertools import product
from pathlib import Path

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from vdeblur_fast.kernels import (
    attention_mix,
    convolution,
    convolving,
    few_channels,
    launching,
    motion_attention,
    pixel_distribute,
    spatial_squeeze,
    temporal_blend,
    temporal_squeeze,
    upsample_concat,
)

TOOL = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
INTEGERS = {*"CDHIJKMNOPSTVW", "splits", "blocks_each", "per_plane"}  # and strides
ODD = {"J", "T", "N", "splits", "blocks_each", "per_plane"}  # sizes that are not multiples of 16
# pointers to what comes in the frames' type; all others are to float32
FRAMES = {"x", "y", "gate", "magnitude", "similarity", "current", "previous", "blended"}
FRAMES |= {"estimates", "logits", "outer", "mixed", "convolved", "other"}
IN_FRAMES_TYPE = {"weight", "bias"}  # of these kernels too
OF_CONVOLUTIONS = (convolving.convolve_kernel, few_channels.from_few_kernel, few_channels.to_few_kernel)
SIZES = [(32, 8), (64, 16), (128, 16), (256, 32)]  # channels, spatial maps
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def layout(order: str, prefixes: tuple[str, ...]) -> set[str]:
    """The strides that are 1, which Triton makes constants."""
    return {f"{prefix}{'pixel' if order == 'contiguous' else 'channel'}_stride" for prefix in prefixes}


def cases():
    """name, kernel, type of the frames, flags, strides that are 1, blocks."""
    for (c, m), kind, order in product(SIZES, TYPES, ("contiguous", "channels_last")):
        if kind == "fp16" and (c, order) != (64, "contiguous"):  # for the compiler it is bf16 by another name
            continue
        name = f"c{c}-m{m}-{kind}-{order}"
        flags = {"FLAT": True, "GATED": True, "MASKED": False, "RETURN_GATE": False}
        flags["SPLIT"] = kind != "fp32"
        blocks = spatial_squeeze.blocks(c, m, TYPES[kind])
        yield f"squeeze-{name}", spatial_squeeze.squeeze_kernel, kind, flags, layout(order, ("",)), blocks
        flags, blocks = {"FLAT": True, "SPLIT": kind != "fp32"}, pixel_distribute.blocks(c, 4 * m, TYPES[kind])
        ones = layout(order, ("x_", "y_"))
        yield f"distribute-{name}", pixel_distribute.distribute_kernel, kind, flags, ones, blocks
        if kind != "fp32" and c <= 64:
            yield f"distribute-kept-{name}", pixel_distribute.keeping_kernel, kind, flags, ones, blocks
    for c, m in SIZES:
        flags, blocks = {"RETURN_STATISTICS": False}, spatial_squeeze.merge_blocks(m)
        yield f"merge-c{c}-m{m}", spatial_squeeze.merge_kernel, "fp32", flags, set(), blocks
    yield from pointwise_cases()
    yield from convolution_cases()
    yield from upsample_cases()
    yield from convolve_cases()
    yield from few_cases()
    for frames in (1, 5, temporal_squeeze.MOST_FRAMES):
        yield f"mix-t{frames}", temporal_squeeze.mix_kernel, "fp32", {}, set(), temporal_squeeze.blocks(frames)


def pointwise_cases():
    """The kernels that look at one pixel at a time."""
    for kind, order in product(("fp32", "bf16"), ("contiguous", "channels_last")):
        flags = {"FLAT": True, "CHANNELS_LAST": order == "channels_last"}
        ones = {f"{name}_pixel_stride" for name in ("similarity", "current", "previous", "blended")}
        yield f"blend-{kind}-{order}", temporal_blend.blend_kernel, kind, flags, ones, temporal_blend.blocks()
        for channels in (16, 64):
            flags = {"FLAT": True, "SHIFT": True, "PRECISION": "tf32x3" if kind == "fp32" else "tf32"}
            ones = layout(order, ("x_", "y_")) | {"magnitude_pixel_stride"}
            blocks, name = motion_attention.blocks(channels), f"attend-c{channels}-{kind}-{order}"
            yield name, motion_attention.attend_kernel, kind, flags, ones, blocks
    for kind, channels in product(("fp32", "bf16"), (3, 64)):
        flags = {"FLAT": True, "NESTED": channels == 3, "SOFTMAX": True}
        ones = {f"{name}_pixel_stride" for name in ("estimates", "logits", "outer")}
        yield (
            f"branches-c{channels}-{kind}",
            attention_mix.mix_kernel,
            kind,
            flags,
            ones,
            attention_mix.blocks(channels),
        )


def convolution_cases():
    """What follows a convolution, with a sum and without."""
    for kind, adds in product(("fp32", "bf16"), (False, True)):
        for wide in (False, True):
            flags = {"UPSCALE": 1, "ADDS": adds, "FLAT": adds, "WIDE": wide, "ACTIVATION": "relu"}
            ones, name = {"other_channel_stride"} if adds else set(), f"finish-{kind}-{adds}{'-wide' if wide else ''}"
            yield name, convolution.finish_kernel, kind, flags, ones, convolution.blocks()


def upsample_cases():
    """Both pictures channels last."""
    for kind, other in product(("fp32", "bf16"), (False, True)):
        ones, flags = {"x_channel_stride", "other_channel_stride"}, {"C": 64, "D": 32}
        flags |= {"ALIGN_CORNERS": other, "SKIP_FIRST": other}
        yield f"upsample-{kind}-{other}", upsample_concat.upsample_kernel, kind, flags, ones, upsample_concat.blocks()


def convolve_cases():
    """The layers and the fusion of a residual dense block of 80 channels that grows by 32, of one of 90 by 36, and a
    convolution with what follows it. With and without the copy engine, which is of sm_90."""
    for kind, side, adds, (inputs, outputs), tma in (
        ("fp32", 3, False, (80, 32), False),
        ("fp32", 1, True, (80, 80), False),
        ("bf16", 3, False, (80, 32), False),
        ("bf16", 3, False, (80, 32), True),
        ("bf16", 3, False, (126, 36), True),
        ("bf16", 1, True, (198, 90), True),
        ("bf16", 3, True, (16, 16), True),
        ("bf16", 3, True, (64, 64), True),
    ):
        flags = {"SIDE": side, "ACTIVATION": "none" if adds else "gelu", "ADDS": adds, "TMA": tma, "WIDEN": False}
        flags["PRECISION"] = "tf32x3" if kind == "fp32" else "tf32"
        ones = {"y_channel_stride"} | ({"other_channel_stride"} if adds else set())
        blocks = convolving.blocks(inputs, outputs, TYPES[kind], tma)
        name = f"convolve-{inputs}to{outputs}k{side}-{kind}{'-tma' if tma else ''}"
        yield name, convolving.convolve_kernel, kind, flags, ones, blocks


def few_cases():
    """From the channels of an image and to them, in the sizes of the networks' first and last layers."""
    for kind, inputs, outputs, side in (
        ("fp32", 3, 18, 5),
        ("bf16", 3, 18, 5),
        ("bf16", 9, 64, 5),
        ("bf16", 21, 16, 3),
    ):
        flags = {"SIDE": side, "ACTIVATION": "none", "PRECISION": "tf32x3" if kind == "fp32" else "tf32"}
        blocks, ones = few_channels.blocks_from_few(inputs, outputs, side), {"x_channel_stride"}
        name = f"fromfew-{inputs}to{outputs}k{side}-{kind}"
        yield name, few_channels.from_few_kernel, kind, flags | {"WIDEN": False}, ones, blocks
    for kind, inputs, side in (("fp32", 3, 9), ("bf16", 18, 5), ("bf16", 64, 3)):
        flags = {"O": 3, "SIDE": side, "ACTIVATION": "none"}
        blocks, ones = few_channels.blocks_to_few(inputs), {"x_channel_stride"}
        yield f"tofew-{inputs}k{side}-{kind}", few_channels.to_few_kernel, kind, flags, ones, blocks


def compiled(kernel, kind: str, flags: dict, ones: set[str], blocks: launching.Blocks, chip: int):
    """The kernel, with pointers and sizes known to be multiples of 16 as the launcher has them."""
    constants = flags | blocks.sizes | dict.fromkeys(ones, 1)
    signature, attributes = {}, {}
    tiles = {}  # what the copy engine brings
    if flags.get("TMA"):
        height, width, i, o = (blocks.sizes[f"BLOCK_{name}"] for name in "HWIO")
        tiles = {"x": f"tensordesc<{kind}[1, {height}, {width}, {i}]>", "weight": f"tensordesc<{kind}[{o}, 1, {i}]>"}
    for place, name in enumerate(kernel.arg_names):
        if name in constants:
            signature[name] = "constexpr"
        elif name in tiles:
            signature[name] = tiles[name]
        elif name in INTEGERS or name.endswith("_stride"):
            signature[name] = "i64" if flags.get("WIDE") and name == "P" else "i32"
        else:
            of_frames = name in FRAMES or (kernel in OF_CONVOLUTIONS and name in IN_FRAMES_TYPE)
            signature[name] = f"*{kind}" if of_frames else "*fp32"
        if name not in constants and name not in ODD and name not in tiles:
            attributes[(place,)] = [["tt.divisibility", 16]]
    source = ASTSource(kernel, signature, constants, attributes)
    return triton.compile(source, target=GPUTarget("cuda", chip, 32), options=blocks.options())


def resources(cubin: bytes) -> dict[str, int]:
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [TOOL, "--dump-resource-usage", file.name]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {key: int(value) for key, value in re.findall(r"(REG|STACK|LOCAL):(\d+)", text)}


def main() -> None:
    for name, kernel, kind, flags, ones, blocks in cases():
        for chip in (90,) if flags.get("TMA") else (80, 90):
            binary = compiled(kernel, kind, flags, ones, blocks, chip)
            ptx = binary.asm["ptx"]
            found = {
                "name": f"{name}-sm{chip}",
                "target": re.search(r"\.target (\w+)", ptx).group(1),
                "tiles": len(re.findall(r"cp\.async\.bulk\.tensor", ptx)),
                "products": len(re.findall(r"wgmma\.mma_async|mma\.sync", ptx)),
                "wide_loads": len(re.findall(r"ld\.global[\w.:]*\.v4\.b32", ptx)),
                "half_loads": len(re.findall(r"ld\.global[\w.:]*\.b16", ptx)),
                "wide_stores": len(re.findall(r"st\.global[\w.:]*\.v4\.b32", ptx)),
                "shared": binary.metadata.shared,
            } | resources(binary.asm["cubin"])
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
