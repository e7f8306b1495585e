"""What a network reads that files of events lack: variables and quantities that would be 0 for all of their objects."""

from __future__ import annotations

from collections.abc import Collection, Container

from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.objects.objects import ObjectKind
from e2egraph.tasks.variables import variables


def fields_of(inputs: Inputs, kind: ObjectKind, channels: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Variable of nodes of ``channels``, or quantity of objects of ``kind`` → fields of the event record that it is
    made of. Functions of several fields (``variables.Origin``) do not say which they need, and name none."""
    collections = dict.fromkeys(channel.collection for channel in inputs.channels if channel.name in channels)
    known = variables()
    found: dict[str, tuple[str, ...]] = {}
    for name in inputs.variable_names:
        origin = known[name].origin if name in known else {}
        fields = [(each, field) for each in collections if isinstance(field := origin.get(each), str)]
        # Sources without significances of their own work them out from the errors.
        errors = [(each, f"{field.removesuffix('_sig')}_err") for each, field in fields if field.endswith("_sig")]
        found[name] = tuple(f"{collection}.{field}" for collection, field in (*fields, *errors))
    return found | {name: tuple(kind.column_needs.get(name, ())) for name in inputs.object_names}


def first_lacking(
    inputs: Inputs,
    kind: ObjectKind,
    channels: Collection[str],
    missing: Collection[str],
    allowed: Container[str] = (),
) -> tuple[str, str] | None:
    """The first input that is made of a field among ``missing``, and that field; None where there is none.

    ``allowed``: fields that the files a network was trained on lacked too, so that it knows 0 in their place.
    """
    for name, fields in fields_of(inputs, kind, channels).items():
        for field in fields:
            if field in missing and field not in allowed:
                return name, field
    return None
