"""The losses against numbers worked out by hand, against NumPy, and their gradients."""

import numpy as np
import pytest
import torch

from vdeblur_fast.training import losses


def images(*shape, seed=0):
    random = torch.Generator().manual_seed(seed)
    return torch.rand(2, *shape, generator=random, dtype=torch.float64)


def test_charbonnier_by_hand():
    """Differences 0.3, 0.4 and 0 in the channels of one pixel: the root of their squares' sum is 0.5."""
    output = torch.tensor([0.3, 0.4, 0.0]).reshape(1, 3, 1, 1)
    target = torch.zeros(1, 3, 1, 1)
    assert losses.charbonnier(output, target).item() == pytest.approx((0.25 + 1e-6) ** 0.5, abs=1e-7)
    mean = losses.charbonnier(output, target, channels="mean").item()
    assert mean == pytest.approx((0.25 / 3 + 1e-6) ** 0.5, abs=1e-7)
    assert losses.charbonnier(target, target).item() == pytest.approx(1e-3)


def test_charbonnier_is_equation_6():
    output, target = images(2, 4, 3, 5, 7)
    a, b = output.numpy(), target.numpy()
    expected = np.sqrt(((a - b) ** 2).sum(2) + 1e-6).mean()
    assert losses.charbonnier(output, target).item() == pytest.approx(expected, rel=1e-6)


def test_gradient_magnitude_by_hand():
    """One bright pixel in the middle: its four neighbours, and no other pixel, see a step of 1."""
    image = torch.zeros(1, 1, 3, 3)
    image[..., 1, 1] = 1
    expected = torch.full((1, 1, 5, 5), 1e-3)
    for y, x in ((1, 2), (3, 2), (2, 1), (2, 3)):
        expected[0, 0, y, x] = (1 + 1e-6) ** 0.5
    torch.testing.assert_close(losses.gradient_magnitude(image), expected)


@pytest.mark.parametrize(("distance", "power"), [("squared", 2), ("absolute", 1)])
def test_gradient_is_equation_7(distance, power):
    output, target = images(2, 3, 6, 5)

    def magnitude(image):
        padded = np.pad(image, [(0, 0), (0, 0), (2, 2), (2, 2)])
        height, width = image.shape[-2] + 2, image.shape[-1] + 2
        dx = padded[..., 1 : 1 + height, 2:] - padded[..., 1 : 1 + height, :width]
        dy = padded[..., 2:, 1 : 1 + width] - padded[..., :height, 1 : 1 + width]
        return np.sqrt(dx**2 + dy**2 + 1e-6)

    expected = (np.abs(magnitude(output.numpy()) - magnitude(target.numpy())) ** power).mean()
    assert losses.gradient(output, target, distance).item() == pytest.approx(expected, rel=1e-5)


def test_motion_magnitude_is_the_mean_of_the_map():
    class Red(torch.nn.Module):
        def forward(self, frame):
            assert frame.dim() == 4
            return frame[:, :1] * 0.5

    output, _ = images(2, 3, 3, 4, 4)
    assert losses.motion_magnitude(output, Red()).item() == pytest.approx(output[:, :, 0].mean().item() / 2)


def test_magnitude_regression_averages_the_truth_down():
    magnitude = torch.tensor([[0.0, 0.2], [0.4, 0.6]]).reshape(1, 1, 2, 2)
    found = losses.magnitude_regression(torch.full((1, 1, 1, 1), 0.5), magnitude, gradient_weight=0.5)
    assert found["l1"].item() == pytest.approx(0.2)
    assert found["loss"].item() == pytest.approx((found["l1"] + 0.5 * found["gradient"]).item())
    paper = losses.magnitude_regression(torch.full((1, 1, 1, 1), 0.5), magnitude)
    assert paper["loss"].item() == paper["l1"].item()


def test_mmp_loss_is_equation_8():
    output, target = images(1, 2, 3, 8, 8)
    net = torch.nn.Conv2d(3, 1, 1).double()
    found = losses.MMPLoss(lambda frame: net(frame))(output, target)
    expected = losses.charbonnier(output, target) + 0.5 * losses.gradient(output, target)
    expected = expected + losses.motion_magnitude(output, net)
    assert found["loss"].item() == pytest.approx(expected.item())
    assert list(found) == ["loss", "charbonnier", "gradient", "magnitude"]


def test_mmp_loss_without_parts():
    output, target = images(1, 3, 4, 4)
    loss = losses.MMPLoss(gradient_weight=0, magnitude_weight=0)
    assert list(loss(output, target)) == list(loss.names) == ["loss", "charbonnier"]
    with pytest.raises(ValueError, match="needs magnitude_net"):
        losses.MMPLoss()


def test_mmp_loss_does_not_own_the_magnitude_net():
    net = torch.nn.Conv2d(3, 1, 1)
    loss = losses.MMPLoss(net)
    assert not list(loss.parameters())
    assert not loss.state_dict()


def test_gradients_are_right():
    output, target = images(1, 2, 3, 4, 5)
    loss = losses.MMPLoss(torch.nn.Conv2d(3, 1, 3, padding=1).double())
    assert torch.autograd.gradcheck(lambda value: loss(value, target)["loss"], output.requires_grad_())


def test_half_precision_is_summed_in_float32():
    output, target = images(1, 3, 64, 64)
    narrow = losses.charbonnier(output.bfloat16(), target.bfloat16())
    assert narrow.dtype == torch.float32
    assert narrow.item() == pytest.approx(losses.charbonnier(output, target).item(), rel=1e-2)


def test_gradient_at_equal_images_is_finite():
    value = torch.full((1, 3, 4, 4), 0.5, requires_grad=True)
    (losses.charbonnier(value, value.detach()) + losses.gradient(value, value.detach())).backward()
    assert value.grad.isfinite().all()


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"same shape, got \(1, 3, 4, 4\) and \(1, 3, 4, 5\)"):
        losses.charbonnier(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 5))


def test_squared_error_is_equation_4_of_strcnn():
    output, target = images(2, 5, 3, 4, 6)
    error = losses.squared_error(output, target).item()
    clips = [((a - b) ** 2).sum() / (4 * 6) for a, b in zip(output.numpy(), target.numpy(), strict=True)]
    assert error == pytest.approx(np.mean(clips))


def test_weight_penalty_is_the_squared_length_of_all_weights():
    weights = [torch.tensor([[1.0, 2.0], [0.0, 2.0]]), torch.tensor(-4.0)]
    assert losses.weight_penalty(weights).item() == 25


def test_negative_psnr_is_the_psnr_of_each_picture():
    torch.manual_seed(0)
    target = torch.rand(2, 3, 3, 16, 16)
    output = target + torch.randn_like(target) * torch.tensor([0.01, 0.1]).view(2, 1, 1, 1, 1)
    mse = (output - target).square().mean((-3, -2, -1))
    torch.testing.assert_close(losses.negative_psnr(output, target), mse.add(1e-5).log10().mean())
    assert losses.negative_psnr(target, target).item() == pytest.approx(-5)


def test_negative_psnr_weighs_pictures_by_the_ratio_of_their_errors():
    target = torch.zeros(2, 1, 3, 8, 8)
    output = torch.tensor([0.05, 0.5]).view(2, 1, 1, 1, 1).expand_as(target).clone().requires_grad_()
    losses.negative_psnr(output, target).backward()
    small, large = output.grad.abs().amax((1, 2, 3, 4))
    assert (small / large).item() == pytest.approx(10, rel=0.02)


def test_pictures_below_the_floor_of_negative_psnr_count_less():
    target = torch.zeros(2, 1, 3, 8, 8)
    output = torch.tensor([0.001, 0.1]).view(2, 1, 1, 1, 1).expand_as(target).clone().requires_grad_()
    losses.negative_psnr(output, target, floor=1e-4).backward()
    small, large = output.grad.abs().amax((1, 2, 3, 4))
    assert (small / large).item() == pytest.approx((0.001 / 1.01e-4) / (0.1 / 0.0101), rel=0.001)


def test_the_loss_can_take_psnr_for_charbonnier():
    torch.manual_seed(1)
    output, target = torch.rand(1, 2, 3, 8, 8), torch.rand(1, 2, 3, 8, 8)
    loss = losses.MMPLoss(gradient_weight=0, magnitude_weight=0, fidelity="psnr")
    found = loss(output, target)
    assert tuple(found) == loss.names == ("loss", "psnr")
    assert torch.equal(found["loss"], losses.negative_psnr(output, target))
    loss = losses.MMPLoss(gradient_weight=0, magnitude_weight=0, fidelity="psnr", psnr_floor=0.01)
    assert torch.equal(loss(output, target)["loss"], losses.negative_psnr(output, target, 0.01))
