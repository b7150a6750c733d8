"""How well a message keeps to the paper's format."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["format_scores"]


def format_scores(text: str) -> Mapping[str, float]:
    """The two format scores of arXiv 2505.11821's code (`xml_parser.py`), with nothing paid for absent tags.

    `xml_format`: 0.4 · (share of reasoning and action that is there), and if either is: + 0.2 if each tag has its
    own line, + 0.2 if the message starts with `<reasoning>`, + 0.2 if it ends with `</tool>` or `</answer>`.
    `xml_tags`: mean over the four tags of `1 - |count - 1|`, at least 0.
    """
    action = "answer" if "<answer>" in text and "<tool>" not in text else "tool"
    bodies = [body for body in (_first_body(text, "reasoning"), _first_body(text, action)) if body is not None]
    spaced = all(body.startswith("\n") and body.endswith("\n") for body in bodies)
    stripped = text.strip()
    ended = stripped.endswith(("</tool>", "</answer>"))
    layout = (spaced + stripped.startswith("<reasoning>") + ended) * bool(bodies)
    counts = [text.count(tag) for name in ("reasoning", action) for tag in (f"<{name}>", f"</{name}>")]
    tags = sum(1 - abs(count - 1) for count in counts) / len(counts)
    return {"xml_format": 0.2 * len(bodies) + 0.2 * layout, "xml_tags": max(0.0, tags)}


def _first_body(text: str, tag: str) -> str | None:
    """What the first pair of tags holds, wherever it stands."""
    inside = text.find(f"<{tag}>") + len(tag) + 2
    end = text.find(f"</{tag}>", inside) if inside >= len(tag) + 2 else -1
    return None if end < 0 else text[inside:end]
