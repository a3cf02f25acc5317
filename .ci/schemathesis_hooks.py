"""Half of the e-mails that the document allows become ones that the service takes: random text hardly ever is one."""

import itertools
import re

import schemathesis

ALLOWED = re.compile(r"\s*[^\s@]+@[^\s@]+\s*")
numbers = itertools.count()


@schemathesis.hook
def map_body(_context, body):
    email = body.get("email") if isinstance(body, dict) else None
    if not isinstance(email, str) or not ALLOWED.fullmatch(email):
        return body
    number = next(numbers)
    # Some of them twice.
    return body if number % 2 else {**body, "email": f"user{number // 3}@Example.com"}
