"""Looking into a network changes none of its images, and what is seen is what it computed with."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from tests.cli.conftest import pictures
from vdeblur_fast import Deblurrer, build, device
from vdeblur_fast.errors import UnsupportedByNetwork
from vdeblur_fast.inspection import Inspector, Table
from vdeblur_fast.inspection.painting import paint
from vdeblur_fast.video import Frame

SIZE = (33, 46)
OPTIONS = {"device": "cpu", "precision": "fp32"}


def frames(count=4):
    images = [np.ascontiguousarray(image[: SIZE[0], : SIZE[1]]) for image in pictures(count)]
    return [Frame(image, t, Fraction(1, 25)) for t, image in enumerate(images)]


def look(name, count=4, **options):
    torch.manual_seed(0)
    network = build(name).eval()
    inspector = Inspector(network, SIZE, **(OPTIONS | options))
    return network, inspector, list(inspector.look(frames(count)))


def figures(sight):
    return {figure.name: figure for figure in sight.figures if not isinstance(figure, Table)}


def summed(figure):
    return torch.stack(list(figure.maps)).sum(0)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "auto"])
@pytest.mark.parametrize("name", ["gsta-net-small", "david-small-internal", "strcnn-dtb", "mmp-rnn-tiny", "cnn"])
def test_the_images_are_the_networks_own(name, precision, monkeypatch):
    """In whichever numbers it computes; "auto" as on a CPU that is fast in bfloat16."""
    monkeypatch.setattr(device, "cpu_is_fast_at", lambda precision: True)
    network, _, sights = look(name, precision=precision)
    plain = Deblurrer(network, accelerate=False, device="cpu", precision=precision)
    wanted = plain.stream([frame.image for frame in frames()])
    assert [sight.number for sight in sights] == [0, 1, 2, 3]
    for sight, image in zip(sights, wanted, strict=True):
        assert np.array_equal(sight.after.image, image)
        for figure in figures(sight).values():
            for values in figure.maps:
                assert paint(values, figure, sight.extent, SIZE).shape == (*SIZE, 3)


@pytest.mark.parametrize("name", ["gsta-net-small", "gsta-net2", "gsta-net3"])
def test_attention_is_seen_at_every_place(name):
    _, _, sights = look(name, show=1)
    (sight,) = sights
    found, heard_frames = figures(sight), 1 + len(sight.neighbours)
    assert ("blur-mask" in found) == (name != "gsta-net2")
    for place in ("place1", "place2", "place3"):
        for sheet in ("heard", "pixel"):
            torch.testing.assert_close(
                summed(found[f"{place}-{sheet}"]), torch.ones_like(found[f"{place}-{sheet}"].maps[0])
            )
        assert len(found[f"{place}-heard"].maps) == len(found[f"{place}-from"].maps) == heard_frames
        for values in found[f"{place}-spatial"].maps:
            assert float(values.mean()) == pytest.approx(1, rel=1e-4)
        followed = torch.stack(list(found[f"{place}-from"].maps))
        assert float(followed.mean()) == pytest.approx(1, rel=1e-2)  # those of the neighbours are kept in bfloat16
    for table in (figure for figure in sight.figures if isinstance(figure, Table)):
        assert len(table.rows) == heard_frames
        torch.testing.assert_close(table.values.sum(0), torch.ones(4))


def test_the_blur_mask_is_that_of_the_network():
    network, _, (first, *_) = look("gsta-net3", count=1)
    network.explain = True
    x = torch.from_numpy(frames(1)[0].image).permute(2, 0, 1)[None] / 255
    height, width = first.extent
    x = torch.nn.functional.pad(x, [0, width - SIZE[1], 0, height - SIZE[0]], mode="replicate")
    with torch.no_grad():
        wanted = network.blur_masks(network.encode(x)[0])
    found = figures(first)["blur-mask"].maps
    for mask, values in zip(wanted, found, strict=True):
        assert 0 <= values.min() <= values.max() <= 1
        torch.testing.assert_close(values, mask[0, 0], rtol=1e-4, atol=1e-5)


def test_the_pixel_that_was_asked_for_is_followed():
    _, _, (sight,) = look("gsta-net-small", show=1, at=(45, 32))
    assert figures(sight)["place1-from"].mark == (45, 32)
    with pytest.raises(UnsupportedByNetwork, match="leave --at out"):
        look("cnn", at=(1, 1))


@pytest.mark.parametrize(
    ("name", "internal", "external"),
    [("david-small", 3, True), ("david-small-internal", 1, False), ("david-small-external", 0, True)],
)
def test_the_maps_of_david_sum_to_one(name, internal, external):
    _, _, (sight,) = look(name, count=1)
    found = figures(sight)
    assert set(found) == {*(f"internal-{i + 1}" for i in range(internal)), *(["external"] if external else [])}
    for figure in found.values():
        torch.testing.assert_close(summed(figure), torch.ones(sight.extent))


def test_blending_begins_with_the_second_frame():
    network, _, sights = look("strcnn-dtb")
    assert not figures(sights[0])["blending"].maps
    for sight in sights[1:]:
        for values in figures(sight)["blending"].maps:
            assert network.blend.beta.item() - 1e-6 <= values.min() <= values.max() <= 1


def test_the_magnitude_is_that_of_the_prior():
    _, _, sights = look("mmp-rnn-tiny")
    for sight in sights:
        (values,) = figures(sight)["magnitude"].maps
        assert 0 <= values.min() <= values.max() <= 1


def test_a_network_with_nothing_to_see():
    for name in ("cnn", "estrnn-c70b7", "gsta-net1", "david-small-single3", "mmp-rnn-a3b4c16-no-mmam"):
        inspector = Inspector(build(name), SIZE, **OPTIONS)
        assert inspector.sees_nothing


def test_no_more_frames_are_read_than_needed():
    read = []

    def counted():
        for frame in frames(8):
            read.append(frame)
            yield frame

    inspector = Inspector(build("strcnn-dtb"), SIZE, show=2, every=2, **OPTIONS)
    assert [sight.number for sight in inspector.look(counted())] == [0, 2]
    assert len(read) == inspector.needed == 4
