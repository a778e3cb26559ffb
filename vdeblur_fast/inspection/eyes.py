"""What there is to see in the networks whose maps are of one kind, and which network has which."""

import torch

from ..errors import UnsupportedByNetwork
from ..reference.networks import DAVID, MMPRNN, STRCNN, GSTANet, VideoNetwork
from ..reference.networks.david import LEVELS
from ..reference.networks.gsta_fusion import AttentionFusion
from .attention_eye import AttentionEye
from .figures import Figure, separate
from .maps import blending_weights, shares
from .watching import Eye


def eye_for(network: VideoNetwork, size: tuple[int, int], at: tuple[int, int] | None = None) -> Eye | None:
    """The eye for a network; None where there is nothing to see.

    size: height and width of the frames. at: (x, y), the pixel whose attention is shown; None leaves it to the eye.
    Raises UnsupportedByNetwork for `at` where no pixel listens to others.
    """
    if isinstance(network, GSTANet) and all(isinstance(fuse, AttentionFusion) for fuse in network.fusions):
        return AttentionEye(size, at)
    if at is not None:
        raise UnsupportedByNetwork(f"{type(network).__name__} has no attention of pixels to pixels; leave --at out")
    match network:
        case MMPRNN() if network.magnitude_net is not None:
            return MagnitudeEye()
        case STRCNN() if network.blend is not None:
            return BlendEye()
        case DAVID() if network.attention is not None or len(network.scales) > 1:
            return MixEye()
    return None


class MagnitudeEye(Eye):
    """MMP-RNN's motion magnitude (its Fig. 4)."""

    PIXELS = 15  # of movement between sub-frames are a magnitude of 1 (Eq. 3)

    def watched(self, network):
        return (network.magnitude_net,)

    def note(self, network, calls):
        return calls[network.magnitude_net].output[0, 0].float().cpu()

    def figures(self, network, calls, window, state):
        magnitude = window[network.past].note
        largest, mean = float(magnitude.max()), float(magnitude.mean())
        text = (
            "How far MMP-Net believes each pixel moved from one instant of the exposure to the next. "
            f"1 is {self.PIXELS} pixels; here the mean is {mean * self.PIXELS:.2f} pixels and the largest "
            f"{largest * self.PIXELS:.2f}."
        )
        return [Figure("magnitude", "Motion magnitude", text, [magnitude], ["magnitude"], most=None)]


class BlendEye(Eye):
    """The weights of the dynamic temporal blending (DTB Eq. 2)."""

    def watched(self, network):
        return (network.blend,)

    def figures(self, network, calls, window, state):
        current, previous = calls[network.blend].inputs
        beta = float(network.blend.beta.clamp(0, 1))
        title = "Blending weights w"
        if previous is None:
            return [Figure("blending", title, "The first frame of a scene is not blended with anything.")]
        weights = blending_weights(network.blend, current, previous)[0]
        text = (
            "How much of the features is the frame's own; the rest is what the frames before it left. "
            f"Never less than beta = {beta:.3f}; shown are the mean and the least of {weights.shape[0]} channels."
        )
        maps = separate(torch.stack([weights.mean(0), weights.amin(0)]))
        return [Figure("blending", title, text, maps, ["mean of the channels", "least of the channels"])]


class MixEye(Eye):
    """DAVID's attention maps (its Fig. 5)."""

    def watched(self, network):
        return (network.mix,)

    def figures(self, network, calls, window, state):
        _, *logits = calls[network.mix].inputs
        maps = [shares(each, network.mix.normalize)[0] for each in logits]
        external = maps.pop() if network.attention is not None else None
        # an internal module that stands alone is mixed without the axis of the modules
        internal = maps[0].reshape(-1, *maps[0].shape[-3:]) if maps else ()
        modules = [self._module(i, len(network.levels)) for i in range(len(network.levels))]
        found = []
        if external is not None:
            text = "How much of each pixel is each internal module's image; the maps sum to one."
            found.append(Figure("external", "External attention", text, separate(external), modules))
        for i, shares_of_branches in enumerate(internal):
            text = "How much of each pixel of this module's image is each branch's; the maps sum to one."
            labels = [f"branch of {scale} frame{'s' * (scale > 1)}" for scale in network.scales]
            title = f"Internal attention of the {modules[i]}"
            found.append(Figure(f"internal-{i + 1}", title, text, separate(shares_of_branches), labels))
        return found

    @staticmethod
    def _module(i: int, count: int) -> str:
        if count != len(LEVELS):
            return f"module {i + 1}" if count > 1 else "only module"
        return f"module for blur of {LEVELS[i]} frames"
