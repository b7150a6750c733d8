"""`import turnenv` makes the ids known to Gymnasium, whichever of the two comes first, and imports no Gymnasium."""

from __future__ import annotations

import importlib
import importlib.util
import pickle
import subprocess
import sys
import threading

import gymnasium
import pytest

import turnenv
from turnenv.envs import IDS
from turnenv.envs.registration import register_with_gymnasium

WAITING = "[type(finder).__name__ for finder in sys.meta_path].count('_Waiting')"


def run(code: str, *flags: str) -> str:
    ran = subprocess.run([sys.executable, *flags, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@pytest.mark.parametrize("first", ["turnenv, gymnasium", "gymnasium, turnenv"])
def test_either_order(first: str) -> None:
    code = f"import sys, {first}; made = gymnasium.make('turnenv/GuessNumber-v0'); print(made.spec.id, {WAITING})"
    assert run(code) == "turnenv/GuessNumber-v0 0"


@pytest.mark.parametrize(
    "after",
    [
        "from gymnasium.envs.registration import registry",
        "import gymnasium.vector; registry = gymnasium.registry",
        "from turnenv import TextEnv; registry = sys.modules['gymnasium'].registry",
        "from turnenv.envs.guess_number import GuessNumber; registry = sys.modules['gymnasium'].registry",
    ],
)
def test_any_way_in_registers_every_id(after: str) -> None:
    code = f"import sys, turnenv; waiting = {WAITING}; {after}; print(waiting, {WAITING}, all(i in registry for i in "
    assert run(code + "turnenv.envs.IDS))") == "1 0 True"


def test_the_module_is_as_it_would_be_without_turnenv() -> None:
    told = "import gymnasium.envs.registration as m, inspect; print(type(m.__loader__), type(m.__spec__.loader), "
    told += "m.__file__, m.__cached__, len(inspect.getsource(m)))"
    assert run("import turnenv; " + told) == run(told)


def test_a_module_that_nobody_imports_is_left_alone() -> None:
    code = "import sys, turnenv, importlib.util; spec = importlib.util.find_spec('gymnasium'); "
    assert run(code + f"print(spec.name, 'gymnasium' in sys.modules, {WAITING})") == "gymnasium False 1"


def test_finding_the_registry_without_running_it_keeps_the_finder() -> None:
    code = (
        "import sys, turnenv\n"
        "finder = sys.meta_path[0]\n"
        "import importlib.util, gymnasium\n"
        "sys.meta_path.insert(0, finder)\n"
        "spec = finder.find_spec('gymnasium.envs.registration', gymnasium.envs.__path__)\n"
        f"print(spec.name, {WAITING})"
    )
    assert run(code) == "gymnasium.envs.registration 1"


def test_without_gymnasium_the_light_rooms_work_and_the_rest_says_what_is_missing() -> None:
    code = (
        "import sys; sys.modules['gymnasium'] = None\n"
        "import turnenv, turnenv.credit, turnenv.actions\n"
        "print(turnenv.Episode.__name__, 'mt_grpo' in turnenv.credit.ESTIMATORS)\n"
        "try: turnenv.TextEnv\n"
        "except ImportError as error: print(error.name)"
    )
    assert run(code).split() == ["Episode", "True", "gymnasium"]


def test_another_finder_that_asks_all_finders_ends() -> None:
    code = (
        "import sys, importlib.util, turnenv\n"
        "class Asking:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        for finder in sys.meta_path:\n"
        "            spec = None if finder is self else finder.find_spec(name, path, target)\n"
        "            if spec is not None: return spec\n"
        "sys.meta_path.insert({}, Asking())\n"
        "import gymnasium; print('turnenv/GuessNumber-v0' in gymnasium.registry)"
    )
    assert run(code.format(0)) == run(code.format(1)) == "True"


def test_threads_that_import_both_at_once() -> None:
    code = (
        "import importlib, sys, threading\n"
        "barrier = threading.Barrier(8)\n"
        "failures = []\n"
        "def work(name):\n"
        "    barrier.wait()\n"
        "    try:\n"
        "        importlib.import_module(name)\n"
        "        import turnenv, gymnasium; gymnasium.make('turnenv/GuessNumber-v0')\n"
        "    except Exception as error: failures.append(repr(error))\n"
        "threads = [threading.Thread(target=work, args=(name,)) for name in ('turnenv', 'gymnasium') * 4]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        f"print(failures, {WAITING})"
    )
    assert run(code) == "[] 0"


def test_an_interrupted_import_of_gymnasium_can_be_repeated() -> None:
    code = (
        "import sys, turnenv, turnenv.envs.registration as ours\n"
        "real, ours.register_all = ours.register_all, lambda: 1 / 0\n"
        "try: import gymnasium\n"
        "except ZeroDivisionError: print('failed')\n"
        "ours.register_all = real\n"
        "for name in [name for name in sys.modules if name.startswith('gymnasium')]: del sys.modules[name]\n"
        f"import gymnasium; print('turnenv/GuessNumber-v0' in gymnasium.registry, {WAITING})"
    )
    assert run(code).split() == ["failed", "True", "0"]


def test_reloading_and_repeating_add_nothing() -> None:
    finders, known = list(sys.meta_path), dict(gymnasium.registry)
    importlib.reload(turnenv)
    threads = [threading.Thread(target=register_with_gymnasium) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sys.meta_path == finders
    assert dict(gymnasium.registry) == known


def test_a_pickled_environment_brings_the_ids_with_it() -> None:
    env = gymnasium.make("turnenv/GuessNumber-v0").unwrapped
    code = f"import pickle; env = pickle.loads({pickle.dumps(env)!r}); import gymnasium; "
    assert run(code + "print(env.spec.id, 'turnenv/WordGuess-v0' in gymnasium.registry)") == (
        "turnenv/GuessNumber-v0 True"
    )


def test_workers_of_a_spawned_batch_know_the_ids() -> None:
    code = (
        "import gymnasium, turnenv\n"
        "if __name__ == '__main__':\n"
        "    make = [lambda: gymnasium.make('turnenv:turnenv/GuessNumber-v0')] * 2\n"
        "    batch = gymnasium.vector.AsyncVectorEnv(make, shared_memory=False, context='spawn')\n"
        "    print(batch.reset(seed=[0, 0])[0][1]); batch.close()"
    )
    assert run(code) == "Guess the number between 1 and 50."


def test_the_table_needs_no_gymnasium() -> None:
    code = "import sys; sys.modules['gymnasium'] = None; from turnenv.envs import TABLE; print(len(TABLE))"
    assert run(code) == str(len(IDS))
