"""A hub that is absent, hangs up or lies is a ConnectionError with one sentence; a cached dataset still loads."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from turnenv.envs.calculator.problems import load_word_problems
from turnenv.questions import load_multihop_questions, load_questions

datasets = pytest.importorskip("datasets")

LOADERS: dict[str, Callable[..., Any]] = {
    "trivia_qa": load_questions,
    "hotpot_qa": load_multihop_questions,
    "gsm8k": load_word_problems,
}


def _raised() -> list[Exception]:
    import huggingface_hub.errors as hub
    import pyarrow as pa

    request = httpx.Request("GET", "http://127.0.0.1")
    client = [
        httpx.RemoteProtocolError("Server disconnected without sending a response."), httpx.ConnectError("refused"),
        httpx.ReadTimeout("timed out"), httpx.DecodingError("gzip"), httpx.TooManyRedirects("20"),
        httpx.InvalidURL("?"),
        httpx.HTTPStatusError("502", request=request, response=httpx.Response(502, request=request)),
    ]  # fmt: skip
    ours = [
        hub.OfflineModeIsEnabled("offline"), hub.LocalEntryNotFoundError("nothing cached"), hub.HFValidationError("id"),
        datasets.exceptions.DatasetNotFoundError("gone"), datasets.exceptions.DataFilesNotFoundError("empty"),
        datasets.exceptions.DatasetGenerationError("broken"), pa.ArrowInvalid("not a Parquet file"),
    ]  # fmt: skip
    plain = [
        OSError("no route"), ConnectionResetError(), TimeoutError("10 s"), socket.gaierror(-2, "unknown name"),
        EOFError(),
        RecursionError("deep"), KeyError("rfilename"), TypeError("null"), AttributeError("list"), IndexError(),
        MemoryError(),
        json.JSONDecodeError("Expecting value", "<html>", 0), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "start"),
        ValueError("BuilderConfig 'main' not found"), zlib.error("header"), AssertionError(),
        NotImplementedError("scheme"),
        RuntimeError("Dataset scripts\nare no longer supported"), ExceptionGroup("several", [OSError("no route")]),
    ]  # fmt: skip
    return [*client, *ours, *plain]


@pytest.mark.parametrize("source", LOADERS)
@pytest.mark.parametrize("error", _raised(), ids=lambda error: type(error).__name__)
def test_whatever_the_hub_raises_is_one_sentence(
    source: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load_dataset(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(ConnectionError, match=r"cannot be loaded: .*Connect to the Hugging Face hub once") as caught:
        LOADERS[source](source, limit=1)
    message = str(caught.value)
    assert "\n" not in message
    assert type(error).__name__ in message
    assert ("problems='generated'" if source == "gsm8k" else "questions='atlas'") in message
    assert caught.value.__cause__ is error


def test_a_hub_that_is_interrupted_stays_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(KeyboardInterrupt):
        load_questions("trivia_qa", limit=1)


@pytest.mark.parametrize("source", LOADERS)
def test_a_dataset_without_the_columns_is_a_lying_hub(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "load_dataset", lambda *args, **kwargs: datasets.Dataset.from_list([{"text": "x"}]))
    with pytest.raises(ConnectionError, match="cannot be loaded"):
        LOADERS[source](source, limit=1)


@pytest.mark.parametrize("source", LOADERS)
@pytest.mark.parametrize(
    "split", ["train[", "train[5", "train[a:b]", "train[:200%]", "dev", "train+dev", "", "train[:1]+dev[:1]"]
)
def test_a_split_is_checked_before_the_hub_is_asked(source: str, split: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "load_dataset", lambda *args, **kwargs: pytest.fail("asked"))
    with pytest.raises(ValueError, match=r"for the split|cannot read the split"):
        LOADERS[source](source, split)


PLAY = """if True:
    import sys
    from turnenv.envs.calculator.problems import load_word_problems
    from turnenv.questions import load_multihop_questions, load_questions
    loaders = {"trivia_qa": load_questions, "hotpot_qa": load_multihop_questions, "gsm8k": load_word_problems}
    for source in sys.argv[1:]:
        try:
            print(loaders[source](source, "train", limit=1))
        except ConnectionError as error:
            print(f"ConnectionError: {error}")
"""


def _play(address: str, home: Path, *sources: str) -> list[str]:
    environment = {**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0"}
    environment |= {"HF_HUB_ETAG_TIMEOUT": "1", "HF_HUB_DOWNLOAD_TIMEOUT": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-W", "ignore", "-c", PLAY, *sources]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=True)
    return done.stdout.splitlines()


@pytest.fixture
def hub_that_hangs_up() -> Any:
    import threading

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    listening.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_hub_that_hangs_up_says_what_to_do(hub_that_hangs_up: str, tmp_path: Path) -> None:
    said = _play(hub_that_hangs_up, tmp_path, *LOADERS)
    assert len(said) == len(LOADERS)
    for line in said:
        assert line.startswith("ConnectionError: ")
        assert "Connect to the Hugging Face hub once, so that it is cached" in line


def test_a_hub_that_hangs_up_leaves_what_is_cached(hub_that_hangs_up: str, tmp_path: Path) -> None:
    """As `datasets` keeps a dataset of the hub that it has loaded once."""
    rows = [{"question": "What is 2 + 2?", "answer": "<<2+2=4>>4\n#### 4"}]
    folder = tmp_path / "openai" / "gsm8k"
    (folder / "main").mkdir(parents=True)
    datasets.Dataset.from_list(rows).to_parquet(str(folder / "main" / "train.parquet"))
    card = "---\nconfigs:\n- config_name: main\n  data_files:\n  - split: train\n    path: main/train.parquet\n---\n"
    (folder / "README.md").write_text(card)
    cache = tmp_path / "home" / "datasets"
    datasets.load_dataset(str(folder), "main", cache_dir=str(cache))
    (cache / "gsm8k").rename(cache / "openai___gsm8k")
    (line,) = _play(hub_that_hangs_up, tmp_path / "home", "gsm8k")
    assert line.startswith("(WordProblem(text='What is 2 + 2?'")


def test_rows_of_the_hub_are_read_like_those_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"question": "q", "answer": {"value": "7", "aliases": [None, "seven"]}}, {"question": "r", "answer": None}]
    monkeypatch.setattr(datasets, "load_dataset", lambda *args, **kwargs: datasets.Dataset.from_list(rows))
    assert load_questions("trivia_qa", "train[:1]", limit=1)[0].answers == ("7", "seven")
    with pytest.raises(ValueError, match=r"trivia_qa, split 'train\[:2\]', row 2: 'answer' holds no answer"):
        load_questions("trivia_qa", "train[:2]")
