"""The simulated customer of CustomerService: how a caller replies to the agent, by fixed rules."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from turnenv.envs.customer_service.scenarios import Caller, Request, Scenario, words

_SLOTS = {
    "email": re.compile(r"\be-?mails?\b|\bidentif|\bverif|\bwho you are\b"),
    "postcode": re.compile(r"\bpost ?codes?\b|\bpostal\b|\bzip\b|\bidentif|\bverif|\bwho you are\b"),
    "order": re.compile(r"\borders?\b"),
    "item": re.compile(r"\bitems?\b|\bproducts?\b|\bwhich one\b"),
    "variant": re.compile(r"\bvariants?\b|\bsizes?\b|\bcolou?rs?\b|\binstead\b"),
    "address": re.compile(r"\baddress\b|\bwhere\b"),
}
_IDENTITY = ("email", "postcode")
_MORE = re.compile(r"\belse\b|\banything (?:more|further)\b|\bfurther (?:requests?|questions?|help)\b")
_REFUSAL = re.compile(
    r"\b(?:can ?not|can't|unable|not (?:possible|allowed|able)|sorry|unfortunately|refus\w+|declin\w+)\b"
)
_LONGEST = 5_000


@dataclass(slots=True)
class Mood:
    """What a caller has said, and how much patience is left.

    Attributes:
        patience: the caller leaves after this many more messages that do not help.
        request: the number of the current request.
        told: what the caller has given the agent for it (`_SLOTS`).
        spoken: True once the caller has replied.
        insisted: how often the caller has put pressure on the agent after a refusal.
        done: True once the caller has said that nothing else is wanted.
    """

    patience: int
    request: int = 0
    told: list[str] = field(default_factory=list)
    spoken: bool = False
    insisted: int = 0
    done: bool = False

    def key(self) -> object:
        """What distinguishes two moods."""
        return self.patience, self.request, tuple(self.told), self.spoken, self.insisted, self.done


def opening(caller: Caller) -> str:
    """The caller's first words; order numbers, addresses and the like come only when the agent asks for them."""
    greetings = words()["greetings"][caller.mood]
    greeting = greetings[len(caller.customer.email) % len(greetings)]
    return f"{greeting} {caller.first_wish or caller.requests[0].wish}"


def reply(scenario: Scenario, mood: Mood, said: str) -> str:
    """Reply to the agent, and change the mood; `mood.patience` is 0 when the caller leaves.

    The caller gives each thing that the agent asks for by name, at most `caller.answers` per message. A message that
    does not help costs patience. The caller takes a first wish back in the first reply, whatever the agent said, puts
    pressure on a refusal, and names the next request when the agent asks whether there is anything else.

    Args:
        scenario: the shop and its caller.
        mood: changed in place.
        said: what the agent said; only its first 5,000 characters are read.
    """
    caller, sayings = scenario.caller, words()["sayings"]
    heard = said[:_LONGEST].lower()
    parts = []
    if not mood.spoken and caller.first_wish:
        parts.append(sayings["change"].format(wish=caller.requests[0].wish))
    mood.spoken = True
    if scenario.orders[caller.requests[mood.request].order].tracking.lower() in heard:
        parts.append(sayings["noted"])
    if _REFUSAL.search(heard) and caller.requests[mood.request].refusal and mood.insisted < len(caller.pressure):
        parts.append(caller.pressure[mood.insisted])
        mood.insisted += 1
    if _MORE.search(heard):
        parts += _anything_else(caller, mood)
    fresh, known = _asked_for(caller.requests[mood.request], mood, heard)
    parts += [_tell(scenario, mood, slot) for slot in fresh[: caller.answers]]
    mood.told += fresh[: caller.answers]
    if parts:
        return " ".join(parts)
    mood.patience -= 1
    if mood.patience == 0:
        return str(sayings["leave"])
    if known:
        return " ".join([sayings["repeat"], *(_tell(scenario, mood, slot) for slot in known)])
    return f"{sayings['unclear']} {caller.requests[mood.request].wish}"


def _anything_else(caller: Caller, mood: Mood) -> list[str]:
    sayings = words()["sayings"]
    if mood.request + 1 < len(caller.requests):
        mood.request += 1
        mood.told = [slot for slot in mood.told if slot in _IDENTITY]
        return [sayings["next"].format(wish=caller.requests[mood.request].wish)]
    if mood.done:
        return []
    mood.done = True
    return [sayings["all"]]


def _asked_for(request: Request, mood: Mood, heard: str) -> tuple[list[str], list[str]]:
    """What the agent asks for and the caller knows: what the caller has not given yet, and what it has."""
    has = {"variant": bool(request.variant), "address": bool(request.address)}
    asked = [slot for slot, pattern in _SLOTS.items() if has.get(slot, True) and pattern.search(heard)]
    return [slot for slot in asked if slot not in mood.told], [slot for slot in asked if slot in mood.told]


def _tell(scenario: Scenario, mood: Mood, slot: str) -> str:
    caller = scenario.caller
    request = caller.requests[mood.request]
    if slot == "order" and request.refusal == "not_their_order":
        slot = "friend"
    saying: str = words()["sayings"][slot]
    return saying.format(
        email=caller.customer.email,
        postcode=caller.customer.postcode,
        order=request.order,
        product=request.product,
        variant=request.variant,
        address=request.address,
        friend=caller.friend,
    )
