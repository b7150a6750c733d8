"""What an agent's text means: grammars read a tool call or an answer from it, tools check and run the call."""

from turnenv.actions.grammars import (
    GRAMMARS,
    Answer,
    Grammar,
    HermesGrammar,
    Invalid,
    Parsed,
    PlainGrammar,
    ToolCall,
    XmlGrammar,
    make_grammar,
)
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
