"""A pytest plugin: the operators' native module is the one that VDEBLUR_ON_HOST names."""

import os
import sys
from importlib.util import module_from_spec, spec_from_file_location

spec = spec_from_file_location("vdeblur_fast._cpu", os.environ["VDEBLUR_ON_HOST"])
module = module_from_spec(spec)
spec.loader.exec_module(module)
sys.modules["vdeblur_fast._cpu"] = module
