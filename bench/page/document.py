"""A page of headings, sentences, tables and figures, as Markdown and as HTML."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STYLE = """body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 .3rem } th, td { padding: .2rem .7rem; border-bottom: 1px solid #ddd }
td { text-align: right; font-variant-numeric: tabular-nums }
td:first-child, th:first-child, td.words { text-align: left }
.origin { color: #666; font-size: 85%; margin-top: 0 }
code { background: #f4f4f4 } svg { max-width: 100%; height: auto }"""


@dataclass(frozen=True)
class Heading:
    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    text: str  # `code` between backticks


@dataclass(frozen=True)
class Table:
    """`origin`: machine, versions, commit and command of its figures."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    origin: str = ""


@dataclass(frozen=True)
class Figure:
    """`name`: of the file, without its ending; `svg`: its contents."""

    name: str
    svg: str
    text: str
    origin: str = ""


Block = Heading | Text | Table | Figure


def write_figures(blocks: Sequence[Block], out: Path, folder: str = "plots") -> None:
    (out / folder).mkdir(parents=True, exist_ok=True)
    for block in blocks:
        if isinstance(block, Figure):
            (out / folder / f"{block.name}.svg").write_text(block.svg, encoding="utf-8")


def markdown(blocks: Sequence[Block], figures: str = "plots") -> str:
    """`figures`: the folder of the figures, as seen from the page."""
    return "\n\n".join(_markdown(block, figures) for block in blocks) + "\n"


def _markdown(block: Block, figures: str) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {text}"
        case Text(text):
            return text
        case Table(_, _, origin):
            return markdown_table(block) + (f"\n\n*{origin}*" if origin else "")
        case Figure(name, _, text, origin):
            return f"![{text}]({figures}/{name}.svg)\n\n*{f'{text} {origin}'.strip()}*"


def markdown_table(table: Table) -> str:
    """The table alone; columns of words to the left, of figures to the right."""
    rule = ["---" if _words(table, column) else "---:" for column in range(len(table.head))]
    lines = [list(table.head), rule, *table.rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _words(table: Table, column: int) -> bool:
    return column == 0 or not any(re.search(r"\d", row[column][:3]) for row in table.rows)


def html_page(blocks: Sequence[Block], title: str) -> str:
    """One file, its figures in it."""
    body = "\n".join(map(_html, blocks))
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        f"<style>\n{STYLE}\n</style>\n{body}\n</html>\n"
    )


def _html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{_inline(text)}</h{level}>"
        case Text(text):
            return f"<p>{_inline(text)}</p>"
        case Table(head, rows, origin):
            words = [_words(block, column) for column in range(len(head))]
            cells = "".join(f"<th>{_inline(cell)}</th>" for cell in head)
            lines = [f"<tr>{cells}</tr>"]
            for row in rows:
                cells = (f"<td{' class=words' if w else ''}>{_inline(c)}</td>" for c, w in zip(row, words, strict=True))
                lines.append(f"<tr>{''.join(cells)}</tr>")
            return "<table>\n" + "\n".join(lines) + "\n</table>" + _origin(origin)
        case Figure(_, svg, text, origin):
            drawing = svg[svg.index("<svg") :]
            return f"<figure>\n{drawing}\n<figcaption>{_inline(text)}</figcaption></figure>{_origin(origin)}"


def _origin(origin: str) -> str:
    return f'\n<p class="origin">{_inline(origin)}</p>' if origin else ""


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
