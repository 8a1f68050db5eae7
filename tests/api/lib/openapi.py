"""docs/openapi.yaml as something that answers can be held against."""
import os
import re

from . import yaml
from .http import URN
from .paths import DOCS

FILE = os.path.join(DOCS, "openapi.yaml")
# What any path may give, and what each problem's status is.
ANYWHERE = {(404, "not-found"), (405, "method-not-allowed"), (503, "locked"), (503, "unowned")}
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "null": type(None), "boolean": bool}
KNOWN = {"type", "additionalProperties", "required", "properties", "items", "enum", "const", "pattern", "minLength",
         "maxLength", "minimum", "maximum", "maxItems", "format", "description", "default", "$ref"}


class Spec:
    def __init__(self):
        with open(FILE, encoding="utf-8") as file:
            self.root = yaml.load(file.read())

    def resolve(self, node):
        while "$ref" in node:
            at = self.root
            for part in node["$ref"].removeprefix("#/").split("/"):
                at = at[part]
            node = at
        return node

    def operations(self):
        """(METHOD, path) -> operation"""
        return {(method.upper(), path): operation for path, item in self.root["paths"].items()
                for method, operation in item.items() if method != "parameters"}

    def find(self, method, path):
        """The documented pair that a request belongs to, or None."""
        path = path.split("?")[0]
        for known in self.operations():
            form = re.sub(r"\{[a-z]+\}", "[A-Za-z0-9_-]+", known[1])
            if known[0] == method and re.fullmatch(form, path):
                return known
        return None

    def check(self, known, answer):
        """Raises AssertionError unless the answer is one that the operation may give."""
        operation, pair = self.operations()[known], (answer.status, answer.problem)
        response = operation["responses"].get(str(answer.status))
        if response is None:
            assert pair in ANYWHERE, f"{known}: {answer.status} is not documented: {answer}"
            return
        response = self.resolve(response)
        kind = answer.header("content-type")
        assert kind in response["content"], f"{known}: {answer.status} has the type {kind}"
        self.value(response["content"][kind]["schema"], answer.json, f"{known} {answer.status}")
        if answer.problem is not None:
            assert answer.problem in response["x-problems"] or pair in ANYWHERE, f"{known}: {answer}"
            assert answer.json["type"] == URN + answer.problem
        self.headers(response.get("headers") or {}, answer, known)

    def headers(self, documented, answer, known):
        for name, header in documented.items():
            text = answer.header(name)
            assert text is not None or not header.get("required"), f"{known} {answer.status}: no {name}"
            if text is not None:
                number = header["schema"].get("type") == "integer"
                self.value(header["schema"], int(text) if number else text, f"{known} {name}")

    def value(self, schema, value, where):
        schema = self.resolve(schema)
        assert set(schema) <= KNOWN, f"{where}: the checker does not know {set(schema) - KNOWN}"
        if "type" in schema:
            names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            fits = any(isinstance(value, TYPES[n]) and not (n == "integer" and isinstance(value, bool)) for n in names)
            assert fits, f"{where}: {value!r} is no {schema['type']}"
        assert value in schema.get("enum", [value]), f"{where}: {value!r} is not of {schema.get('enum')}"
        assert value == schema.get("const", value), f"{where}: {value!r}"
        if isinstance(value, str):
            self.text(schema, value, where)
        if isinstance(value, int):
            assert schema.get("minimum", value) <= value <= schema.get("maximum", value), f"{where}: {value}"
        if isinstance(value, list):
            assert len(value) <= schema.get("maxItems", len(value)), where
            for item in value:
                self.value(schema["items"], item, where + "[]")
        if isinstance(value, dict):
            self.members(schema, value, where)

    @staticmethod
    def text(schema, value, where):
        assert re.search(schema.get("pattern", ""), value), f"{where}: {value!r} is not like {schema.get('pattern')}"
        assert schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)), where
        if schema.get("format") == "date-time":
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value), f"{where}: {value}"

    def members(self, schema, value, where):
        known = schema.get("properties") or {}
        missing = [n for n in schema.get("required", ()) if n not in value]
        more = [n for n in value if n not in known]
        assert not missing, f"{where}: without {missing}"
        assert not more or schema.get("additionalProperties", True) is not False, f"{where}: unknown {more}"
        for name, member in value.items():
            if name in known:
                self.value(known[name], member, f"{where}.{name}")
