"""The chapters of a file, cut to a part of it."""

from fractions import Fraction

from vdeblur_fast.video.span import Span


def chapters_within(chapters: list[dict], span: Span, shift: Fraction) -> list[dict]:
    """The chapters (as PyAV gives them) that lie in `span`, cut to it, `shift` seconds earlier."""
    kept = []
    for chapter in chapters:
        base = chapter["time_base"]
        start, end = chapter["start"] * base, chapter["end"] * base
        if span.end is not None:
            end = min(end, span.origin + span.end)
        if span.start is not None:
            start = max(start, shift)
        if start < end:
            place = {"start": round((start - shift) / base), "end": round((end - shift) / base)}
            kept.append({**chapter, **place})
    return kept
