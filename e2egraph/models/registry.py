"""Names → networks. A model is one Python file and one YAML: here or, by import path, in anybody's own package.

The YAML says ``name``, ``network: package.module:Class`` and ``options``. The class is any ``torch.nn.Module`` with the
forward of ``e2egraph.models.network.Network``, an ``Options`` configuration class and
``__init__(options, inputs, outputs)``, whose output has ``outputs.size`` columns of raw numbers.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field
from torch import nn

from e2egraph.config import as_dict, configuration, find_config, override, read_yaml, settings_of, validate
from e2egraph.errors import UsageError
from e2egraph.models.hiding import Hidden, hide
from e2egraph.models.output_scale import scale_outputs
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs


@configuration
class ModelConfig:
    """A network and its options; ``options`` holds every option, defaults filled in, once it is loaded.

    ``hide``: node variables that it sees as zero, for ablations.

    ``name``: of the model. ``network``: import path of its class, module:Class. ``options``: of the class, as its
    ``Options`` describes them.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    network: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    options: dict[str, Any] = Field(default_factory=dict)
    hide: Hidden = ()


def load_model_config(name: str, settings: Iterable[str] = ()) -> ModelConfig:
    """Configuration of a shipped model or of a YAML file, with ``settings`` such as ``options.width=32`` applied.

    UsageError: unknown model, unknown or wrong option, network that cannot be imported.
    """
    path = find_config("models", name)
    return _overridden(read_yaml(path), settings, str(path))


def configured(config: ModelConfig, settings: Iterable[str] = ()) -> ModelConfig:
    """``config`` with ``settings`` such as ``options.width=32`` applied; UsageError as ``load_model_config``."""
    return _overridden(as_dict(config), settings, f"model {config.name}")


def _overridden(content: Mapping[str, Any], settings: Iterable[str], origin: str) -> ModelConfig:
    changed = override(content, settings)
    return complete(validate(ModelConfig, changed, origin), origin, settings_of(changed.get("options")))


def complete(config: ModelConfig, origin: str, settings: Iterable[str] = ()) -> ModelConfig:
    """``config`` with its options checked by the network's class and defaults filled in; ``origin``, and ``settings``
    applied to the options, are for errors."""
    options = as_dict(_options(config, origin, settings))
    return replace(config, options=options)


def build_model(config: ModelConfig, inputs: Inputs, outputs: Outputs) -> nn.Module:
    """A new network with random weights (torch's global generator) that reads ``inputs`` and gives ``outputs``.

    What it gives is in physical units (``models.output_scale``). UsageError when the network cannot be made for
    them: it needs or hides what is not among ``inputs``.
    """
    origin = f"model {config.name}"
    network: nn.Module = network_class(config, origin)(_options(config, origin), inputs, outputs)
    if config.hide:
        hide(network, config.hide, inputs)
    scale_outputs(network, outputs)
    return network


def parameter_count(model: nn.Module) -> int:
    """Trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def _options(config: ModelConfig, origin: str, settings: Iterable[str] = ()) -> object:
    cls = network_class(config, origin)
    return validate(cls.Options, config.options, f"{origin}, options", settings)


def network_class(config: ModelConfig, origin: str) -> Any:
    """The class that ``config`` names, not made; UsageError, naming ``origin``, when there is none that can be used."""
    module_name, class_name = config.network.split(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise UsageError(
            f"{origin}: network '{config.network}' cannot be imported ({error}); install its package or put its folder "
            "on PYTHONPATH."
        ) from error
    cls = getattr(module, class_name, None)
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        raise UsageError(f"{origin}: '{class_name}' in {module_name} is not a torch.nn.Module; correct 'network'.")
    if not hasattr(cls, "Options"):
        raise UsageError(f"{origin}: {config.network} has no Options configuration class; give it one.")
    try:
        inspect.signature(cls).bind(None, None, None)
    except TypeError as error:
        raise UsageError(
            f"{origin}: {config.network} cannot be made as {class_name}(options, inputs, outputs) ({error}); give its "
            "__init__ these three arguments."
        ) from error
    return cls
