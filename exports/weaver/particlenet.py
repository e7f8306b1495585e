"""Network configuration for weaver-core: its own ParticleNet (arXiv:1902.08570, fig. 3 left), on e2egraph's nodes.

Its size can be set: ``--network-option conv_params '[(8, (16, 16))]' --network-option fc_params '[(32, 0.1)]'``.
"""

import torch
from weaver.nn.model.ParticleNet import ParticleNet

CONV_PARAMS = [(16, (64, 64, 64)), (16, (128, 128, 128)), (16, (256, 256, 256))]
FC_PARAMS = [(256, 0.1)]


class ParticleNetOnNodes(torch.nn.Module):
    """ParticleNet with a boolean mask, under the input names of ``top.yaml``."""

    def __init__(self, **options):
        super().__init__()
        self.mod = ParticleNet(**options)

    def forward(self, points, features, mask):
        return self.mod(points, features, mask)


def get_model(data_config, **options):
    """The network and what weaver needs to know of its inputs."""
    settings = {"conv_params": CONV_PARAMS, "fc_params": FC_PARAMS, "use_fts_bn": True, "use_counts": True} | options
    model = ParticleNetOnNodes(
        input_dims=len(data_config.input_dicts["features"]), num_classes=len(data_config.label_value), **settings
    )
    names = list(data_config.input_names)
    about = {
        "input_names": names,
        "input_shapes": {name: (1, *shape[1:]) for name, shape in data_config.input_shapes.items()},
        "output_names": ["softmax"],
        "dynamic_axes": {name: {0: "N", 2: "n_nodes"} for name in names} | {"softmax": {0: "N"}},
    }
    return model, about


def get_loss(data_config, **options):
    """Cross entropy."""
    return torch.nn.CrossEntropyLoss()
