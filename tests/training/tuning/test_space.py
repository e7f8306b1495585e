import pytest
import yaml

from e2egraph.config import config_names
from e2egraph.errors import UsageError
from e2egraph.models.registry import load_model_config
from e2egraph.training.recipe import load_recipe, split_settings
from e2egraph.training.tuning.space import as_settings, check_space, read_space
from tests.training.tuning.searches import SPACE


def write(tmp_path, text):
    path = tmp_path / "space.yaml"
    path.write_text(text)
    return str(path)


def loader(model):
    def load(settings):
        for_model, for_recipe = split_settings(settings)
        load_model_config(model, for_model)
        load_recipe("published", for_recipe)

    return load


def test_numbers_in_scientific_notation_lists_and_whole_numbers_are_read_as_what_they_are(tmp_path):
    space = read_space(
        write(
            tmp_path,
            SPACE + "model.options.merge: {choices: [[], [4, 4]]}\ntraining.epochs: {low: 2, high: 8, step: 3}",
        )
    )
    rate, epochs = space.dimensions["training.learning_rate"], space.dimensions["training.epochs"]
    assert (rate.low, rate.high, rate.log, rate.whole) == (1e-4, 1e-2, True, False)
    assert epochs.whole
    assert space.dimensions["model.options.merge"].labels == ["[]", "[4, 4]"]
    drawn = {
        "model.options.width": 4,
        "training.learning_rate": 3e-05,
        "training.weight_decay": 0.0,
        "model.options.merge": "[4, 4]",
        "training.epochs": 5,
    }
    assert space.values(drawn) == drawn | {"model.options.merge": [4, 4]}


def test_settings_give_back_the_very_values_when_read_as_yaml():
    values = {"a.b": 1.0e-05, "a.c": [4, 4], "a.d": "adam", "a.e": True, "a.f": None, "a.g": "true", "a.h": 3}
    read = {key: yaml.safe_load(text) for key, _, text in (line.partition("=") for line in as_settings(values))}
    assert read == values


@pytest.mark.parametrize("name", config_names("search"))
def test_every_shipped_space_fits_the_model_of_its_name(name):
    check_space(read_space(name), loader(name))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs: {low: 1, high: 2}", "unknown setting 'epochs'; begin with one of model, training, data"),
        ("training.epochs: 3", "'training.epochs' needs either"),
        ("training.epochs: {choices: [1, 2], low: 1}", "'training.epochs' needs either"),
        ("training.epochs: {low: 1}", "'high' is wrong"),
        ("training.epochs: {low: 5, high: 2}", "low 5 is not below high 2"),
        ("training.epochs: {low: 1, high: 9, stepp: 2}", "unknown key 'stepp'"),
        ("training.epochs: {low: 1, high: 9, step: 3}", "step 3 does not lead from 1 to 9"),
        ("training.learning_rate: {low: 0, high: 1, log: true}", "must begin above 0"),
        ("training.learning_rate: {low: 0.1, high: 1, log: true, step: 0.1}", "exclude each other"),
        ("training.optimizer: {choices: [adam]}", "'choices' is wrong"),
        ("training.optimizer: {choices: [adam, adam]}", "a choice occurs twice"),
        ("{}", "names no setting"),
        ("training.devices: {choices: [1, 2]}", "'training.devices' says how a training runs, not what it finds"),
        ("training.loggers: {choices: [[], [csv]]}", "'training.loggers' says how a training runs"),
        ("training.class_weights: {choices: [none, balanced]}", "'training.class_weights' changes the weights of"),
    ],
)
def test_a_wrong_space_is_refused_naming_file_key_and_reason(tmp_path, text, message):
    with pytest.raises(UsageError, match=message) as caught:
        read_space(write(tmp_path, text))
    assert "space.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training.optimizer: {choices: [adam, lion]}", "training.optimizer=lion cannot be used"),
        ("model.options.breadth: {low: 1, high: 2}", "model.options.breadth=1 cannot be used .*unknown key 'breadth'"),
        ("training.batch_size: {low: 0, high: 64}", "training.batch_size=0 cannot be used"),
    ],
)
def test_a_value_that_no_combination_can_use_is_refused_before_any_trial(tmp_path, text, message):
    with pytest.raises(UsageError, match=message):
        check_space(read_space(write(tmp_path, text)), loader("gravnet"))


def test_values_that_go_together_only_are_accepted(tmp_path):
    text = "model.options.depth: {choices: [1, 2]}\nmodel.options.merge: {choices: [[], [2, 2, 2]]}"
    with pytest.raises(UsageError, match=r"model.options.merge=\[2, 2, 2\] cannot be used"):
        check_space(read_space(write(tmp_path, text)), loader("gravnet"))
    check_space(read_space(write(tmp_path, text.replace("[1, 2]", "[1, 3]"))), loader("gravnet"))
