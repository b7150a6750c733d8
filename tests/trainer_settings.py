"""The verdict on each setting of TRL, and the page that shows them: `python tests/trainer_settings.py` writes it."""

from __future__ import annotations

from pathlib import Path

from turnenv.training.settings import REFUSED

PAGE = Path(__file__).parents[1] / "turnenv" / "training" / "SETTINGS.md"

_TRAINER, _RATIO, _SETTINGS, _LIMITS, _RUNS, _DISTRIBUTED = (
    f"test_training_{name}::test_" for name in ("trainer", "ratio", "settings", "limits", "runs", "distributed")
)
_GRADIENT = f"{_TRAINER}the_gradient_is_the_one_worked_out_in_plain_torch"
_LOSSES = f"{_RATIO}each_loss_at_each_level_has_the_gradient_worked_out_in_plain_torch"
_CONSTANTS = f"{_RATIO}constants_of_the_losses_are_read"
_NEUTRAL = f"{_SETTINGS}what_is_no_part_of_the_objective_changes_no_gradient"
_ADAPTIVE = f"{_SETTINGS}adaptive_entropy_measures_sampled_tokens"
_KL = f"{_RATIO}kl_is_of_the_policys_own_log_probabilities"
_RESUME = f"{_TRAINER}resuming_in_the_middle_of_a_batch_is_exact"
_EVALUATION = f"{_TRAINER}evaluation_plays_each_seed_once_in_its_own_environment"
_STEPS = f"{_SETTINGS}the_steps_on_a_batch_are_its_parts"
_REFERENCE = f"{_RUNS}a_reference_model_that_follows_is_the_mixture_that_was_asked_for"
_COMPILED = f"{_RUNS}a_compiled_policy_takes_the_same_steps"
_EARLY = f"{_RUNS}an_evaluation_before_training_changes_no_step"
_SHARDED = f"{_DISTRIBUTED}three_steps_of_two_processes_equal_those_of_one"
_CUT = f"{_RATIO}no_ratio_is_taken_to_a_distribution_that_was_cut"

_VLLM = "test_training_vllm::test_"
_OF_TURNS = f"{_VLLM}the_correction_is_of_turns_where_the_ratio_is"

RIGHT = {
    "use_vllm": f"{_VLLM}steps_with_vllm_have_the_gradient_of_the_transformers_engine_on_the_same_tokens",
    "vllm_max_model_length": f"{_VLLM}the_context_is_what_the_engine_was_given",
    "vllm_importance_sampling_correction": f"{_VLLM}the_correction_weighs_the_gradient",
    "vllm_importance_sampling_mode": _OF_TURNS,
    "vllm_importance_sampling_clip_max": _OF_TURNS,
    "vllm_importance_sampling_clip_min": _OF_TURNS,
    "num_generations": f"{_TRAINER}the_members_of_a_group_play_the_same_task",
    "num_generations_eval": _EVALUATION,
    "per_device_eval_batch_size": _EVALUATION,
    "eval_strategy": _EVALUATION,
    "eval_steps": _EVALUATION,
    "per_device_train_batch_size": f"{_TRAINER}accumulated_batches_give_the_gradient_of_the_whole",
    "gradient_accumulation_steps": f"{_TRAINER}accumulated_batches_give_the_gradient_of_the_whole",
    "steps_per_generation": _STEPS,
    "generation_batch_size": _STEPS,
    "num_iterations": f"{_RATIO}the_second_step_on_a_batch_has_the_ratio_that_was_asked_for",
    "importance_sampling_level": _LOSSES,
    "loss_type": _LOSSES,
    "epsilon": _LOSSES,
    "epsilon_high": _LOSSES,
    "delta": _CONSTANTS,
    "sapo_temperature_neg": _CONSTANTS,
    "sapo_temperature_pos": _CONSTANTS,
    "vespo_k_pos": _CONSTANTS,
    "vespo_lambda_pos": _CONSTANTS,
    "vespo_k_neg": _CONSTANTS,
    "vespo_lambda_neg": _CONSTANTS,
    "beta": _KL,
    "use_bias_correction_kl": _KL,
    "off_policy_mask_threshold": f"{_RATIO}the_off_policy_mask_reads_how_far_the_policy_has_moved",
    "top_p": _CUT,
    "top_k": _CUT,
    "temperature": f"{_SETTINGS}the_temperature_is_the_samplers_and_the_losss",
    "top_entropy_quantile": f"{_SETTINGS}top_entropy_quantile_is_over_sampled_tokens",
    "entropy_coef": f"{_SETTINGS}the_entropy_bonus_is_of_sampled_tokens",
    "use_adaptive_entropy": _ADAPTIVE,
    "entropy_coef_delta": _ADAPTIVE,
    "entropy_target": _ADAPTIVE,
    "mask_truncated_completions": f"{_LIMITS}truncated_episodes_are_masked_whichever_limit_cut_them",
    "log_completions": f"{_LIMITS}completions_are_logged_turn_by_turn_with_our_advantages",
    "pad_to_multiple_of": _NEUTRAL,
    "cast_lm_head_to_fp32": _NEUTRAL,
    "disable_dropout": _NEUTRAL,
    "gradient_checkpointing": f"{_TRAINER}gradient_checkpointing_changes_nothing",
    "gradient_checkpointing_kwargs": _NEUTRAL,
    "activation_checkpointing": _NEUTRAL,
    "activation_checkpointing_kwargs": _NEUTRAL,
    "use_cache": _NEUTRAL,
    "dataloader_num_workers": _NEUTRAL,
    "average_tokens_across_devices": _NEUTRAL,
    "torch_empty_cache_steps": _NEUTRAL,
    "bf16": f"{_SETTINGS}bf16_keeps_the_direction_of_the_gradient",
    "shuffle_dataset": f"{_SETTINGS}the_order_of_the_seeds_is_shuffled_or_kept",
    "seed": f"{_SETTINGS}runs_of_a_seed_are_equal_and_of_others_differ",
    "save_strategy": _RESUME,
    "save_steps": _RESUME,
    "resume_from_checkpoint": _RESUME,
    "max_steps": _RESUME,
    "save_total_limit": f"{_RUNS}the_last_checkpoint_that_is_kept_has_all_that_is_needed",
    "num_train_epochs": f"{_RUNS}resuming_in_the_middle_of_an_epoch_plays_what_was_left_of_it",
    "eval_delay": _EARLY,
    "eval_on_start": _EARLY,
    "sync_ref_model": _REFERENCE,
    "ref_model_mixup_alpha": _REFERENCE,
    "ref_model_sync_steps": _REFERENCE,
    "torch_compile": _COMPILED,
    "torch_compile_backend": _COMPILED,
    "report_to": f"{_RUNS}loggers_get_numbers_that_json_knows",
    "ddp_backend": f"{_DISTRIBUTED}two_processes_sharing_a_group_equal_one",
    "fsdp": _SHARDED,
    "fsdp_config": _SHARDED,
}
"""Setting → the test that shows it to be right on episodes with turns."""

_WEIGHTS = "how weights are loaded; episodes are played with whatever is loaded"
_OPTIMIZER = "what the optimizer does with the gradient"
_LOGS = "where and when metrics are logged"
_SAVES = "when and where checkpoints are written"
_HUB = "what is uploaded to the hub"
_LOADER = "how rows of seeds are loaded; their order is TRL's sampler's"
_DEVICES = "how processes and devices work together; accelerate's"
_PRECISION = "numbers' precision and kernels; PyTorch's"
_LIGER = "Liger's kernels, which are missed before an episode is played if they are not installed; not tested with them"
_SHOWN = "how much of log_completions is shown"

NOT_OURS = {
    **dict.fromkeys(("model_init_kwargs", "trust_remote_code"), _WEIGHTS),
    "router_aux_loss_coef": "a mixture of experts' own loss, over all tokens that it reads",
    "chat_template_kwargs": "passed to the chat template, whose frames are checked when the trainer is made",
    **dict.fromkeys(("entropy_coef_min", "entropy_coef_max"), "bounds of the adaptive coefficient"),
    **dict.fromkeys(("num_completions_to_print", "log_unique_prompts", "log_completions_hub_repo"), _SHOWN),
    **dict.fromkeys(
        (
            "learning_rate",
            "lr_scheduler_type",
            "lr_scheduler_kwargs",
            "warmup_steps",
            "optim",
            "optim_args",
            "optim_target_modules",
            "weight_decay",
            "adam_beta1",
            "adam_beta2",
            "adam_epsilon",
            "max_grad_norm",
        ),
        _OPTIMIZER,
    ),
    **dict.fromkeys(("vllm_gpu_memory_utilization", "vllm_model_impl"), "how vLLM runs the model"),
    **dict.fromkeys(
        (
            "fp16",
            "bf16_full_eval",
            "fp16_full_eval",
            "tf32",
            "torch_compile_mode",
        ),
        _PRECISION,
    ),
    **dict.fromkeys(("use_liger_kernel", "liger_kernel_config"), _LIGER),
    "auto_find_batch_size": "TRL refuses it: a smaller batch would break groups",
    **dict.fromkeys(
        (
            "logging_strategy",
            "logging_steps",
            "logging_first_step",
            "log_on_each_node",
            "logging_nan_inf_filter",
            "log_level",
            "log_level_replica",
            "disable_tqdm",
            "run_name",
            "project",
            "trackio_space_id",
            "trackio_bucket_id",
            "trackio_static_space_id",
            "debug",
            "skip_memory_metrics",
        ),
        _LOGS,
    ),
    **dict.fromkeys(
        (
            "output_dir",
            "save_only_model",
            "save_on_each_node",
            "enable_jit_checkpoint",
            "load_best_model_at_end",
            "metric_for_best_model",
            "greater_is_better",
            "ignore_data_skip",
            "restore_callback_states_from_checkpoint",
        ),
        _SAVES,
    ),
    **dict.fromkeys(
        (
            "push_to_hub",
            "hub_token",
            "hub_private_repo",
            "hub_model_id",
            "hub_strategy",
            "hub_always_push",
            "hub_revision",
        ),
        _HUB,
    ),
    **dict.fromkeys(
        (
            "data_seed",
            "dataloader_drop_last",
            "dataloader_pin_memory",
            "dataloader_persistent_workers",
            "dataloader_prefetch_factor",
            "dataloader_multiprocessing_context",
            "dataloader_in_order",
        ),
        _LOADER,
    ),
    **dict.fromkeys(
        (
            "full_determinism",
            "use_cpu",
            "accelerator_config",
            "parallelism_config",
            "ddp_find_unused_parameters",
            "ddp_bucket_cap_mb",
            "ddp_broadcast_buffers",
            "ddp_static_graph",
            "ddp_timeout",
            "deepspeed",
            "local_rank",
        ),
        _DEVICES,
    ),
    **dict.fromkeys(("do_train", "do_eval", "do_predict"), "not read by a trainer; for scripts"),
}
"""Setting → what it does, which episodes with turns do not change."""


def page() -> str:
    """The page of all settings."""
    right = [f"| `{name}` | right | `{test}` |" for name, test in sorted(RIGHT.items())]
    refused = [f"| `{name}` | refused | {why} |" for name, why in sorted(REFUSED.items())]
    others = [f"| `{name}` | not ours | {what} |" for name, what in sorted(NOT_OURS.items())]
    return "\n".join(
        [
            "# Settings of TRL",
            "",
            "Made by `python tests/trainer_settings.py`. Every field of TRL's `GRPOConfig`, on episodes with turns:",
            "right, shown by a test against plain PyTorch on ragged episodes with the environment's tokens in between;",
            "refused, with the sentence that is said; or not ours, since turns change nothing about it.",
            "",
            "| setting | verdict | shown by, or why |",
            "|---|---|---|",
            *right,
            *refused,
            *others,
            "",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
