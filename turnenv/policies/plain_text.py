"""Which tokens give a conversation its structure, and an encoder of frames whose texts cannot write them."""

from __future__ import annotations

import functools
import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tokenizers
from transformers import PreTrainedTokenizerBase

from turnenv.policies.template import Frame, written

__all__ = ["FrameEncoder", "SealedTokenizer", "structural_tokens"]

#: Tags of turnenv's own grammars: environments write some of them, as text, and a tokenizer may have tokens for them.
_TAGS = ("think", "tools", "tool", "tool_call", "tool_response", "result", "answer")
_TEXT = frozenset(f"<{slash}{tag}>" for tag in _TAGS for slash in ("", "/"))


def structural_tokens(
    tokenizer: PreTrainedTokenizerBase, written: Iterable[str], ends: Iterable[int] = ()
) -> dict[int, str]:
    """The tokens that give a conversation its structure (role headers, turn ends, BOS, padding), spellings by id.

    These are the special tokens, named by an attribute of the tokenizer or not, and each merely added token with a
    punctuation mark that the chat template writes. An added token that no template writes (Gemma's `<h1>`, runs of line
    breaks) is ordinary text; so are the tags of turnenv's grammars (`<tool_response>`) unless they are special.

    Args:
        tokenizer: any tokenizer.
        written: what the chat template writes around messages, and its source.
        ends: ids that end a turn.
    """
    added = {token: entry.content for token, entry in tokenizer.added_tokens_decoder.items()}
    special = {token for token, entry in tokenizer.added_tokens_decoder.items() if entry.special}
    texts = list(written)
    encoded = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"] if texts else []
    marks = {token for ids in encoded for token in ids if token in added and _is_mark(added[token])}
    ids = special | marks | {*tokenizer.all_special_ids, *ends}
    return {token: added[token] for token in sorted(added) if token in ids}


def _is_mark(content: str) -> bool:
    letters = content.replace("\u2581", " ")  # SentencePiece's space
    return content not in _TEXT and any(not (char.isalnum() or char.isspace()) for char in letters)


class SealedTokenizer:
    """A copy of a tokenizer in which each structural token has a secret spelling and its own id.

    `seal` gives the structural tokens of a template's text their secret spelling. All else is encoded as the tokenizer
    would encode it, but a structural token's usual spelling is ordinary text.

    Args:
        tokenizer: a fast tokenizer.
        structural: what `structural_tokens` returned.

    Raises:
        ValueError: the tokenizer has no backend that can be copied, or the copy would give other ids.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, structural: Mapping[int, str]) -> None:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if not isinstance(backend, tokenizers.Tokenizer):
            raise ValueError(f"{type(tokenizer).__name__} has no backend of the tokenizers library")
        secret = secrets.token_hex(8)
        self._spelt = {content: f"<|{secret}-{token}|>" for token, content in structural.items()}
        self._pattern = re.compile("|".join(map(re.escape, sorted(self._spelt, key=len, reverse=True))))
        renamed = json.dumps(_renamed(json.loads(backend.to_str()), self._spelt))
        try:
            self._backend = tokenizers.Tokenizer.from_str(renamed)
        except Exception as error:  # the library raises nothing narrower
            raise ValueError(f"{type(tokenizer).__name__} cannot be copied: {error}") from error
        self._backend.no_padding()
        self._backend.no_truncation()
        self._backend.encode_special_tokens = False
        moved = [
            content for token, content in structural.items() if self._backend.token_to_id(self._spelt[content]) != token
        ]
        if moved:
            raise ValueError(f"the ids of {moved[:3]} depend on their spelling")

    def seal(self, text: str) -> str:
        """Spell the structural tokens of a template's own text in secret."""
        return self._pattern.sub(lambda found: self._spelt[found[0]], text)

    def encode(self, text: str) -> list[int]:
        """Encode a text in which nothing but what `seal` returned is structure."""
        ids: list[int] = self._backend.encode(text, add_special_tokens=False).ids
        return ids


def _renamed(state: dict[str, Any], spelt: dict[str, str]) -> dict[str, Any]:
    """The serialised tokenizer with other spellings for some tokens, wherever their spelling stands."""
    model = state["model"]
    for token in state["added_tokens"]:
        token["content"] = spelt.get(token["content"], token["content"])
    vocabulary = model["vocab"]
    if isinstance(vocabulary, dict):
        model["vocab"] = {spelt.get(piece, piece): token for piece, token in vocabulary.items()}
    else:
        model["vocab"] = [[spelt.get(piece, piece), score] for piece, score in vocabulary]
    if model.get("unk_token") in spelt:
        model["unk_token"] = spelt[model["unk_token"]]
    if "merges" in model:
        model["merges"] = [merge for merge in model["merges"] if spelt.keys().isdisjoint(_joined(merge))]
    state["post_processor"] = None
    return state


def _joined(merge: str | Sequence[str]) -> tuple[str, str, str]:
    """The two pieces of a merge, and what they become."""
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right, left + right


class FrameEncoder:
    """Encodes frames filled with text from outside, which never becomes structure.

    A filled frame is encoded at once, as the template's own rendering would be. If structural tokens come out that the
    frame does not write itself, it is encoded by a sealed copy of the tokenizer instead.

    Args:
        tokenizer: with or without a chat template.
        template_kwargs: passed to the chat template.
        ends: ids that end a turn, which are structural too.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, template_kwargs: Mapping[str, Any], ends: Iterable[int] = ()
    ) -> None:
        self.tokenizer = tokenizer
        self.structural = structural_tokens(tokenizer, written(tokenizer, template_kwargs), ends)
        self._structures: dict[Frame, list[int]] = {}

    def encode(self, frames: Sequence[Frame], texts: Sequence[Mapping[str, str]]) -> list[list[int]]:
        """Return the ids of each frame with its texts, by the names of its slots."""
        filled = [frame.filled(given) for frame, given in zip(frames, texts, strict=True)]
        encoded = self._encode(["".join(text for text, _ in pieces) for pieces in filled])
        for row, (frame, ids) in enumerate(zip(frames, encoded, strict=True)):
            if [token for token in ids if token in self.structural] != self._structure(frame):
                encoded[row] = self._encode_as_text(filled[row])
        return encoded

    def _structure(self, frame: Frame) -> list[int]:
        """The structural tokens that a frame writes itself."""
        if frame not in self._structures:
            (ids,) = self._encode(["".join(text if own else "x" for text, own in frame.filled({}))])
            self._structures[frame] = [token for token in ids if token in self.structural]
        return self._structures[frame]

    def _encode_as_text(self, pieces: Sequence[tuple[str, bool]]) -> list[int]:
        if self._sealed is not None:
            return self._sealed.encode("".join(self._sealed.seal(text) if own else text for text, own in pieces))
        ids: list[int] = []
        for text, own in pieces:
            if own:
                ids += self._encode([text])[0]
            else:
                parts = self._encode(_in_pieces(text, self.structural.values()), split_special_tokens=True)
                ids += [token for part in parts for token in part if token not in self.structural]
        return ids

    @functools.cached_property
    def _sealed(self) -> SealedTokenizer | None:
        try:
            return SealedTokenizer(self.tokenizer, self.structural)
        except ValueError:
            return None

    def _encode(self, texts: Sequence[str], **kwargs: Any) -> list[list[int]]:
        encoded = self.tokenizer(list(texts), add_special_tokens=False, verbose=False, **kwargs)
        ids: list[list[int]] = encoded["input_ids"]
        return ids


def _in_pieces(text: str, spellings: Iterable[str]) -> list[str]:
    """Cut a text within each of the spellings, for a tokenizer that cannot be sealed.

    Where such a tokenizer marks the beginning of a text, a space may arise at the cut.
    """
    cuts = [f"(?<={re.escape(spelling[:1])})(?={re.escape(spelling[1:])})" for spelling in spellings]
    return [piece for piece in re.split("|".join(cuts), text) if piece] if cuts else [text]
