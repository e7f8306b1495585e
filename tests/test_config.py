"""Configuration: shipped files, overrides, one-sentence errors and hashes."""

import pytest

from e2egraph import config
from e2egraph.errors import UsageError


@config.configuration
class Engine:
    power: float = 1.0
    name: str = "diesel"


@config.configuration
class Car:
    wheels: int
    engine: Engine = Engine()


def test_settings_override_nested_values_and_are_read_as_yaml():
    content = config.override({"wheels": 4, "engine": {"power": 2}}, ["engine.power=3.5", "engine.name='v8'"])
    car = config.validate(Car, content, "car.yaml")
    assert car == Car(wheels=4, engine=Engine(power=3.5, name="v8"))


def test_overriding_leaves_the_original_alone():
    original = {"engine": {"power": 2}}
    config.override(original, ["engine.power=3"])
    assert original == {"engine": {"power": 2}}


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ({"wheels": 4, "wings": 2}, ["car.yaml", "wings", "unknown"]),
        ({"wheels": "four"}, ["car.yaml", "wheels", "integer"]),
        ({}, ["car.yaml", "wheels"]),
        ({"wheels": 4, "engine": {"power": "much"}}, ["car.yaml", "engine.power"]),
    ],
)
def test_a_wrong_configuration_is_refused_in_one_sentence_naming_file_and_key(content, names):
    with pytest.raises(UsageError) as caught:
        config.validate(Car, content, "car.yaml")
    message = str(caught.value)
    assert all(name in message for name in names)
    assert "\n" not in message


@pytest.mark.parametrize("setting", ["wheels", "=4", "wheels.front=2", "wheels=[1"])
def test_a_malformed_setting_is_refused_and_named(setting):
    with pytest.raises(UsageError, match="--set"):
        config.override({"wheels": 4}, [setting])


def test_a_configuration_cannot_be_changed_once_made():
    with pytest.raises(AttributeError):
        Engine().power = 2.0


def test_equal_configurations_have_equal_digests_and_others_not():
    assert config.digest(Car(wheels=4)) == config.digest(Car(engine=Engine(), wheels=4))
    assert config.digest(Car(wheels=4)) != config.digest(Car(wheels=3))


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(UsageError, match=r"unknown task 'topp'; choose one of .*top"):
        config.find_config("tasks", "topp")


def test_a_users_own_yaml_file_is_found_by_its_path(tmp_path):
    own = tmp_path / "mine.yaml"
    own.write_text("wheels: 3\n")
    assert config.load(Car, "tasks", str(own)) == Car(wheels=3)


def test_a_file_that_is_not_yaml_is_refused_by_name(tmp_path):
    own = tmp_path / "mine.yaml"
    own.write_text("wheels: [3\n")
    with pytest.raises(UsageError, match=r"mine\.yaml: not valid YAML"):
        config.load(Car, "tasks", str(own))


@pytest.mark.parametrize("kind", ["tasks", "processes", "models"])
def test_configurations_of_every_kind_are_shipped(kind):
    assert config.config_names(kind)
