"""Reply schemas stay in the subset that all servers take; replies are read strictly."""

from __future__ import annotations

import datetime
import json
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from synth4d.llm.schema import Unfit, parse, portable, response_format


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Part(Model):
    name: str
    weight: Annotated[float, Field(ge=0, le=1)]


class Whole(Model):
    """A thing and its parts."""

    kind: Literal["mug", "bowl"]
    version: Literal[1]
    parts: Annotated[list[Part], Field(min_length=1, max_length=3)]
    spare: Part
    full: bool
    count: int


GOOD: dict[str, Any] = {
    "kind": "mug", "version": 1, "parts": [{"name": "耳", "weight": 0.5}], "spare": {"name": "b", "weight": 1},
    "full": True, "count": 3,
}  # fmt: skip


def test_a_schema_has_nothing_but_the_portable_words() -> None:
    def words(node: Any) -> set[str]:
        if isinstance(node, list):
            return set().union(*map(words, node)) if node else set()
        if not isinstance(node, dict):
            return set()
        names = node.get("properties", {})
        rest = {k: v for k, v in node.items() if k != "properties"}
        return set(rest) | words(list(rest.values())) | words(list(names.values()))

    schema = portable(Whole)
    allowed = {"type", "required", "additionalProperties", "items", "enum", "description"}
    assert words(schema) <= allowed
    assert schema["required"] == list(GOOD)
    assert schema["properties"]["kind"]["enum"] == ["mug", "bowl"]
    assert schema["properties"]["parts"]["items"] == schema["properties"]["spare"]
    assert response_format(Whole)["json_schema"]["strict"] is True


class Recursive(Model):
    inner: list[Recursive]


class Open(BaseModel):
    a: int


FIELDS: dict[str, Any] = {
    "default": (int, 3),
    "optional": (int | None, ...),
    "union": (int | str, ...),
    "tuple": (tuple[int, str], ...),
    "pattern": (Annotated[str, Field(pattern="^a")], ...),
    "table": (dict[str, int], ...),
    "any": (Any, ...),
    "bare_list": (list, ...),
    "mixed_literal": (Literal["a", 1], ...),
    "date": (datetime.date, ...),
    "set": (set[int], ...),
}


@pytest.mark.parametrize("name", FIELDS)
def test_what_lies_outside_the_subset_is_refused_by_name(name: str) -> None:
    import pydantic

    model = pydantic.create_model("Odd", __config__=ConfigDict(extra="forbid"), **{name: FIELDS[name]})
    with pytest.raises(TypeError, match=rf"Odd\.{name}"):
        portable(model)


@pytest.mark.parametrize("model", [Recursive, Open])
def test_recursion_and_open_objects_are_refused(model: type[BaseModel]) -> None:
    with pytest.raises(TypeError):
        portable(model)


TEXT = json.dumps(GOOD, ensure_ascii=False)
DRESSED = [
    TEXT,
    f"\ufeff{TEXT}",
    f"  \n{TEXT}\n\n",
    f"```json\n{TEXT}\n```",
    f"```\n{TEXT}\n```\n",
    f"```JSON \n{json.dumps(GOOD, indent=2)}\n  ```",
    f"<think>A mug {{1}}.\n```</think>\n\n```json\n{TEXT}\n```",
    json.dumps(GOOD),
]


@pytest.mark.parametrize("text", DRESSED)
def test_a_whole_reply_is_read_in_any_dress(text: str) -> None:
    assert parse(text, Whole).model_dump() == GOOD


def but(**change: Any) -> str:
    return json.dumps(GOOD | change)


GARBAGE = [
    "", " ", "null", "[]", "3", '"mug"', "{", TEXT[:-1], TEXT[:40], TEXT + TEXT, TEXT + "\n" + TEXT, TEXT + " ok?",
    f"Here you are: {TEXT}", f"```json\n{TEXT}", f"```json\n{TEXT}\n```\nAnd then ```json\n{TEXT}\n```",
    TEXT.replace("0.5", "NaN"), TEXT.replace("0.5", "Infinity"), TEXT.replace("0.5", "-Infinity"),
    TEXT.replace("0.5", "1e999"), TEXT.replace("0.5", "1" * 5000), TEXT.replace('"耳"', '"\\ud800"'),
    TEXT.replace('"耳"', '"\x01"'), TEXT.replace('"count": 3', '"count": 3, "count": 3'), TEXT.replace('"', "'"),
    TEXT.replace("true", "True"), TEXT.replace("}", ",}"), f"// no\n{TEXT}", "[" * 100_000, '{"a":' * 100_000,
    "<html><body>502</body></html>", "data: {}\n\ndata: [DONE]", "<think>hm", "\x00",
    but(kind="cup"), but(version=2), but(parts=[]), but(parts=[GOOD["spare"]] * 4), but(full="true"), but(full=1),
    but(count="3"), but(count=3.5), but(count=None), but(extra=1), but(spare={"name": "b"}), but(spare=[]),
    but(spare={"name": "b", "weight": 2}), but(spare={"name": 1, "weight": 1}), but(parts="none"),
    json.dumps(response_format(Whole)), json.dumps([GOOD]), json.dumps({"Whole": GOOD}), json.dumps(TEXT),
]  # fmt: skip


@pytest.mark.parametrize("text", GARBAGE, ids=range(len(GARBAGE)))
def test_anything_else_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(Unfit) as caught:
        parse(text, Whole)
    assert caught.value.fault in ("json", "schema")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600
