"""Before and after in one picture."""

import numpy as np

LINE = 2  # pixels


def side_by_side(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(H, W, 3) twice -> (H, 2 W, 3): `before` on the left, `after` on the right, of the same dtype."""
    _check(before, after)
    return np.concatenate((before, after), axis=1)


def split(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(H, W, 3) twice -> (H, W, 3): left half of `before`, right half of `after`, a white line between."""
    _check(before, after)
    width = before.shape[1]
    both = after.copy()
    both[:, : width // 2] = before[:, : width // 2]
    if width > 4 * LINE:
        middle = width // 2
        both[:, middle - LINE // 2 : middle + LINE // 2] = np.iinfo(both.dtype).max
    return both


def _check(before: np.ndarray, after: np.ndarray) -> None:
    if before.shape != after.shape or before.dtype != after.dtype:
        raise ValueError(
            f"before and after must be alike, got {before.dtype} {before.shape} and {after.dtype} {after.shape}"
        )
