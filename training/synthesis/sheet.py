"""A contact sheet: what a dataset makes, to look at."""

from pathlib import Path

import cv2
import numpy as np

from .dataset import SynthesisDataset

CAPTION = 18  # pixels of height
_WHITE = 25 / 150  # magnitude shown white: 25 pixels of smear


def contact_sheet(dataset: SynthesisDataset, path: str | Path, rows: int = 12, first: int = 0) -> None:
    """Writes a picture with a sample a row: blurry, sharp and magnitude at three moments, its kind written below."""
    lines = []
    for index in range(first, first + rows):
        sample, kind = dataset.made(index)
        last = len(sample["blurry"]) - 1
        cells = []
        for moment in (0, last // 2, last):
            magnitude = (sample["magnitude"][moment] / _WHITE).clamp(max=1).expand(3, -1, -1)
            cells += [sample["blurry"][moment], sample["sharp"][moment], magnitude]
        pictures = np.concatenate([cell.numpy() for cell in cells], axis=2).transpose(1, 2, 0)
        lines += [np.round(pictures[..., ::-1] * 255).astype(np.uint8), _caption(f"{index}: {kind}", pictures.shape[1])]
    coded = cv2.imencode(".png", np.concatenate(lines))[1]
    Path(path).write_bytes(coded.tobytes())


def _caption(text: str, width: int) -> np.ndarray:
    bar = np.zeros((CAPTION, width, 3), np.uint8)
    return cv2.putText(bar, text, (4, CAPTION - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
