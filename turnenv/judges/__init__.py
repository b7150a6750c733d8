"""Judges of turns: `EndpointJudge` asks a server; `turnenv.judges.local` runs a model here; `probes` test either."""

from turnenv.judges.endpoint import EndpointJudge, Judge, JudgeError, Message

__all__ = ["EndpointJudge", "Judge", "JudgeError", "Message"]
