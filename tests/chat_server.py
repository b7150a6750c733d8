"""A loopback server of chat completions: what it says is a function of the request."""

from tests.loopback_server import LoopbackServer


def completion(content="", *, calls=(), usage=None, finish="stop", **message):
    """One chat completion; calls are (id, name, arguments)."""
    said = {"role": "assistant", "content": content, **message}
    if calls:
        said["tool_calls"] = [
            {"id": i, "type": "function", "function": {"name": name, "arguments": arguments}}
            for i, name, arguments in calls
        ]
    choice = {"index": 0, "message": said, "finish_reason": finish}
    made = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    return made if usage is None else {**made, "usage": usage}


def usage(prompt, completion, cached=0, reasoning=0):
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def guess(request):
    """A guess that depends on the conversation alone."""
    turn = sum(message["role"] == "assistant" for message in request["messages"])
    return completion(str(10 + 7 * turn + len(request["messages"][-1]["content"]) % 5), usage=usage(100 + turn, 3, 50))


def chat_server(answer=guess):
    return LoopbackServer(answer)
