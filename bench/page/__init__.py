"""The page that `python -m bench.report` writes: what stands on it, and how it looks as Markdown and as HTML."""
