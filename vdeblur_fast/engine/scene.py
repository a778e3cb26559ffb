"""One scene going through a network: frames enter one by one, sharp images leave `future` frames later."""

from collections.abc import Iterator

import torch

from ..reference.networks import VideoNetwork


class Scene:
    """Carries a network's state from frame to frame; each frame is encoded once and decoded once.

    At most past + 1 + future entries are held, whatever the length of the scene. The entries of the first and the last
    frame stand in for the neighbours that they lack.
    """

    def __init__(self, network: VideoNetwork):
        self._network = network
        self._entries: list = []
        self._centre = 0  # the entry whose image is due next
        self._encoder_state = self._decoder_state = None
        self.chosen: list[int] = []  # the neighbours that the last image was made of, as offsets in frames

    def push(self, frame: torch.Tensor) -> Iterator[torch.Tensor]:
        """frame (1, 3, H, W) -> the images that have become ready: none or one."""
        entry, self._encoder_state = self._network.encode(frame, self._encoder_state)
        self._entries.append(entry)
        if len(self._entries) - self._centre > self._network.future:
            yield self._decode()

    def flush(self) -> Iterator[torch.Tensor]:
        """The images still due, now that no frame follows."""
        while self._centre < len(self._entries):
            yield self._decode()

    def _decode(self) -> torch.Tensor:
        window = self._network.window(self._entries, self._centre)
        image, self._decoder_state = self._network.decode(window, self._decoder_state)
        self.chosen = self._chosen()
        self._entries[self._centre] = self._network.retire(self._entries[self._centre])
        self._centre += 1
        unneeded = self._centre - self._network.past
        if unneeded > 0 and len(self._entries) > self._network.past:
            del self._entries[:unneeded]
            self._centre -= unneeded
        return image

    def _chosen(self) -> list[int]:
        offsets = self._network.chosen(self._decoder_state)
        if offsets is None:
            offsets = range(-self._network.past, self._network.future + 1)
        return sorted(o for o in offsets if o and 0 <= self._centre + o < len(self._entries))
