"""Configuration: shipped files, overrides, one-sentence errors and hashes."""

import re
from pathlib import Path

import pytest

from e2egraph import config
from e2egraph.errors import UsageError
from e2egraph.models.registry import load_model_config
from e2egraph.tasks.task import load_task, make_task
from e2egraph.training.recipe import load_recipe, split_settings


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


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("engine.powr=3", r"^--set engine\.powr=3: unknown key 'engine\.powr' \(did you mean 'power'\?\); remove it"),
        ("engine.power=fast", r"^--set engine\.power=fast: 'engine\.power' is wrong \("),
        ("engine={power: fast}", r"^--set engine=\{power: fast\}: 'engine\.power' is wrong \("),
        ("engine.name=v8", r"^car\.yaml: 'wheels' is wrong \("),
    ],
)
def test_an_error_names_the_setting_that_made_it_or_the_file(setting, message):
    wheels = "many" if "name" in setting else 4
    with pytest.raises(UsageError, match=message):
        config.validate(Car, config.override({"wheels": wheels}, [setting]), "car.yaml")


@pytest.mark.parametrize("word", ["true", "yes", "on", "false", "off"])
def test_a_switch_is_no_number(word):
    for key in ("wheels", "engine.power"):
        with pytest.raises(UsageError, match=rf"^--set {key}={word}: '{key}' is wrong \(input should be a number"):
            config.validate(Car, config.override({"wheels": 4}, [f"{key}={word}"]), "car.yaml")
    with pytest.raises(UsageError, match=r"^car\.yaml: 'engine\.power' is wrong \(input should be a number"):
        config.validate(Car, {"wheels": 4, "engine": {"power": True}}, "car.yaml")
    assert load_recipe("published", [f"training.compile={word}"]).training.compile == (word in ("true", "yes", "on"))


@pytest.mark.parametrize(("text", "taken"), [("010", 8), ("-017", -15), ("1:30", 90), ("1:30.5", 90.5)])
def test_a_number_that_yaml_reads_to_another_base_is_refused_with_what_it_would_be(text, taken, tmp_path):
    with pytest.raises(UsageError, match=rf"the value is {text}, which YAML reads as the number {taken}; write that"):
        config.override({}, [f"wheels={text}"])
    (tmp_path / "car.yaml").write_text(f"wheels: {text}\n")
    with pytest.raises(UsageError, match=rf"line 1: 'wheels' is {text}, which YAML reads as the number {taken}"):
        config.read_yaml(tmp_path / "car.yaml")
    assert config.override({}, [f"name='{text}'", "zero=0", "small=0.5"]) == {"name": text, "zero": 0, "small": 0.5}


def test_an_error_in_a_group_that_another_class_reads_names_the_setting_as_it_was_given():
    for_model, _ = split_settings(["model.options.width=wide"])
    with pytest.raises(UsageError, match=r"^--set model\.options\.width=wide: 'width' is wrong"):
        load_model_config("gravnet", for_model)
    with pytest.raises(UsageError, match=r"^--set options\.width=wide: 'width' is wrong"):
        load_model_config("gravnet", ["options.width=wide"])
    for setting in ("object.pt_min=much", "objective.signal=no", "objective={kind: classification, classes: 3}"):
        with pytest.raises(UsageError, match=rf"^--set {re.escape(setting)}: "):
            load_task("top", [setting])


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


def test_a_misspelt_name_is_refused_with_the_one_that_is_spelt_most_like_it():
    for name in ("gravnett", "gravnett.yaml"):
        with pytest.raises(UsageError, match=r"gravnett.* \(did you mean 'gravnet'\?\); .*resnet15"):
            config.find_config("models", name)
    with pytest.raises(UsageError, match="unknown model 'zzz'; choose one of"):
        config.find_config("models", "zzz")


def test_a_refusal_of_a_validator_that_is_a_sentence_is_passed_on_as_it_is():
    with pytest.raises(
        UsageError,
        match=r"^mine\.yaml: object: unknown key 'ptmin' .did you mean 'pt_min'\?.; remove it or correct [^;]*\.$",
    ):
        make_task(config.read_yaml(config.find_config("tasks", "top")) | {"object": {"ptmin": 3}}, "mine.yaml")


@pytest.mark.parametrize("setting", ["wheels", "=4", "wheels.front=2", "wheels=[1"])
def test_a_malformed_setting_is_refused_and_named(setting):
    with pytest.raises(UsageError, match="--set"):
        config.override({"wheels": 4}, [setting])


def test_a_configuration_cannot_be_changed_once_made():
    with pytest.raises(AttributeError):
        Engine().power = 2.0


def test_what_differs_from_the_defaults_is_the_same_in_versions_with_further_keys():
    @config.configuration
    class Inner:
        a: int = 1

    @config.configuration
    class Early:
        inner: Inner
        b: str = "x"

    @config.configuration
    class Later:
        inner: Inner
        b: str = "x"
        c: float | None = None

    assert config.changed(Early(inner=Inner(a=2))) == config.changed(Later(inner=Inner(a=2))) == {"inner": {"a": 2}}
    assert config.changed(Later(inner=Inner(), b="x")) == {"inner": {}}
    assert config.changed(Later(inner=Inner(), c=0.0)) == {"inner": {}, "c": 0.0}


def test_equal_configurations_have_equal_digests_and_others_not():
    assert config.digest(Car(wheels=4)) == config.digest(Car(engine=Engine(), wheels=4))
    assert config.digest(Car(wheels=4)) != config.digest(Car(wheels=3))


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(UsageError, match=r"unknown task 'topp' \(did you mean 'top'\?\); choose one of .*top"):
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


def refused(tmp_path, content: bytes | str) -> str:
    own = tmp_path / "mine.yaml"
    own.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UsageError) as caught:
        config.read_yaml(own)
    assert str(caught.value).startswith(f"{own}: ") and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("files: a\nfiles: b\n", "line 2: key 'files' is given twice (first in line 1)"),
        ("samples:\n  - {class: top}\n  - class: qcd\n    files: a\n    files: b\n", "line 5: key 'samples.1.files'"),
        ("a: {b: 1, b: 1}", "line 1: key 'a.b'"),
        # One key once they are in a dictionary, or in JSON.
        ("1: a\n1.0: b\n", "line 2: key '1.0'"),
        ("1: a\n'1': b\n", "line 2: key '1'"),
        ("a: {<<: {b: 1}, <<: {c: 2}}", "key 'a.<<'"),
    ],
)
def test_a_key_that_a_group_holds_twice_is_refused_with_its_line(tmp_path, content, names):
    assert names in refused(tmp_path, content)


def test_what_a_merge_brings_may_be_given_again(tmp_path):
    own = tmp_path / "mine.yaml"
    own.write_text("a: &a {x: 1, y: 2}\nb: &b {<<: *a, x: 3}\nc: {<<: *b, y: 4}\n")
    assert config.read_yaml(own)["c"] == {"x": 3, "y": 4}


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"# Querschnitt in \xb5b\na: 1\n", "line 1 is not UTF-8; save the file as UTF-8"),
        ("task:\n  description: 2024-05-01\n", "line 2: 'task.description' is a date (2024-05-01); put text in quotes"),
        ("made: 2024-13-45", "'made' is a date"),
        ("a: !!binary aGVsbG8=", "'a' is binary data"),
        ("a: !!set {b}", "'a' is a set"),
        ("a: &a [1, *a]", "'a.1' contains itself"),
        ("a: " + 5000 * "[", "nested too deeply"),
        ("a: " + 5000 * "9", "not valid YAML"),
        ("a: \0", "not valid YAML"),
        ("a: 1\n---\nb: 2\n", "not valid YAML"),
    ],
)
def test_what_no_configuration_can_hold_is_refused_with_its_line(tmp_path, content, names):
    assert names in refused(tmp_path, content)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_utf_8_is_read_with_and_without_a_byte_order_mark(tmp_path, encoding):
    own = tmp_path / "mine.yaml"
    own.write_text("name: größer\n", encoding=encoding)
    assert config.read_yaml(own) == {"name": "größer"}


@pytest.mark.parametrize("setting", ["engine={power: 1, power: 2}", "engine.name=2024-05-01", "engine.power=.inf"])
def test_settings_are_held_to_the_same(setting):
    with pytest.raises(UsageError, match=r"is given twice|is a date|finite number"):
        config.validate(Car, config.override({"wheels": 4}, [setting]), "car.yaml")


def test_one_loader_reads_every_yaml():
    top = Path(__file__).parents[1]
    sources = [path for folder in ("e2egraph", "scripts", "exports") for path in (top / folder).rglob("*.py")]
    loading = [path.name for path in sources if re.search(r"\b(safe_load|SafeLoader|yaml\.load)", path.read_text())]
    assert loading == ["yamlfile.py"]
