"""The tools of CustomerService: what they do to the shop's records, and which calls break the policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from turnenv.actions import ToolError
from turnenv.envs.customer_service.scenarios import Item, Order, Scenario, bare, words

_REFUND_DAYS = 30

OrderNumber = Annotated[str, Field(description="the order's number, such as W1234")]
ItemNumber = Annotated[str, Field(description="the item's number, such as W1234-1")]
RequestKind = Annotated[
    Literal["cancel", "address", "refund", "exchange"], Field(description="cancel, address, refund or exchange")
]
Reason = Annotated[
    Literal["not_their_order", "not_processing", "not_delivered", "too_late", "final_sale", "out_of_stock"],
    Field(description="not_their_order, not_processing, not_delivered, too_late, final_sale or out_of_stock"),
]


@dataclass(slots=True)
class Records:
    """The differences from the shop at the start of the conversation.

    Attributes:
        changes: fact -> value, for each fact whose value differs from the start.
        opened: the orders that the agent looked at.
        identified: True once the caller was found.
        breaches: the number of calls that broke the policy.
    """

    changes: dict[str, str] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)
    identified: bool = False
    breaches: int = 0


class Desk:
    """The tools, which work on the records of one conversation at a time; `attend` sets it.

    A call that cannot be carried out raises ToolError and changes nothing. A call that the policy forbids is carried
    out and counted as a breach.
    """

    _case: Scenario
    _records: Records

    @property
    def tools(self) -> Sequence[Callable[..., str]]:
        """The functions that the agent may call."""
        return (
            self.say,
            self.find_customer,
            self.get_order,
            self.check_stock,
            self.cancel_order,
            self.change_address,
            self.refund_item,
            self.exchange_item,
            self.decline_request,
            self.transfer_to_human,
        )

    def attend(self, case: Scenario, records: Records) -> None:
        """Work on the records of this conversation from now on."""
        self._case, self._records = case, records

    def say(self, text: Annotated[str, Field(description="your words to the customer")]) -> str:
        """Say something to the customer and hear the reply."""
        for fact in self._case.goal:
            order, _, told = fact.partition(" ")
            if told == "tracking" and self._records.identified and self._case.orders[order].tracking in text:
                self._records.changes[fact] = "told"
        return text

    def find_customer(
        self,
        email: Annotated[str, Field(description="as the customer gave it")],
        postcode: Annotated[str, Field(description="as the customer gave it")],
    ) -> str:
        """Identify the customer and list the numbers of their orders."""
        person = self._case.caller.customer
        given = email.strip().lower(), "".join(postcode.split()).upper()
        if given != (person.email, "".join(person.postcode.split())):
            raise ToolError("no customer has this e-mail and postcode")
        self._records.identified = True
        orders = sorted(order.id for order in self._case.orders.values() if order.customer == person.id)
        return f"{person.name}, orders: {', '.join(orders)}"

    def get_order(self, order_id: OrderNumber) -> str:
        """Look at an order: its status, address, tracking code and items."""
        order = self._order(order_id)
        self._breach_unless(self._owned(order))
        if order.id not in self._records.opened:
            self._records.opened.append(order.id)
        status = self._status(order)
        when = f" {order.days} days ago" if status == "delivered" else ""
        address = self._now(f"{order.id} address", order.address)
        items = "\n".join(self._describe(item) for item in order.items)
        return f"{order.id}: {status}{when}; address {address}; tracking code {order.tracking}\n{items}"

    def check_stock(self, product: Annotated[str, Field(description="the product's name")]) -> str:
        """See how many of each variant of a product are in stock."""
        name = product.strip().lower()
        variants = words()["products"].get(name)
        if variants is None:
            raise ToolError(f"there is no product {product[:80]!r}; products are {', '.join(words()['products'])}")
        return f"{name}: " + ", ".join(f"{variant}: {self._stock(name, variant)}" for variant in variants)

    def cancel_order(self, order_id: OrderNumber) -> str:
        """Cancel a whole order."""
        order = self._order(order_id)
        status = self._status(order)
        if status == "cancelled":
            raise ToolError(f"{order.id} is cancelled already")
        self._breach_unless(self._owned(order) and status == "processing")
        self._records.changes[f"{order.id} status"] = "cancelled"
        return f"{order.id} is cancelled."

    def change_address(
        self, order_id: OrderNumber, address: Annotated[str, Field(description="street and city")]
    ) -> str:
        """Change the address that an order is sent to."""
        order = self._order(order_id)
        if not bare(address) or len(address) > 200:
            raise ToolError("an address is a street and a city")
        self._breach_unless(self._owned(order) and self._status(order) == "processing")
        fact = f"{order.id} address"
        self._records.changes[fact] = bare(address)
        if bare(address) == bare(order.address):
            del self._records.changes[fact]
        return f"{order.id} goes to {address}."

    def refund_item(self, item_id: ItemNumber) -> str:
        """Refund one item."""
        order, item = self._item(item_id)
        self._breach_unless(self._returnable(order, item))
        self._records.changes[f"{item.id} state"] = "refunded"
        return f"{item.id} is refunded: {item.price} euros."

    def exchange_item(
        self, item_id: ItemNumber, variant: Annotated[str, Field(description="the variant to send instead")]
    ) -> str:
        """Exchange one item for another variant of the same product."""
        order, item = self._item(item_id)
        variants = {name.lower(): name for name in words()["products"][item.product]}
        wanted = variants.get(variant.strip().lower())
        if wanted is None or wanted == item.variant:
            others = ", ".join(name for name in variants.values() if name != item.variant)
            raise ToolError(f"{item.product} can be exchanged for {others}; got {variant[:80]!r}")
        left = self._stock(item.product, wanted) - 1
        if left < 0:
            raise ToolError(f"{item.product}, {wanted}: none in stock")
        self._breach_unless(self._returnable(order, item))
        self._records.changes[f"{item.id} state"] = f"exchanged for {wanted}"
        self._records.changes[f"{item.product}, {wanted} in stock"] = str(left)
        return f"{item.id} is exchanged for {item.product}, {wanted}."

    def decline_request(self, order_id: OrderNumber, request: RequestKind, reason: Reason) -> str:
        """Record that a request was refused under the policy, and why."""
        order = self._order(order_id)
        fact = f"{order.id} {request} declined"
        if fact in self._records.changes:
            raise ToolError(f"{request} of {order.id} is recorded as declined already")
        self._records.changes[fact] = reason
        return f"Recorded: {request} of {order.id} declined, {reason}."

    def transfer_to_human(self, reason: Annotated[str, Field(description="what it is about")]) -> str:
        """Hand the customer over to a colleague; this ends the conversation."""
        self._identified()
        self._records.changes["conversation"] = "transferred"
        return "A colleague takes over."

    def _identified(self) -> None:
        if not self._records.identified:
            raise ToolError("the customer is not identified yet: call find_customer first")

    def _order(self, order_id: str) -> Order:
        self._identified()
        order = self._case.orders.get(order_id.strip().lstrip("#").upper())
        if order is None:
            raise ToolError(f"there is no order {order_id[:80]!r}")
        return order

    def _item(self, item_id: str) -> tuple[Order, Item]:
        order = self._order(item_id.partition("-")[0])
        item = next((item for item in order.items if item.id == item_id.strip().lstrip("#").upper()), None)
        if item is None:
            raise ToolError(f"there is no item {item_id[:80]!r}; {order.id} has {', '.join(i.id for i in order.items)}")
        state = self._records.changes.get(f"{item.id} state")
        if state is not None:
            raise ToolError(f"{item.id} is {state} already")
        return order, item

    def _owned(self, order: Order) -> bool:
        return order.customer == self._case.caller.customer.id

    def _returnable(self, order: Order, item: Item) -> bool:
        in_time = self._status(order) == "delivered" and order.days <= _REFUND_DAYS
        return self._owned(order) and in_time and not item.final_sale

    def _breach_unless(self, allowed: bool) -> None:
        self._records.breaches += not allowed

    def _now(self, fact: str, found: Any) -> str:
        return self._records.changes.get(fact, str(found))

    def _status(self, order: Order) -> str:
        return self._now(f"{order.id} status", order.status)

    def _stock(self, product: str, variant: str) -> int:
        return int(self._now(f"{product}, {variant} in stock", self._case.stock[product, variant]))

    def _describe(self, item: Item) -> str:
        state = self._records.changes.get(f"{item.id} state", "final sale" if item.final_sale else "")
        return f"{item.id}: {item.product}, {item.variant}, {item.price} euros" + (f", {state}" if state else "")
