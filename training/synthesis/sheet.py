"""A contact sheet: what a dataset makes, to look at."""

from pathlib import Path

import cv2
import numpy as np

from .dataset import SynthesisDataset

_WHITE = 25 / 150  # magnitude shown white: 25 pixels of smear


def contact_sheet(dataset: SynthesisDataset, path: str | Path, rows: int = 12, first: int = 0) -> None:
    """Writes a picture with a sample a row: blurry, sharp and magnitude at three moments."""
    lines = []
    for index in range(first, first + rows):
        sample = dataset[index]
        last = len(sample["blurry"]) - 1
        cells = []
        for moment in (0, last // 2, last):
            magnitude = (sample["magnitude"][moment] / _WHITE).clamp(max=1).expand(3, -1, -1)
            cells += [sample["blurry"][moment], sample["sharp"][moment], magnitude]
        lines.append(np.concatenate([cell.numpy() for cell in cells], axis=2))
    sheet = np.concatenate(lines, axis=1).transpose(1, 2, 0)
    coded = cv2.imencode(".png", np.round(sheet[..., ::-1] * 255).astype(np.uint8))[1]
    Path(path).write_bytes(coded.tobytes())
