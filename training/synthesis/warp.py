"""Looking at planes through homographies: pictures, and how far what is seen in them moves.

A camera with a global shutter has one homography for each moment; one with a rolling shutter has one for each row of
nodes, 16 pixels apart, at the time when that row is read. Between nodes everything is bilinear, which is right to a
thousandth of a pixel.
"""

import cv2
import numpy as np

from .shake import project

NODE = 16  # pixels between the nodes at which motion is computed


def nodes(size: tuple[int, int]) -> np.ndarray:
    """Points (r, c, 2) as (x, y): corners of cells of NODE pixels that cover a frame of `size`."""
    y, x = (np.arange(-(-side // NODE) + 1) * NODE - 0.5 for side in size)
    return np.stack(np.meshgrid(x, y), axis=-1)


def movement(homographies: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How what is seen at each point moves in a sub-step; its length is M_i of MMP-RNN Eq. 2.

    Args:
        homographies: (n, 3, 3) from frame to plane at n moments, at least 2; or (n, r, 3, 3), one for each row.
        points: (p, 2) in frame pixels; or (r, c, 2).

    Returns:
        (n, p, 2) or (n, r, c, 2) pixels: the mean of the movements from the moment before and to the one after; at
        the ends, where there is only one of them, that one.
    """
    inverses = np.linalg.inv(homographies)
    ahead = project(inverses[1:] @ homographies[:-1], points) - points
    back = points - project(inverses[:-1] @ homographies[1:], points)
    return np.concatenate([ahead[:1], (ahead[1:] + back[:-1]) / 2, back[-1:]])


def node_movement(view: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`movement` at the nodes of a frame of `size`, (n, r, c, 2) float32, through (n, 3, 3) or (n, r, 3, 3)."""
    grid = nodes(size)
    moves = movement(view, grid if view.ndim == 4 else grid.reshape(-1, 2))
    return moves.reshape(len(view), *grid.shape).astype(np.float32)


def spread(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Vectors known at the nodes, (r, c, 2) float32 -> (H, W, 2), bilinear between them."""
    height, width = size
    fine = cv2.resize(values, None, fx=NODE, fy=NODE, interpolation=cv2.INTER_LINEAR)
    return fine[NODE // 2 :, NODE // 2 :][:height, :width]


def warp(texture: np.ndarray, sampling: np.ndarray, size: tuple[int, int], border: int, out=None) -> np.ndarray:
    """The texture as a frame of `size` sees it.

    Args:
        sampling: (3, 3) from frame to texture pixels; or (r, 3, 3), one for each row of nodes.
        border: of OpenCV.
    """
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    if sampling.ndim == 2:
        return cv2.warpPerspective(texture, sampling, size[::-1], dst=out, flags=flags, borderMode=border)
    places = spread(project(sampling, nodes(size)).astype(np.float32), size)
    return cv2.remap(texture, np.ascontiguousarray(places), None, cv2.INTER_LINEAR, dst=out, borderMode=border)
