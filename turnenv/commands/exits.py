"""What a command raises becomes one line on stderr and an exit code."""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
from collections.abc import Callable

from turnenv.commands.console import SCHEMA, MistakeError, UnavailableError, visible


def exit_code(run: Callable[[], int], prog: str, *, as_json: bool = False) -> int:
    """Run a command: its own exit code, 2 for a `MistakeError`, 3 for other failures, 130 if it was interrupted.

    Args:
        run: the command.
        prog: its name, for messages.
        as_json: write the error as one JSON document.
    """

    def say(message: str) -> None:
        text = json.dumps({"schema": SCHEMA, "error": message}) if as_json else f"{prog}: error: {visible(message)}"
        print(text, file=sys.stderr)

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        return run()
    except MistakeError as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        print(f"\n{prog}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read the output (head, less) has enough; the interpreter's last flush must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UnavailableError, OSError) as error:
        say(str(error))
        return 3
    except Exception:  # noqa: BLE001 (an unforeseen failure is no answer, and Python's own exit code 1 would be one)
        traceback.print_exc()
        return 3
