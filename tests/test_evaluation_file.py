"""The file of episodes: whatever a kill leaves of it, whole episodes are read and the torn one is cut off."""

import gzip
from dataclasses import replace

import pytest

from turnenv import End, Episode, Outcome, Turn
from turnenv.evaluation.episode_file import EpisodeFile, read_episodes
from turnenv.evaluation.folder import SettingsDifferError, keep_settings, only_one_writer

EPISODE = Episode("e", 0, 0, (Turn("seen", "said", 0.5, {}, 0, True),), Outcome(1.0, True, End.ANSWERED))
DOWN = Outcome(0.0, False, End.FAULT, {}, "down")


def written(path, count):
    file = EpisodeFile(path)
    for seed in range(count):
        file.append(replace(EPISODE, seed=seed))
    file.close()
    return path.read_bytes()


def test_every_length_that_a_kill_may_leave(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    two, three = written(path, 2), written(tmp_path / "b.jsonl.gz", 3)
    assert three.startswith(two)
    for length in range(len(two), len(three) + 1):
        path.write_bytes(three[:length])
        whole = 3 if length == len(three) else 2
        assert [episode.seed for episode in read_episodes(path)] == list(range(whole))
        file = EpisodeFile(path)
        assert len(file.episodes) == whole
        file.append(replace(EPISODE, seed=9))
        file.close()
        assert [episode.seed for episode in read_episodes(path)] == [*range(whole), 9]
    assert gzip.decompress(path.read_bytes()).count(b"\n") == 4


@pytest.mark.parametrize("tail", [b"\x00" * 30, b"nonsense"])
def test_what_a_lost_disk_leaves_behind_is_cut_off(tmp_path, tail):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(written(path, 2) + tail)
    EpisodeFile(path).close()
    assert len(read_episodes(path)) == 2


def test_plain_lines_are_read_too(tmp_path):
    path = tmp_path / "a.jsonl"
    line = EPISODE.to_json()
    for text, count in ((f"{line}\n{line}\n", 2), (f"{line}\n{line}", 2), (f"{line}\n{line[:9]}", 1)):
        path.write_text(text)
        assert len(read_episodes(path)) == count
    path.write_text("no episode")
    with pytest.raises(ValueError, match="not an episode"):
        read_episodes(path)


def test_faults_may_be_taken_out(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    file = EpisodeFile(path)
    for seed in range(4):
        file.append(replace(EPISODE, seed=seed, outcome=DOWN if seed % 2 else EPISODE.outcome))
    file.close()
    EpisodeFile(path).close()
    assert len(read_episodes(path)) == 4
    EpisodeFile(path, drop_faults=True).close()
    assert [episode.seed for episode in read_episodes(path)] == [0, 2]


def test_another_configuration_is_refused_by_name(tmp_path):
    kept = {"model": "a", "environments": []}
    keep_settings(tmp_path, {**kept, "stop": ("x",)})
    keep_settings(tmp_path, {**kept, "stop": ["x"]})
    with pytest.raises(SettingsDifferError, match=r'model was "a" and is "b"; seed was null and is 3'):
        keep_settings(tmp_path, {**kept, "model": "b", "stop": ["x"], "seed": 3})
    (tmp_path / "settings.json").unlink()
    written(tmp_path / "a.jsonl.gz", 1)
    with pytest.raises(ValueError, match=r"no settings\.json"):
        keep_settings(tmp_path, {})


def test_one_writer_at_a_time(tmp_path):
    pytest.importorskip("fcntl")
    with only_one_writer(tmp_path), pytest.raises(ValueError, match="another process"), only_one_writer(tmp_path):
        pass
    with only_one_writer(tmp_path):
        pass
