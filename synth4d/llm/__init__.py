"""The one door to a language model: what is asked, what came back, what it cost. `docs/llm.md` says how it is used."""

from synth4d.llm.call import Answer, Call, Outcome, Pending, Rejected
from synth4d.llm.door import Door
from synth4d.llm.settings import Budget, Endpoint, Price
from synth4d.llm.store import Store
from synth4d.llm.talk import Heard, Talk, hold

__all__ = [
    "Answer", "Budget", "Call", "Door", "Endpoint", "Heard", "Outcome", "Pending", "Price", "Rejected", "Store", "Talk",
    "hold",
]  # fmt: skip
