"""Inputs of all default variables and of every channel and jet quantity: nineteen features in jet windows."""

from e2egraph.detector.channels import channels
from e2egraph.tasks.inputs import resolve
from e2egraph.tasks.objects.jet import KIND
from e2egraph.tasks.outputs import class_outputs
from e2egraph.tasks.region import JET_REGION
from e2egraph.tasks.task import DEFAULT_VARIABLES

INPUTS = resolve(list(DEFAULT_VARIABLES), list(channels()), list(KIND.quantities), JET_REGION, KIND.quantities)
TWO_CLASSES = class_outputs(("qcd", "top"))
