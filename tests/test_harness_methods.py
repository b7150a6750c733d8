import pytest

from benchmarks.harness.methods import Method, in_report_order, parse_methods


def test_methods_are_read_with_their_options():
    methods = parse_methods("grpo_mr, mt_grpo:accumulate=true:alpha=0.5,mt_grpo:final_turn=turn+outcome")
    assert methods == (
        Method(name="grpo_mr"),
        Method(name="mt_grpo", options={"accumulate": True, "alpha": 0.5}),
        Method(name="mt_grpo", options={"final_turn": "turn+outcome"}),
    )
    assert parse_methods(",".join(method.label for method in methods)) == methods
    assert methods[1].title == "MT-GRPO [accumulate=true, alpha=0.5]"


def test_reports_put_baselines_first_and_name_each_method_once():
    names = in_report_order(parse_methods("mt_grpo,grpo_mr") + parse_methods("grpo_or,mt_grpo:lam=0.2,mt_grpo"))
    assert [method.label for method in names] == ["grpo_or", "grpo_mr", "mt_grpo", "mt_grpo:lam=0.2"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mt-grop", "did you mean 'mt_grpo'"),
        ("mt_grpo:fnal_turn=outcome", "did you mean 'final_turn'"),
        ("mt_grpo:lam", "name=value"),
        ("grpo_mr,mt_grpo,grpo_mr", "named twice: grpo_mr"),
        (" , ", "at least one"),
    ],
)
def test_a_mistake_is_named_with_its_mend(text, says):
    with pytest.raises(ValueError, match=says):
        parse_methods(text)
