"""Which of TRL's settings have no place where episodes are played by turnenv, and why."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_ESTIMATOR = "the estimator makes the advantages; use credit and credit_kwargs instead"
_SAMPLER = "turns are sampled with temperature, top_p and top_k only"
_ENGINE = "turns are sampled by turnenv's own engine"
_SERVER = "with a server, TRL mixes up the turns of processes whose episodes differ in length, and they wait forever"
_EVALUATION = "an evaluation plays episodes and reports their metrics"
_SEEDS = "the batches are groups of episodes, in the dataset's order or shuffled (shuffle_dataset)"

REFUSED: Mapping[str, str] = MappingProxyType(
    {
        "scale_rewards": _ESTIMATOR,
        "multi_objective_aggregation": _ESTIMATOR,
        "reward_weights": _ESTIMATOR,
        "min_p": _SAMPLER,
        "repetition_penalty": _SAMPLER,
        "generation_kwargs": _SAMPLER,
        "cache_implementation": f"{_ENGINE}, which chooses the cache that is exact for the model",
        "use_transformers_continuous_batching": _ENGINE,
        "transformers_continuous_batching_config": _ENGINE,
        "use_transformers_paged": _ENGINE,
        "max_tool_calling_iterations": "an episode's turns are limited by max_turns",
        "max_completion_length": "episodes are limited by max_turn_tokens, max_turns and max_episode_tokens",
        "ds3_gather_for_generation": "without gathering, processes whose episodes differ in length wait for each other "
        "forever; leave it True",
        "log_multimodal": "episodes have no images",
        "remove_unused_columns": "it would remove the episodes' seeds; leave it False",
        "label_names": "there are no labels",
        "label_smoothing_factor": "there are no labels",
        "neftune_noise_alpha": "the policy with noise is not the one that played; drop it",
        "include_num_input_tokens_seen": "num_tokens counts them in every run",
        "include_for_metrics": _EVALUATION,
        "batch_eval_metrics": _EVALUATION,
        "prediction_loss_only": _EVALUATION,
        "eval_do_concat_batches": _EVALUATION,
        "eval_use_gather_object": _EVALUATION,
        "eval_accumulation_steps": _EVALUATION,
        "train_sampling_strategy": _SEEDS,
        "length_column_name": _SEEDS,
        "vllm_enable_sleep_mode": "sleeping discards vLLM's weights and its prefix cache after every turn, so that "
        "each turn of an episode would push all weights and read the whole episode again; leave it False",
        "vllm_structured_outputs_regex": "vLLM would draw from a distribution that the loss does not know",
        "vllm_tensor_parallel_size": "processes that share an engine make the same calls, and their episodes do not; "
        "leave it 1, an engine per process",
        "vllm_importance_sampling_cap": "TRL gives it up; use vllm_importance_sampling_clip_max",
        "vllm_mode": f"{_SERVER}; leave it 'colocate'",
        **dict.fromkeys(
            (
                "vllm_server_base_url",
                "vllm_server_host",
                "vllm_server_port",
                "vllm_server_timeout",
                "vllm_group_port",
            ),
            f"{_SERVER}; drop it",
        ),
    }
)
"""Settings that only their default is taken for: name → why any other value is refused."""

OF_VLLM = (
    "vllm_model_impl",
    "vllm_gpu_memory_utilization",
    "vllm_max_model_length",
    "vllm_importance_sampling_correction",
    "vllm_importance_sampling_mode",
    "vllm_importance_sampling_clip_max",
    "vllm_importance_sampling_clip_min",
)
"""Settings that only their default is taken for without `use_vllm`."""
