"""The sections of an evaluation's page, a file each: every module of this folder is imported and registers its own."""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__, f"{__name__}."):
    import_module(_module.name)
