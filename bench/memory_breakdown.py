"""What the memory of a stream is made of at its worst moment, from every allocation that PyTorch's profiler saw."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch._C._profiler import _EventType as EventType
from torch.profiler import ProfilerActivity, profile, record_function

FRAME = "one frame"  # how the profile names the work of a frame


@dataclass(frozen=True)
class Breakdown:
    """Bytes that PyTorch's allocator had given out at the worst moment.

    weights: what stays when the stream is over, packed weights and captured graphs included. state: what frames leave
    to later ones. activations: what the operators of a frame leave to each other. workspace: what an operator needs
    while it runs.
    """

    weights: int
    state: int
    activations: int
    workspace: int

    @property
    def total(self) -> int:
        return self.weights + self.state + self.activations + self.workspace


class Event(NamedTuple):
    """A block that was given out (bytes above 0) or taken back, and when the operator it happened in ends."""

    time: int
    address: int
    bytes: int
    operator_ends: int


@dataclass
class Block:
    bytes: int
    begins: int
    operator_ends: int
    ends: float = float("inf")


def breakdown(make: Callable[[], Any], frames: Iterable[Any], device: str = "cpu") -> Breakdown:
    """make() -> a Deblurrer or what has its `push` and `flush`; it is given the frames, its own are dropped."""
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device == "cuda")
    with profile(activities=activities, profile_memory=True) as found:
        stream = make()
        for frame in frames:
            with record_function(FRAME):
                stream.push(frame)
        with record_function(FRAME):
            stream.flush()
    roots = found.profiler.kineto_results.experimental_event_tree()
    del stream
    return at_worst(blocks(events(roots, device)), sorted(begins(roots)))


def events(nodes: Sequence[Any], device: str, operator_ends: int = 0) -> Iterator[Event]:
    """All allocations below some nodes of the profile. The operator is the outermost one: what is inside is its own."""
    for node in nodes:
        kind, details = node.typed
        if kind == EventType.Allocation:
            if details.device.type == device:
                yield Event(node.start_time_ns, details.ptr, details.alloc_size, operator_ends)
            continue
        ends = operator_ends
        if kind == EventType.TorchOp and node.name != FRAME and not ends:
            ends = node.end_time_ns
        yield from events(node.children, device, ends)


def begins(nodes: Sequence[Any]) -> Iterator[int]:
    """When the work of each frame began."""
    for node in nodes:
        if node.name == FRAME:
            yield node.start_time_ns
        else:
            yield from begins(node.children)


def blocks(found: Iterable[Event]) -> list[Block]:
    """Blocks with their lives; what was given out before the profile began is not known and not counted."""
    done: list[Block] = []
    live: dict[int, Block] = {}
    for event in sorted(found, key=lambda event: event.time):
        if event.bytes > 0:
            live[event.address] = Block(event.bytes, event.time, event.operator_ends)
            done.append(live[event.address])
        elif event.address in live:
            live.pop(event.address).ends = event.time
    return done


def at_worst(found: Sequence[Block], frames: Sequence[int]) -> Breakdown:
    """frames: when the work of each began."""
    held = most = worst = 0
    changes = [(block.begins, block.bytes) for block in found]
    changes += [(block.ends, -block.bytes) for block in found if block.ends != float("inf")]
    for time, change in sorted(changes):
        held += change
        if held > most:
            most, worst = held, time
    began = max((time for time in frames if time <= worst), default=float("inf"))
    shares = dict.fromkeys(Breakdown.__dataclass_fields__, 0)
    for block in found:
        if block.begins <= worst < block.ends:
            shares[_share(block, began)] += block.bytes
    return Breakdown(**shares)


def _share(block: Block, frame_began: float) -> str:
    if block.ends == float("inf") or frame_began == float("inf"):  # before the first frame, weights are loaded
        return "weights"
    if block.ends <= block.operator_ends:
        return "workspace"
    return "state" if block.begins < frame_began else "activations"
