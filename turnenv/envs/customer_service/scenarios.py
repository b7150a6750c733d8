"""Scenarios of a shop's service desk: its customers, orders and stock, and what one caller wants."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import numpy as np

__all__ = [
    "LEVELS",
    "NUM_SCENARIOS",
    "Caller",
    "Customer",
    "Item",
    "Order",
    "Request",
    "Scenario",
    "bare",
    "scenario",
    "words",
]

#: How hard the caller makes it for the agent.
LEVELS = ("easy", "standard", "hard")
NUM_SCENARIOS = 10_000

_GRANTED = (("cancel", ""), ("refund", ""), ("exchange", ""), ("address", ""), ("status", ""), ("transfer", ""))
_REFUSED = (
    ("refund", "too_late"),
    ("refund", "final_sale"),
    ("refund", "not_delivered"),
    ("refund", "not_their_order"),
    ("exchange", "out_of_stock"),
    ("exchange", "too_late"),
    ("cancel", "not_processing"),
    ("cancel", "not_their_order"),
    ("address", "not_processing"),
)
_FIRST_WISH = {"cancel": "address", "address": "cancel", "refund": "exchange", "exchange": "refund"}
_MOODS = {"easy": ("calm", "chatty"), "standard": ("calm", "chatty", "hurried", "angry", "guarded")}
_PATIENCE = {"calm": 4, "chatty": 4, "guarded": 4, "hurried": 2, "angry": 2}
_EVERYTHING = 9


@dataclass(frozen=True)
class Customer:
    """Someone with an account."""

    id: str
    name: str
    email: str
    postcode: str


@dataclass(frozen=True)
class Item:
    """One line of an order; `price` is in euros."""

    id: str
    product: str
    variant: str
    price: int
    final_sale: bool


@dataclass(frozen=True)
class Order:
    """An order at the start of the conversation.

    Attributes:
        id: its number.
        customer: id of its owner.
        status: "processing", "shipped" or "delivered".
        days: days since the delivery; 0 if it was not delivered.
        address: where it goes.
        tracking: the parcel's code.
        items: its lines.
    """

    id: str
    customer: str
    status: str
    days: int
    address: str
    tracking: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Request:
    """What a caller wants.

    Attributes:
        kind: "cancel", "refund", "exchange", "address", "status" or "transfer".
        refusal: why the policy forbids it; "" if it does not.
        order: number of the order that it is about.
        item: id of the item that it is about.
        product: what the caller calls that item.
        variant: what the caller wants in exchange; "" if nothing.
        address: the new address that the caller wants; "" if none.
        wish: the caller's words for it.
    """

    kind: str
    refusal: str
    order: str
    item: str
    product: str
    variant: str
    address: str
    wish: str


@dataclass(frozen=True)
class Caller:
    """The person who writes to the desk.

    Attributes:
        customer: the caller's account.
        friend: the name of someone whose orders the caller may speak of.
        mood: how the caller begins.
        patience: the number of messages that do not help after which the caller leaves.
        answers: the most questions that the caller answers per message.
        requests: what the caller wants, one after the other.
        first_wish: the words for a first wish that the caller takes back at once; "" if there is none.
        pressure: what the caller says against a refusal, one line per refusal.
    """

    customer: Customer
    friend: str
    mood: str
    patience: int
    answers: int
    requests: tuple[Request, ...]
    first_wish: str
    pressure: tuple[str, ...]


@dataclass(frozen=True)
class Scenario:
    """A shop and its caller.

    Attributes:
        caller: who writes, and what they want.
        customers: by id.
        orders: by number.
        stock: (product, variant) -> how many are in stock.
        goal: the changes that the conversation should make, fact -> value.
        opened: the orders that the agent must look at.
    """

    caller: Caller
    customers: Mapping[str, Customer]
    orders: Mapping[str, Order]
    stock: Mapping[tuple[str, str], int]
    goal: Mapping[str, str]
    opened: tuple[str, ...]


@cache
def words() -> Mapping[str, Any]:
    """The words that scenarios and callers are made of."""
    return tomllib.loads((files("turnenv.envs.customer_service") / "shop.toml").read_text(encoding="utf-8"))


def bare(address: str) -> str:
    """An address without case, commas, full stops and extra spaces."""
    return " ".join(address.lower().replace(",", " ").replace(".", " ").split())


@lru_cache(maxsize=NUM_SCENARIOS)
def scenario(level: str, number: int) -> Scenario:
    """Make scenario `number`, below `NUM_SCENARIOS`, of a level; it is the same in every process.

    Raises:
        ValueError: if there is no such level.
    """
    if level not in LEVELS:
        raise ValueError(f"unknown level {level!r}; it is one of {', '.join(LEVELS)}")
    maker = _Maker(np.random.default_rng((0x5409, LEVELS.index(level), number)))
    kinds = _GRANTED + _REFUSED
    wanted = [kinds[number % len(kinds)]]
    if level == "hard":
        others = [kind for kind in kinds if kind[0] != wanted[0][0]]
        wanted.append(others[maker.below(len(others))])
        wanted.sort(key=lambda kind: kind[0] == "transfer")  # a transfer ends the conversation
    requests = [maker.request(*kind) for kind in wanted]
    maker.order("delivered", maker.caller, final_sale=False)
    caller = maker.call(level, requests)
    goal = {fact: value for request in requests for fact, value in _goal(request, maker.stock).items()}
    opened = [item.order for item in requests if item.kind != "transfer" and item.refusal != "not_their_order"]
    people = {person.id: person for person in (maker.caller, maker.friend)}
    return Scenario(caller, people, maker.orders, maker.stock, goal, tuple(opened))


def _goal(request: Request, stock: Mapping[tuple[str, str], int]) -> Mapping[str, str]:
    if request.refusal:
        return {f"{request.order} {request.kind} declined": request.refusal}
    if request.kind == "cancel":
        return {f"{request.order} status": "cancelled"}
    if request.kind == "refund":
        return {f"{request.item} state": "refunded"}
    if request.kind == "exchange":
        left = stock[request.product, request.variant] - 1
        return {
            f"{request.item} state": f"exchanged for {request.variant}",
            f"{request.product}, {request.variant} in stock": str(left),
        }
    if request.kind == "address":
        return {f"{request.order} address": bare(request.address)}
    if request.kind == "status":
        return {f"{request.order} tracking": "told"}
    return {"conversation": "transferred"}


class _Maker:
    """Draws the parts of one scenario."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._draws = iter(rng.random(256).tolist())
        self.orders: dict[str, Order] = {}
        self.stock = {
            (product, variant): 1 + self.below(9)
            for product, variants in words()["products"].items()
            for variant in variants
        }
        self._products = sorted(words()["products"], key=lambda product: (next(self._draws), product))
        self.caller, self.friend = self._customer("C1"), self._customer("C2")

    def below(self, bound: int) -> int:
        return int(next(self._draws) * bound)

    def pick(self, choices: Sequence[str]) -> str:
        return choices[self.below(len(choices))]

    def _customer(self, number: str) -> Customer:
        first, last = self.pick(words()["first_names"]), self.pick(words()["last_names"])
        letters = "".join(self.pick("ABDEFGHJLNPQRSTUWXYZ") for _ in range(4))
        postcode = f"{letters[:2]}{self.below(9) + 1} {self.below(9) + 1}{letters[2:]}"
        email = f"{first.lower()}.{last.lower()}{self.below(90) + 10}@mail.example"
        return Customer(number, f"{first} {last}", email, postcode)

    def address(self) -> str:
        return f"{self.below(89) + 11} {self.pick(words()['streets'])}, {self.pick(words()['cities'])}"

    def order(self, status: str, owner: Customer, *, final_sale: bool, days: int = 0) -> Order:
        """Add an order of one or two products that no other order has; `final_sale` is about its first item."""
        number = f"W{1000 + 10 * self.below(899) + len(self.orders)}"
        days = days or (1 + self.below(28) if status == "delivered" else 0)
        items = []
        for position in range(1, 2 + self.below(2)):
            product = self._products.pop()
            variant, price = self.pick(words()["products"][product]), 15 + self.below(180)
            items.append(Item(f"{number}-{position}", product, variant, price, final_sale and position == 1))
        tracking = f"TR{10_000_000 + self.below(89_999_999)}"
        made = Order(number, owner.id, status, days, self.address(), tracking, tuple(items))
        self.orders[number] = made
        return made

    def request(self, kind: str, refusal: str) -> Request:
        """Make a request, and the order that it is about."""
        status = {"cancel": "processing", "address": "processing", "status": "shipped"}.get(kind, "delivered")
        if refusal in ("not_processing", "not_delivered"):
            status = "shipped"
        owner = self.friend if refusal == "not_their_order" else self.caller
        days = 35 + self.below(60) if refusal == "too_late" else 0
        order = self.order(status, owner, final_sale=refusal == "final_sale", days=days)
        item, variant, address = order.items[0], "", ""
        if kind == "exchange":
            variant = self.pick([each for each in words()["products"][item.product] if each != item.variant])
            if refusal == "out_of_stock":
                self.stock[item.product, variant] = 0
        if kind == "address":
            address = self.address()
        wish = self.wish(kind, item.product)
        return Request(kind, refusal, order.id, item.id, item.product, variant, address, wish)

    def wish(self, kind: str, product: str) -> str:
        return self.pick(words()["wishes"][kind]).format(product=product)

    def call(self, level: str, requests: Sequence[Request]) -> Caller:
        """Make the caller with these requests."""
        mood = self.pick(_MOODS.get(level, ("calm", "chatty", "hurried", "angry")))
        answers = {"easy": _EVERYTHING, "hard": 2}.get(level, 1 if mood == "guarded" else _EVERYTHING)
        first = requests[0]
        fickle = level == "hard" or (level == "standard" and self.below(3) == 0)
        first_wish = self.wish(_FIRST_WISH[first.kind], first.product) if fickle and first.kind in _FIRST_WISH else ""
        lines = words()["sayings"]["pressure"]
        at = self.below(len(lines))
        count = {"easy": 0, "standard": 1, "hard": 2}[level]
        pressure = tuple(lines[(at + step) % len(lines)].format() for step in range(count))
        return Caller(
            self.caller, self.friend.name, mood, _PATIENCE[mood], answers, tuple(requests), first_wish, pressure
        )
