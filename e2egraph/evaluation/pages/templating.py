"""Templates → HTML by Jinja2, with autoescape: no text from outside becomes markup."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from e2egraph.evaluation.pages.elements import Section


def rendered(section: Section) -> Markup:
    """A section's body. jinja2.UndefinedError: a value that the template shows is missing."""
    return Markup(environment().get_template(section.template).render(section.values))  # its text is escaped


@cache
def environment() -> Environment:
    """Of the templates in ``templates/``."""
    return Environment(
        loader=PackageLoader("e2egraph.evaluation.pages", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
