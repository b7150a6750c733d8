"""What an agent's text means: grammars read a tool call or an answer from it, tools check and run the call."""

from turnenv.actions.grammars import (
    GRAMMARS,
    Grammar,
    HermesGrammar,
    PlainGrammar,
    XmlGrammar,
    make_grammar,
)
from turnenv.actions.meaning import Answer, Invalid, Parsed, ToolCall
from turnenv.actions.tools import Tool, Toolbox, ToolError

__all__ = [
    "GRAMMARS",
    "Answer",
    "Grammar",
    "HermesGrammar",
    "Invalid",
    "Parsed",
    "PlainGrammar",
    "Tool",
    "ToolCall",
    "ToolError",
    "Toolbox",
    "XmlGrammar",
    "make_grammar",
]
