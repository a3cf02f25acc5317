"""Random registrations hardly ever get to what they are for. Half of those that the document allows become ones that
keep also the rules that no schema can say; and most Idempotency-Keys become new ones, since the same few come again,
and a key that was used with another body is refused before the body is looked at."""

import itertools
import unicodedata

import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode
from schemathesis.generation.meta import TestPhase

KEY = "Idempotency-Key"
numbers = itertools.count()


@schemathesis.hook
def before_call(_context, case, _kwargs):
    if case.operation.label != "POST /api/users" or case.meta is None:
        return
    number = next(numbers)
    if KEY in (case.headers or {}) and not tests_the_key(case.meta) and number % 8:
        case.headers[KEY] = f"key-{number}"
    # Examples and limits, which the other phases send, are to arrive as they are.
    random = case.meta.phase.name in (TestPhase.FUZZING, TestPhase.STATEFUL)
    if random and case.meta.generation.mode == GenerationMode.POSITIVE and number % 2:
        case.body |= {name: acceptable(case.body[name]) for name in ("firstName", "lastName", "occupation")}
        # Some emails twice.
        case.body["email"] = f"user{number // 3}@Example.com"


def tests_the_key(meta):
    return meta.is_negative_at(ParameterLocation.HEADER) or meta.phase.data.parameter == KEY


def acceptable(text):
    """The same text without characters that are refused, and with two that are seen."""
    text = "".join("x" if unicodedata.category(character).startswith("C") else character for character in text.strip())
    return "xx" + text[2:]
