"""The networks that MMP-RNN's tables compare with, to be counted and timed beside the others.

They have the layers that were counted there, to the unit. No weights ship and none are trained here, so they are not
among `networks()`; each is a `VideoNetwork` all the same (but PWC-Net, which is a part of CDVD-TSP and tells flow), so
`Deblurrer(SRN())` and every benchmark take them.
"""

from .cdvd_tsp import CDVDTSP
from .dbn import DBN
from .ifirnn import IFIRNN
from .pwc_net import PWCNet
from .srn import SRN

COMPARATORS = {"srn": SRN, "dbn": DBN, "ifirnn-c2h3": IFIRNN, "cdvd-tsp": CDVDTSP, "pwc-net": PWCNet}

__all__ = ["CDVDTSP", "COMPARATORS", "DBN", "IFIRNN", "SRN", "PWCNet"]
