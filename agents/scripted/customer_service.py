"""CustomerService: an agent that follows a dialogue plan and the shop's policy, and one that calls tools at random."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from turnenv.actions import XmlGrammar

_XML = XmlGrammar()
_RESULT = re.compile(r"\A<result>\n(.*)\n</result>\Z", re.DOTALL)
_EMAIL = re.compile(r"[\w.]+@[\w.]+\w")
_POSTCODE = re.compile(r"\b[A-Z]{2}\d \d[A-Z]{2}\b")
_ORDER = re.compile(r"\bW\d{4}\b")
_VARIANT = re.compile(r"I want the variant (.+?)\.(?: |$)")
_ADDRESS = re.compile(r"The new address is (.+?)\.(?: |$)")
_TRACKING = re.compile(r"TR\d{8}")
_ITEM = re.compile(r"^(W\d{4}-\d): ([^,]+), ", re.MULTILINE)
_DAYS = re.compile(r"delivered (\d+) days ago")
_WISHES = {
    "cancel": re.compile(r"cancel"),
    "refund": re.compile(r"money back|refund me"),
    "exchange": re.compile(r"swap|exchange the"),
    "address": re.compile(r"new address\b(?! is)"),
    "status": re.compile(r"tracking code of|tracking code\."),
    "transfer": re.compile(r"charged my card|hurt my hand"),
}


class Expert:
    """A dialogue plan: identify the customer, find out the request, look at the order, act or decline, ask for more."""

    def __init__(self) -> None:
        self._last, self._mine, self._seen = "say", "", ""
        self._email = self._postcode = ""
        self._wish = self._words = ""
        self._forget()

    def _forget(self) -> None:
        self._order = self._variant = self._address = self._details = ""
        self._settled = False

    def __call__(self, observation: str) -> str:
        """Read the observation and return the action."""
        shown = _RESULT.search(observation)
        text = shown[1] if shown else observation
        if self._last == "say":
            self._listen(text.removeprefix("Customer: "))
        elif self._last == "find_customer":
            self._mine = text
        elif self._last == "get_order":
            self._details = text
        elif self._last == "exchange_item" and "none in stock" in text:
            return self._decline("out_of_stock")
        else:
            self._settled = True
        return self._act(text)

    def _listen(self, text: str) -> None:
        """Note what the customer wants, and the numbers and names in the text."""
        wishes = [(found.start(), kind) for kind, sign in _WISHES.items() for found in sign.finditer(text)]
        if wishes and ("one more thing" in text or not self._settled):
            if "one more thing" in text:
                self._forget()
            self._wish, self._words = max(wishes)[1], text[text.rfind("changed my mind") + 1 :]
        self._email = self._email or _first(_EMAIL, text)
        self._postcode = self._postcode or _first(_POSTCODE, text)
        self._order = self._order or _first(_ORDER, text)
        self._variant = self._variant or _first(_VARIANT, text)
        self._address = self._address or _first(_ADDRESS, text)
        self._seen = text

    def _act(self, text: str) -> str:
        if not self._mine:
            if self._email and self._postcode:
                return self._call("find_customer", email=self._email, postcode=self._postcode)
            return self._ask()
        if self._settled:
            return self._go_on(text)
        if self._wish == "transfer":
            return self._call("transfer_to_human", reason="a dispute")
        if not self._order or (self._wish == "exchange" and not self._variant):
            return self._ask()
        if self._wish == "address" and not self._address:
            return self._ask()
        if self._order not in self._mine:
            return self._decline("not_their_order")
        if not self._details:
            return self._call("get_order", order_id=self._order)
        return self._serve()

    def _go_on(self, text: str) -> str:
        if self._last == "say" and "that is all" in self._seen:
            return _XML.answer("Goodbye.", "All is dealt with.")
        news = "I am sorry, that is not possible." if "declined" in text else "It is done."
        return self._say(f"{news} Is there anything else? If so, tell me the order number, and variant or address.")

    def _serve(self) -> str:
        item = next((number for number, product in _ITEM.findall(self._details) if product in self._words), "")
        days = int(_first(_DAYS, self._details) or 0)
        line = next((line for line in self._details.splitlines() if item and line.startswith(item)), "")
        if self._wish == "status":
            self._settled = True
            code = _first(_TRACKING, self._details)
            return self._say(f"The tracking code is {code}. Is there anything else? Then tell me the order number.")
        if self._wish in ("cancel", "address"):
            if ": processing" not in self._details:
                return self._decline("not_processing")
            if self._wish == "cancel":
                return self._call("cancel_order", order_id=self._order)
            return self._call("change_address", order_id=self._order, address=self._address)
        if not days:
            return self._decline("not_delivered")
        if days > 30 or "final sale" in line:
            return self._decline("too_late" if days > 30 else "final_sale")
        if self._wish == "refund":
            return self._call("refund_item", item_id=item)
        return self._call("exchange_item", item_id=item, variant=self._variant)

    def _decline(self, reason: str) -> str:
        return self._call("decline_request", order_id=self._order, request=self._wish, reason=reason)

    def _ask(self) -> str:
        missing = ["e-mail"] * (not self._email) + ["postcode"] * (not self._postcode)
        missing += ["order number"] * (not self._order) + ["variant"] * (not self._variant)
        return self._say(f"Please tell me, where it applies: {', '.join(missing)}, address to send it to.")

    def _say(self, text: str) -> str:
        return self._call("say", text=text)

    def _call(self, name: str, **arguments: str) -> str:
        self._last = name
        return _XML.call(name, arguments, "I keep to the rules.")


def make_expert() -> Callable[[str], str]:
    """Identifies the customer, finds out what is wanted, looks at the order, acts or declines, and asks for more."""
    return Expert()


def make_random(seed: int) -> Callable[[str], str]:
    """Calls a random tool with numbers that it has seen, or (one turn in ten) closes the conversation."""
    rng = np.random.default_rng(seed)
    seen = ""

    def pick(pattern: re.Pattern[str], default: str) -> str:
        found = pattern.findall(seen)
        return str(rng.choice(found)) if found else default

    def act(observation: str) -> str:
        nonlocal seen
        seen += f"\n{observation}"
        if rng.random() < 0.1:
            return _XML.answer("Goodbye.")
        order = pick(_ORDER, "W1000")
        calls = {
            "say": {"text": str(rng.choice(["Your e-mail and postcode?", "Which order?", "Anything else?"]))},
            "find_customer": {"email": pick(_EMAIL, "a@b.example"), "postcode": pick(_POSTCODE, "AB1 2CD")},
            "get_order": {"order_id": order},
            "cancel_order": {"order_id": order},
            "refund_item": {"item_id": f"{order}-1"},
            "exchange_item": {"item_id": f"{order}-1", "variant": str(rng.choice(["M", "L", "red", "orange"]))},
            "decline_request": {
                "order_id": order,
                "request": str(rng.choice(["cancel", "address", "refund", "exchange"])),
                "reason": str(rng.choice(["too_late", "final_sale", "not_processing", "not_their_order"])),
            },
        }
        name = str(rng.choice(list(calls)))
        return _XML.call(name, calls[name])

    return act


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[pattern.groups and 1] if found else ""
