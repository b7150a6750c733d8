"""A turnenv environment in TRL's stock GRPOTrainer: all of TRL runs, only the sampled texts are scripted."""

import gymnasium
import pytest

from turnenv.actions import HermesGrammar
from turnenv.adapters.trl import environment_factory, outcome_reward, turn_reward
from turnenv.envs import IDS
from turnenv.search import SearchError

TRIVIA = "turnenv/TriviaSearch-v0"


def said(text):
    return [{"role": "assistant", "content": text}]


@pytest.mark.parametrize("env_id", IDS)
def test_the_tools_that_transformers_sees_are_the_environments(env_id):
    from transformers.utils import get_json_schema

    env = gymnasium.make(env_id).unwrapped
    adapter = environment_factory(env_id)()
    names = [tool["function"]["name"] for tool in env.tools] or ["act"]
    for name, tool in zip(names, env.tools or [None], strict=True):
        seen = get_json_schema(getattr(adapter, name))["function"]
        assert seen["name"] == name
        if tool is not None:
            wanted = tool["function"]["parameters"]
            assert set(seen["parameters"]["properties"]) == set(wanted["properties"])
            assert sorted(seen["parameters"].get("required", [])) == sorted(wanted.get("required", []))


def test_calls_are_turns_and_the_closing_message_is_the_answer():
    by_hand = gymnasium.make(TRIVIA, grammar="hermes")
    first, _ = by_hand.reset(seed=7)
    result, *_ = by_hand.step(HermesGrammar().call("search", {"query": first}))
    *_, info = by_hand.step("Paris")

    adapter = environment_factory(TRIVIA)()
    assert adapter.reset(seed=7, prompt="not read") == first
    assert f"<tool_response>\n{adapter.search(query=first)}\n</tool_response>" == result
    assert outcome_reward([said("Paris")], [adapter]) == [info["outcome"]["reward"]]
    assert turn_reward([said("Paris")], [adapter]) == [sum(info["turn_rewards"])]
    assert "over" in adapter.search(query="more")


def test_a_wrong_call_is_a_turn():
    adapter = environment_factory(TRIVIA, max_turns=3)()
    adapter.reset(seed=7)
    assert "wrong arguments" in adapter.search(quest="x")
    assert turn_reward([said("")], [adapter]) == [0.0]


def test_a_game_is_played_by_one_tool():
    adapter = environment_factory("turnenv/GuessNumber-v0", low=1, high=4)()
    adapter.reset(seed=0, task=2)
    assert "higher" in adapter.act("2")
    assert adapter.act("3") == "Correct!"
    assert outcome_reward([said("done")], [adapter]) == [1.0]
    assert turn_reward([said("done")], [adapter]) == [0.5]


def test_an_episode_that_the_model_leaves_has_no_outcome():
    adapter = environment_factory("turnenv/GuessNumber-v0", low=1, high=4)()
    adapter.reset(seed=0, task=2)
    adapter.act("2")
    assert outcome_reward([[{"role": "tool", "content": "…"}]], [adapter]) == [0.0]
    assert turn_reward([said("3")], [adapter]) == [0.25]


def test_a_fault_has_no_reward():
    class Down:
        def search(self, query):
            raise SearchError("no server")

    adapter = environment_factory(TRIVIA, search=Down())()
    adapter.reset(seed=0)
    adapter.search(query="x")
    assert outcome_reward([said("Paris")], [adapter]) == turn_reward([said("Paris")], [adapter]) == [None]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    """A language model of random weights that reads bytes, with the chat template of Qwen 3."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
    from trl.chat_template_utils import qwen3_chat_template

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_ = Tokenizer(models.BPE(vocab={word: index for index, word in enumerate(special + letters)}, merges=[]))
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bytes_.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bytes_, pad_token=special[0], eos_token=special[2], extra_special_tokens=special[1:2]
    )
    tokenizer.chat_template = qwen3_chat_template
    config = LlamaConfig(
        vocab_size=len(special + letters),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=16_384,
        pad_token_id=0,
        eos_token_id=2,
        bos_token_id=None,
    )
    folder = tmp_path_factory.mktemp("bytes")
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing.*` is deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:You are using 'environment_factory':UserWarning")
def test_the_stock_trainer_plays_and_learns(model_folder, tmp_path, monkeypatch):
    """Half of a group searches before it answers; TRL's own rewards show it, and a step is taken."""
    from trl import GRPOTrainer

    from baselines.trl_grpo import make_trainer, parse

    rounds = []

    def write(trainer, prompt_ids, *_, **__):
        call = HermesGrammar().call("search", {"query": "capital of France"}) + "<|im_end|>"
        texts = [call if not rounds and row % 2 else "Paris<|im_end|>" for row in range(len(prompt_ids))]
        rounds.append(trainer.processing_class.batch_decode(prompt_ids))
        return [trainer.processing_class(text)["input_ids"] for text in texts], None

    monkeypatch.setattr(GRPOTrainer, "_generate_single_turn", write)
    run = "--use_cpu --max_steps 1 --per_device_train_batch_size 4 --num_generations 4 --max_completion_length 4096"
    argv = [*f"--model {model_folder} --output_dir {tmp_path} {run} --bf16 false --report_to none".split()]
    trainer = make_trainer(*parse([*argv, "--logging_steps", "1", "--learning_rate", "0.01"]))
    before = {name: weight.detach().clone() for name, weight in trainer.model.named_parameters()}
    trainer.train()

    asked, told = rounds
    assert len(asked) == 4
    assert len(set(asked)) == 1
    assert "Question: " in asked[0]
    assert "Search an encyclopedia" in asked[0]
    assert len(told) == 2
    assert "<tool_response>\nFrance: " in told[0]
    logged = trainer.state.log_history[0]
    assert logged["rewards/turn_reward/mean"] == pytest.approx(0.1)
    assert logged["reward"] == pytest.approx(logged["rewards/outcome_reward/mean"] + 0.1)
    assert logged["tools/call_frequency"] == pytest.approx(0.5)
    assert logged["tools/failure_frequency"] == 0.0
    assert any(not weight.equal(before[name]) for name, weight in trainer.model.named_parameters())
