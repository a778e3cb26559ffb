"""Self-ensemble: the mean of what a network makes of a frame and of its mirror images (Lim et al., EDSR, 2017).

The images go through the network as one batch, so it costs as many times the work and memory as there are.
"""

import torch

# Axes to flip. The half turn comes first: of the three it gains most.
VIEWS = ((), (-2, -1), (-1,), (-2,))


def views(frame: torch.Tensor, count: int) -> torch.Tensor:
    """frame (1, 3, H, W) -> (count, 3, H, W): the frame itself and its first mirror images, channels last."""
    if count == 1:
        return frame
    return torch.cat([frame.flip(axes) for axes in VIEWS[:count]]).contiguous(memory_format=torch.channels_last)


def mean_of_views(images: torch.Tensor) -> torch.Tensor:
    """images (count, 3, H, W) of `views` -> (1, 3, H, W), turned back and averaged in float32."""
    if len(images) == 1:
        return images
    turned = [image.flip(axes) for image, axes in zip(images.float(), VIEWS[: len(images)], strict=True)]
    return torch.stack(turned).mean(0, keepdim=True)
