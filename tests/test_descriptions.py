"""What keys of configurations mean is said in the docstrings of their classes, of every one of them."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import fields

import pytest

import e2egraph
from e2egraph.config import configuration
from e2egraph.descriptions import Description, descriptions, first_sentence, is_configuration, keys


def every_configuration() -> list[type]:
    found: dict[str, type] = {}
    for module in pkgutil.walk_packages(e2egraph.__path__, "e2egraph."):
        # Layers of other projects, which are compared with, need not be installed.
        if module.name.endswith(("__main__", "peer_layers", "peers")):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if is_configuration(value):
                found[f"{value.__module__}.{value.__qualname__}"] = value
    return [found[name] for name in sorted(found)]


@pytest.mark.parametrize("cls", every_configuration(), ids=lambda cls: cls.__name__)
def test_every_key_of_every_configuration_class_is_described(cls: type) -> None:
    described = descriptions(cls)
    missing = [entry.name for entry in fields(cls) if entry.name not in described]
    assert not missing, f"{cls.__module__}.{cls.__name__}: say in its docstring what ``{missing[0]}`` means"
    for name, description in described.items():
        assert description.meaning.strip() and len(description.meaning) < 400, name


@configuration
class Wheel:
    """A wheel that turns. ``radius`` [cm]: of the rim. It is round.

    ``spokes``: how many there are (A. Wright et al., J. Cycl. 5 (1999)); ``material``: what of. ``spare`` is no entry.
    """

    radius: float
    spokes: int = 36
    material: str = "steel"


@configuration
class Car:
    """``length``, ``width``: from end to end [cm]. ``doors``: name → width [cm] of its opening."""

    length: float = 400.0
    width: float = 180.0
    doors: dict[str, float]
    front: Wheel
    spare: Wheel | None = None
    others: tuple[Wheel, ...] = ()


@configuration
class Lorry(Car):
    """``doors``: none at the back."""


def test_a_docstring_gives_meanings_and_units_to_a_class_and_those_made_of_it() -> None:
    assert descriptions(Wheel) == {
        "radius": Description("of the rim", "cm"),
        "spokes": Description("how many there are (A. Wright et al., J. Cycl. 5 (1999))"),
        "material": Description("what of"),
    }
    of_car = descriptions(Car)
    assert of_car["length"] == of_car["width"] == Description("from end to end [cm]", "cm")
    assert of_car["doors"] == Description("name → width [cm] of its opening")
    assert of_car["front"] == of_car["spare"] == of_car["others"] == Description("A wheel that turns")
    assert descriptions(Lorry) == {**of_car, "doors": Description("none at the back")}
    assert first_sentence("One (no. 2 of B. C.) here. And more.") == "One (no. 2 of B. C.) here"


def test_keys_are_dotted_with_their_defaults_and_the_values_of_a_configuration() -> None:
    rows = {key.name: (key.default, key.value) for key in keys(Car)}
    assert list(rows) == [
        *("length", "width", "doors", "front.radius", "front.spokes", "front.material", "spare"),
        *("spare.radius", "spare.spokes", "spare.material", "others"),
        *("others.*.radius", "others.*.spokes", "others.*.material"),
    ]
    assert rows["length"] == ("400.0", None) and rows["doors"] == (None, None) and rows["spare"] == ("null", None)
    car = Car(doors={"left": 90.0}, front=Wheel(radius=30.0), others=(Wheel(radius=31.0, material="wood"),))
    shown = {key.name: key.value for key in keys(Car, car)}
    assert (shown["doors"], shown["front.radius"], shown["spare"]) == ("{left: 90.0}", "30.0", "null")
    assert shown["spare.radius"] is None and shown["others.0.material"] == "wood" and "others.*.radius" not in shown
