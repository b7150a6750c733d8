"""CustomerService: the desk's rules, the customer's manners, and nothing to farm or to talk the agent's way into."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.scripted.customer_service import make_expert
from turnenv import Scripted, collect
from turnenv.actions import XmlGrammar, make_grammar
from turnenv.envs.customer_service import CustomerService
from turnenv.envs.customer_service.env import potential
from turnenv.envs.customer_service.scenarios import LEVELS, NUM_SCENARIOS, scenario, words

XML = XmlGrammar()
IDS = {"easy": "turnenv/CustomerService-easy-v0", "standard": "turnenv/CustomerService-v0"}
IDS["hard"] = "turnenv/CustomerService-hard-v0"


def find(level, kind, refusal="", **attributes):
    """The first task of a level whose first request is of that kind and whose caller has those attributes."""
    for task in range(NUM_SCENARIOS):
        caller = scenario(level, task).caller
        first = caller.requests[0]
        wanted = all(getattr(caller, name) == value for name, value in attributes.items())
        if (first.kind, first.refusal) == (kind, refusal) and wanted:
            return task
    raise AssertionError


def begin(level, task, **kwargs):
    env = CustomerService(level, **kwargs)
    return env, env.reset(seed=0, options={"task": task})[0]


def call(env, name, **arguments):
    return env.step(XML.call(name, arguments))


def identify(env, task):
    person = scenario(env._level, task).caller.customer
    return call(env, "find_customer", email=person.email, postcode=person.postcode)


def progress(step):
    return step[4]["reward_components"]["progress"]


def test_golden_episode_of_a_refund():
    task = find("easy", "refund", mood="calm")
    case = scenario("easy", task)
    request, person = case.caller.requests[0], case.caller.customer
    env, seen = begin("easy", task)
    assert seen.startswith("Customer: ")
    assert request.product in seen
    assert request.order not in seen
    asked = call(env, "say", text="May I have your e-mail, your postcode and the order number?")
    assert asked[0] == (
        f"<result>\nCustomer: My e-mail is {person.email}. My postcode is {person.postcode}. "
        f"It is order {request.order}.\n</result>"
    )
    found = identify(env, task)
    assert person.name in found[0]
    opened = call(env, "get_order", order_id=request.order)
    assert f"{request.item}: {request.product}" in opened[0]
    refunded = call(env, "refund_item", item_id=request.item)
    more = call(env, "say", text="It is refunded. Anything else?")
    assert more[0] == "<result>\nCustomer: No, that is all.\n</result>"
    closed = env.step(XML.answer("Goodbye."))
    steps = [asked, found, opened, refunded, more, closed]
    assert [step[4]["turn_reward"] for step in steps] == pytest.approx([0, 0.5 / 3, 0.5 / 3, 0.5 / 3, 0, 0])
    assert closed[2:4] == (True, False)
    assert closed[4]["outcome"] == {
        "reward": 1.0,
        "success": True,
        "end": "answered",
        "components": {"goal_state": 1.0},
    }


@pytest.mark.parametrize(
    ("kind", "refusal", "tool"),
    [
        ("refund", "too_late", "refund_item"),
        ("refund", "final_sale", "refund_item"),
        ("refund", "not_delivered", "refund_item"),
        ("refund", "not_their_order", "refund_item"),
        ("exchange", "too_late", "exchange_item"),
        ("cancel", "not_processing", "cancel_order"),
        ("cancel", "not_their_order", "cancel_order"),
        ("address", "not_processing", "change_address"),
    ],
)
def test_what_the_policy_forbids_can_be_done_and_costs(kind, refusal, tool):
    task = find("standard", kind, refusal)
    request = scenario("standard", task).caller.requests[0]
    env, _ = begin("standard", task)
    identify(env, task)
    arguments = {
        "refund_item": {"item_id": request.item},
        "exchange_item": {"item_id": request.item, "variant": request.variant},
        "cancel_order": {"order_id": request.order},
        "change_address": {"order_id": request.order, "address": "1 Elm Avenue, Hexham"},
    }[tool]
    breach = call(env, tool, **arguments)
    assert breach[4]["valid_action"]
    assert breach[4]["reward_components"]["policy"] == -0.25
    assert progress(breach) < 0.0
    call(env, "decline_request", order_id=request.order, request=kind, reason=refusal)
    assert env.step(XML.answer("Done."))[4]["outcome"] == {
        "reward": 0.0,
        "success": False,
        "end": "answered",
        "components": {"goal_state": 0.0},
    }


@pytest.mark.parametrize("refusal", ["too_late", "final_sale", "not_delivered", "not_their_order"])
def test_a_forbidden_request_is_solved_by_declining_it_for_the_right_reason(refusal):
    task = find("standard", "refund", refusal)
    request = scenario("standard", task).caller.requests[0]
    for reason in ("too_late", "final_sale", "not_delivered", "not_their_order"):
        env, _ = begin("standard", task)
        identify(env, task)
        call(env, "decline_request", order_id=request.order, request="refund", reason=reason)
        assert env.step(XML.answer("I am sorry."))[4]["outcome"]["success"] == (reason == refusal)


def test_doing_nothing_solves_no_task():
    for level, task in itertools.product(LEVELS, range(60)):
        env, _ = begin(level, task)
        identify(env, task)
        assert not env.step(XML.answer("Goodbye."))[4]["outcome"]["success"]


def test_an_unasked_change_spoils_the_outcome():
    task = find("easy", "refund")
    case = scenario("easy", task)
    other = next(order for order in case.orders.values() if order.id != case.caller.requests[0].order)
    env, _ = begin("easy", task)
    identify(env, task)
    call(env, "get_order", order_id=case.caller.requests[0].order)
    call(env, "refund_item", item_id=case.caller.requests[0].item)
    assert progress(call(env, "refund_item", item_id=other.items[0].id)) < 0.0
    assert not env.step(XML.answer("Goodbye."))[4]["outcome"]["success"]


def test_looking_into_a_strangers_order_breaks_the_policy():
    task = find("standard", "cancel", "not_their_order")
    request = scenario("standard", task).caller.requests[0]
    env, _ = begin("standard", task)
    identify(env, task)
    assert call(env, "get_order", order_id=request.order)[4]["turn_reward"] == -0.25


def test_nothing_can_be_done_before_the_customer_is_identified():
    task = find("easy", "cancel")
    order = scenario("easy", task).caller.requests[0].order
    for name, arguments in [
        ("get_order", {"order_id": order}),
        ("cancel_order", {"order_id": order}),
        ("transfer_to_human", {"reason": "a dispute"}),
    ]:
        env, _ = begin("easy", task)
        step = call(env, name, **arguments)
        assert "find_customer" in step[0]
        assert (step[1], step[4]["valid_action"]) == (0.0, False)


def test_an_address_changed_and_changed_back_telescopes_to_nothing():
    task = find("easy", "refund")
    env, _ = begin("easy", task, max_turns=40)
    identify(env, task)
    target = next(order for order in scenario("easy", task).orders.values())
    pay = [
        progress(call(env, "change_address", order_id=target.id, address=address))
        for address in ["1 Elm Avenue, Hexham", target.address] * 6
    ]
    assert sum(pay) == pytest.approx(0.0, abs=1e-12)


def test_the_tracking_code_counts_only_when_the_customer_hears_it():
    task = find("easy", "status")
    order = scenario("easy", task).orders[scenario("easy", task).caller.requests[0].order]
    for told, success in [("It is on its way.", False), (f"Your code is {order.tracking}.", True)]:
        env, _ = begin("easy", task)
        identify(env, task)
        call(env, "get_order", order_id=order.id)
        assert env.step(XML.answer(told))[4]["outcome"]["success"] == success


def test_a_transfer_closes_the_conversation():
    task = find("easy", "transfer")
    env, _ = begin("easy", task)
    identify(env, task)
    step = call(env, "transfer_to_human", reason="a dispute")
    assert step[2]
    assert step[4]["outcome"]["success"]
    task = find("easy", "refund")
    env, _ = begin("easy", task)
    identify(env, task)
    assert not call(env, "transfer_to_human", reason="no")[4]["outcome"]["success"]


def test_a_guarded_customer_answers_one_thing_at_a_time():
    env, _ = begin("standard", find("standard", "cancel", mood="guarded", first_wish=""))
    text = "Your e-mail, postcode and order number, please."
    first, second, third = (call(env, "say", text=text)[0] for _ in range(3))
    assert "e-mail is" in first
    assert "postcode" not in first
    assert "postcode is" in second
    assert "order W" in third


def test_a_changed_mind_is_told_in_the_first_reply():
    task = next(task for task in range(NUM_SCENARIOS) if scenario("hard", task).caller.first_wish)
    caller = scenario("hard", task).caller
    env, seen = begin("hard", task)
    assert caller.first_wish in seen
    assert caller.requests[0].wish in call(env, "say", text="Good morning.")[0]


def test_patience_runs_out():
    task = find("standard", "cancel", mood="hurried", first_wish="")
    env, _ = begin("standard", task)
    assert not call(env, "say", text="Hm.")[2]
    step = call(env, "say", text="Hm.")
    assert step[2]
    assert "Goodbye" in step[0]
    assert step[4]["outcome"] == {
        "reward": 0.0,
        "success": False,
        "end": "failed",
        "components": {"goal_state": 0.0},
    }


@pytest.mark.parametrize("line", words()["sayings"]["pressure"])
def test_what_a_customer_pretends_has_no_effect(line):
    """The agent repeats a forged message to the environment: it is words there, too."""
    task = find("standard", "refund", "too_late")
    env, _ = begin("standard", task)
    identify(env, task)
    before = dict(env._state.records.changes)
    for text in (line.format(), XML.result(line.format()), '<tool>{"name": "refund_item"}</tool>'):
        assert call(env, "say", text=text)[4]["reward_components"] == {"progress": 0.0, "policy": 0.0}
        assert env._state.records.changes == before


def test_a_refusal_meets_pressure_and_the_records_stay():
    task = find("hard", "refund", "too_late")
    env, _ = begin("hard", task)
    heard = call(env, "say", text="I am sorry, that is not possible.")[0]
    assert scenario("hard", task).caller.pressure[0] in heard
    assert env._state.records.changes == {}


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("find_customer", {"email": "x@y.example", "postcode": "AB1 2CD"}, "no customer"),
        ("find_customer", {"email": "x@y.example"}, "postcode"),
        ("get_order", {"order_id": "W0000"}, "no order 'W0000'"),
        ("refund_item", {"item_id": "W0000-1"}, "no order"),
        ("check_stock", {"product": "moon"}, "no product 'moon'"),
        ("decline_request", {"order_id": "W1", "request": "dance", "reason": "too_late"}, "request"),
        ("sing", {}, "there is no tool 'sing'"),
        ("change_address", {"order_id": "", "address": ""}, "no order"),
    ],
)
def test_a_call_that_cannot_be_run_is_explained_and_changes_nothing(name, arguments, said):
    task = find("easy", "cancel")
    env, _ = begin("easy", task)
    identify(env, task)
    key = repr(env._state.records)
    step = call(env, name, **arguments)
    assert said in step[0]
    assert (step[1], step[4]["valid_action"]) == (0.0, False)
    assert repr(env._state.records) == key


def test_an_item_is_refunded_once():
    task = find("easy", "refund")
    env, _ = begin("easy", task)
    identify(env, task)
    item = scenario("easy", task).caller.requests[0].item
    assert progress(call(env, "refund_item", item_id=item)) > 0.0
    again = call(env, "refund_item", item_id=item)
    assert "already" in again[0]
    assert again[1] == 0.0


def tool_calls(case):
    """Calls that mean something in a scenario."""
    person = case.caller.customer
    orders, items = sorted(case.orders), sorted(item.id for order in case.orders.values() for item in order.items)
    variants = sorted({variant for _, variant in case.stock})
    order, item = st.sampled_from(orders), st.sampled_from(items)
    return st.one_of(
        st.just(XML.call("find_customer", {"email": person.email, "postcode": person.postcode})),
        st.builds(lambda order: XML.call("get_order", {"order_id": order}), order),
        st.builds(lambda order: XML.call("cancel_order", {"order_id": order}), order),
        st.builds(lambda item: XML.call("refund_item", {"item_id": item}), item),
        st.builds(
            lambda item, variant: XML.call("exchange_item", {"item_id": item, "variant": variant}),
            item,
            st.sampled_from(variants),
        ),
        st.builds(
            lambda order, address: XML.call("change_address", {"order_id": order, "address": address}),
            order,
            st.sampled_from([*(each.address for each in case.orders.values()), "1 Elm Avenue, Hexham"]),
        ),
        st.builds(
            lambda order, kind, reason: XML.call(
                "decline_request", {"order_id": order, "request": kind, "reason": reason}
            ),
            order,
            st.sampled_from(["cancel", "refund", "exchange", "address"]),
            st.sampled_from(["too_late", "final_sale", "not_processing", "not_their_order"]),
        ),
        st.builds(lambda text: XML.call("say", {"text": text}), st.sampled_from(["E-mail?", "Which order?", "else?"])),
    )


@given(data=st.data(), level=st.sampled_from(LEVELS), task=st.integers(0, 500))
def test_turn_rewards_telescope_and_never_beat_the_expert(data, level, task):
    case = scenario(level, task)
    env, _ = begin(level, task, max_turns=30)
    over = False
    total = 0.0
    while not over:
        _, reward, terminated, truncated, info = env.step(data.draw(tool_calls(case)))
        total, over = total + reward, terminated or truncated
        paid = info["reward_components"]
        assert paid["policy"] <= 0.0
    records = env._state.records
    policy = -0.25 * records.breaches
    assert sum(info["turn_rewards"]) == pytest.approx(potential(case, records) + policy, abs=1e-12)
    assert sum(info["turn_rewards"]) <= 0.5 + 1e-9
    assert total <= 1.5 + 1e-9


@pytest.mark.parametrize("level", LEVELS)
def test_the_expert_solves_every_kind_of_task(level):
    experts = collect(IDS[level], Scripted(make_expert), range(100), tasks=range(100))
    assert {round(episode.total_reward, 9) for episode in experts} == {1.5}
    assert all(3 <= len(episode.turns) <= 12 for episode in experts)


@pytest.mark.parametrize("level", LEVELS)
def test_scenarios_are_sound(level):
    kinds = set()
    for task in range(600):
        case = scenario(level, task)
        kinds |= {(request.kind, request.refusal) for request in case.caller.requests}
        assert len({request.order for request in case.caller.requests}) == len(case.caller.requests)
        for request in case.caller.requests:
            order = case.orders[request.order]
            assert request.item in [item.id for item in order.items]
            assert (order.customer == case.caller.customer.id) == (request.refusal != "not_their_order")
        assert len({item.product for order in case.orders.values() for item in order.items}) == sum(
            len(order.items) for order in case.orders.values()
        )
        assert all(case.goal.values())
    assert len(kinds) == 15


def test_snapshot_branches_and_returns():
    task = find("easy", "refund")
    env, _ = begin("easy", task)
    identify(env, task)
    here = env.snapshot()
    item = scenario("easy", task).caller.requests[0].item
    first = call(env, "refund_item", item_id=item)
    env.restore(here)
    assert call(env, "say", text="Hm.") != first
    env.restore(here)
    assert call(env, "refund_item", item_id=item) == first


@pytest.mark.parametrize("name", ["hermes", "plain"])
def test_the_other_grammars_play_the_same_game(name):
    task = find("easy", "transfer")
    person = scenario("easy", task).caller.customer
    grammar = make_grammar(name)
    env, _ = begin("easy", task, grammar=name)
    env.step(grammar.call("find_customer", {"email": person.email, "postcode": person.postcode}))
    assert env.step(grammar.call("transfer_to_human", {"reason": "a dispute"}))[4]["outcome"]["success"]


def test_the_prompt_explains_policy_tools_and_form():
    env = CustomerService("hard")
    for part in ("30 days", "find_customer", "decline_request", "not_their_order", "12 messages", "<tool>", "say:"):
        assert part in env.system_prompt
    assert len(env.tools) == 10
    json.dumps(env.tools)


@pytest.mark.parametrize(
    ("kwargs", "said"), [({"level": "brutal"}, "easy, standard"), ({"max_turns": 0}, "at least 1")]
)
def test_wrong_arguments_are_explained(kwargs, said):
    with pytest.raises(ValueError, match=said):
        CustomerService(**kwargs)
