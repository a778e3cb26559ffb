"""A folder of pictures, and a page that shows them."""

from collections.abc import Iterable
from html import escape
from itertools import groupby
from pathlib import Path

import numpy as np

from ..video.signature import is_signed
from .figures import Figure, Table
from .inspector import Sight
from .painting import colours, inline, paint, png

PAGE = "index.html"
SIGNATURE = '<meta name="generator" content="vdeblur inspect">'
BESIDE, SMALL = 640, 300  # pixels that the pictures on the page are wide, at most
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1320px; padding: 0 1rem; color: #222; }
figure { display: inline-block; margin: 0 .75rem .75rem 0; vertical-align: top; }
figure img, .legend img { display: block; max-width: 100%; }
figcaption { font-size: .85rem; color: #555; }
h2 { border-top: 1px solid #ccc; padding-top: 1rem; }
summary { font-size: 1.15rem; font-weight: 600; cursor: pointer; margin: .5rem 0; }
.legend { font-size: .85rem; color: #555; display: flex; gap: .5rem; align-items: center; }
td, th { padding: .2rem .7rem; text-align: right; font-variant-numeric: tabular-nums; }
"""


class Album:
    """Pictures into `folder` as sights are added, and at the end, with `finish`, the page.

    Of each frame FRAME-before.png and FRAME-after.png, FRAME its number in six digits, and FRAME-MAP.png or
    FRAME-MAP-1.png, FRAME-MAP-2.png ...: all of the frame's size. The page needs none of them: it holds smaller
    copies, and links to them.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.pictures = 0
        self._parts: list[str] = []

    def add(self, sight: Sight, name: str) -> None:
        """name: of the frame, for its heading."""
        self._parts.append(f"<h2>{escape(name)}</h2>")
        key = f"{sight.number:06d}"
        before, after = sight.frame.image, sight.after.image
        self._parts.append(self._picture(f"{key}-before", before, "before", BESIDE))
        self._parts.append(self._picture(f"{key}-after", after, "after", BESIDE))
        self._parts.append(f"<p>{escape(_made_of(sight))}</p>")
        for section, figures in groupby(sight.figures, key=lambda figure: figure.section):
            shown = "\n".join(self._shown(figure, sight, key) for figure in figures)
            if section:
                shown = f"<details open><summary>{escape(section)}</summary>\n{shown}\n</details>"
            self._parts.append(shown)

    def finish(self, title: str, sentences: Iterable[str]) -> None:
        said = "\n".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
        head = f'<meta charset="utf-8">{SIGNATURE}<title>{escape(title)}</title><style>{STYLE}</style>'
        body = "\n".join([f"<h1>{escape(title)}</h1>", said, *self._parts])
        page = f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'
        (self.folder / PAGE).write_text(page, encoding="utf-8", errors="replace")  # a name may be no Unicode

    def _shown(self, figure: Figure | Table, sight: Sight, key: str) -> str:
        head = f"<h3>{escape(figure.title)}</h3>\n<p>{escape(figure.text)}</p>"
        if isinstance(figure, Table):
            return f"{head}\n{_table(figure)}"
        if not len(figure.maps):
            return head
        size = sight.frame.image.shape[:2]
        parts = [head, _legend(figure)]
        for i, (values, label) in enumerate(zip(figure.maps, figure.labels, strict=True), 1):
            name = f"{key}-{figure.name}" + (f"-{i}" if len(figure.maps) > 1 else "")
            width = BESIDE if len(figure.maps) == 1 else SMALL
            parts.append(self._picture(name, paint(values, figure, sight.extent, size), label, width))
        return "\n".join(parts)

    def _picture(self, name: str, image: np.ndarray, caption: str, width: int) -> str:
        file = f"{name}.png"
        (self.folder / file).write_bytes(png(image))
        self.pictures += 1
        label = escape(caption)
        shown = f'<a href="{file}"><img src="{inline(image, width)}" alt="{label}"></a>'
        return f"<figure>{shown}<figcaption>{label}</figcaption></figure>"


def foreign(folder: Path) -> list[Path]:
    """What is in a folder that no album has put there: everything, where there is no page of an album."""
    page = folder / PAGE
    is_album = page.is_file() and SIGNATURE.encode() in page.read_bytes()[:500]
    return [entry for entry in folder.iterdir() if not (is_album and (entry == page or is_signed(entry)))]


def _made_of(sight: Sight) -> str:
    if not sight.neighbours:
        return "Made of this frame alone, and of what the network remembers, if it does."
    return f"Made of this frame and its neighbours {', '.join(map(str, sight.neighbours))}."


def _legend(figure: Figure) -> str:
    strip = inline(colours(np.tile(np.arange(256, dtype=np.uint8), (12, 1))), 256)
    return f'<div class="legend">0 <img src="{strip}" alt="dark to bright"> {figure.brightest:.3g}</div>'


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = []
    for name, values in zip(table.rows, table.values.tolist(), strict=True):
        cells = "".join(f'<td style="background: rgb(255 140 0 / {value:.3f})">{value:.3f}</td>' for value in values)
        rows.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    return f"<table>\n<tr><th></th>{head}</tr>\n" + "\n".join(rows) + "\n</table>"
