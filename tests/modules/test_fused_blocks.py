"""DTB, MMAM and AttentionMix: what the papers write, and the fused modules in the place of the reference's."""

import pytest
import torch

import vdeblur_fast
from vdeblur_fast.ops import use_backend
from vdeblur_fast.reference import modules as reference

SHAPES = {
    "DTB": {"beta": (), "similarity.weight": (6, 12, 5, 5), "similarity.bias": (6,)},
    "MMAM": {
        f"{branch}.{layer}.{name}": shape
        for branch in ("scale", "shift")
        for layer, name, shape in (
            (0, "weight", (3, 1, 1, 1)),
            (0, "bias", (3,)),
            (1, "weight", (6, 3, 1, 1)),
            (1, "bias", (6,)),
        )
    },
    "AttentionMix": {},
}
NAMES = list(SHAPES)


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def inputs(name: str, h: int = 9, w: int = 11) -> tuple[torch.Tensor, ...]:
    match name:
        case "DTB":
            return normal(2, 6, h, w), normal(2, 6, h, w).flip(2)
        case "MMAM":
            return normal(2, 6, h, w), normal(2, 1, h, w).sigmoid()
    return normal(2, 3, 4, 3, h, w), normal(2, 3, 4, h, w), normal(2, 3, h, w)


def pair(name: str) -> tuple[torch.nn.Module, torch.nn.Module]:
    torch.manual_seed(0)
    options = () if name == "AttentionMix" else (6,)
    fused, plain = getattr(vdeblur_fast, name)(*options), getattr(reference, name)(*options)
    plain.load_state_dict(fused.state_dict(), strict=True)
    return fused, plain


@pytest.mark.parametrize("name", NAMES)
def test_the_parameters_are_those_of_the_specification(name):
    for module in pair(name):
        assert {key: tuple(p.shape) for key, p in module.state_dict().items()} == SHAPES[name]


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_the_fused_module_is_the_references_function(name):
    fused, plain = pair(name)
    want = plain.double()(*(x.double() for x in inputs(name)))
    torch.testing.assert_close(fused(*inputs(name)).double(), want, rtol=1e-5, atol=1e-5)
    same, got = (m.bfloat16()(*(x.bfloat16() for x in inputs(name))) for m in (plain, fused))
    assert got.dtype == torch.bfloat16
    assert (got - want).abs().max() <= 2 * (same - want).abs().max() + 1e-2 * want.abs().max()


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_the_references(name):
    gradients = []
    for module in pair(name):
        leaves = [x.clone().requires_grad_() for x in inputs(name)]
        y = module(*leaves)
        (y * normal(*y.shape)).sum().backward()
        gradients.append([leaf.grad for leaf in leaves] + [p.grad for p in module.parameters()])
    for got, want in zip(*gradients, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_the_fused_module_compiles_to_one_graph(name):
    fused, _ = pair(name)
    torch.compiler.reset()
    compiled = torch.compile(fused, fullgraph=True, backend="aot_eager")
    with torch._dynamo.config.patch(error_on_recompile=True):
        for backend in ("reference", "cpu"):
            with use_backend(backend):
                torch.testing.assert_close(compiled(*inputs(name)), fused(*inputs(name)))


@torch.no_grad()
def test_blending_is_equations_2_and_3():
    fused, plain = pair("DTB")
    current, previous = inputs("DTB")
    similarity = plain.similarity(torch.cat([current, previous], 1))
    assert similarity.shape == current.shape
    for beta in (0.0, 0.3, 1.0):
        w = torch.minimum(torch.ones(()), similarity.tanh().abs() + beta)
        for module in (fused, plain):
            module.beta.fill_(beta)
            torch.testing.assert_close(module(current, previous), w * current + (1 - w) * previous)


def test_blending_with_no_previous_frame_is_the_current_one():
    for module in pair("DTB"):
        current, _ = inputs("DTB")
        assert module(current) is current
        assert module(current, None) is current
        assert 0 <= module.beta <= 1


@torch.no_grad()
def test_attention_is_two_pairs_of_convolutions_of_the_magnitude():
    x, magnitude = inputs("MMAM")
    for module in pair("MMAM"):
        maps = []
        for branch in (module.scale, module.shift):
            hidden = branch[0](magnitude)
            maps.append(branch[1](torch.where(hidden > 0, hidden, 0.1 * hidden)))
        torch.testing.assert_close(module(x, magnitude), x * (maps[0] + 1) + maps[1])


@torch.no_grad()
def test_attention_without_the_shift_is_the_published_codes():
    torch.manual_seed(0)
    fused = vdeblur_fast.MMAM(6, shift=False)
    plain = reference.MMAM(6, shift=False)
    plain.load_state_dict(fused.state_dict())
    assert not any(name.startswith("shift") for name in fused.state_dict())
    torch.testing.assert_close(fused(*inputs("MMAM")), plain(*inputs("MMAM")))


@pytest.mark.parametrize("normalize", ["softmax", "none"])
def test_mixing_is_equations_1_and_2(normalize):
    estimates, logits, outer = inputs("AttentionMix")
    inner, external = (logits, outer) if normalize == "none" else (logits.softmax(2), outer.softmax(1))
    want = torch.einsum("bjkchw,bjkhw,bjhw->bchw", estimates, inner, external)
    for modules in (vdeblur_fast, reference):
        mix = modules.AttentionMix(normalize=normalize)
        torch.testing.assert_close(mix(estimates, logits, outer), want)
        alone = torch.einsum("bkchw,bkhw->bchw", estimates[:, 0], inner[:, 0])
        torch.testing.assert_close(mix(estimates[:, 0], logits[:, 0]), alone)


def test_mistakes_are_named():
    for modules in (vdeblur_fast, reference):
        with pytest.raises(ValueError, match=r"kernel_size must be odd.*got 4"):
            modules.DTB(8, 4)
        with pytest.raises(ValueError, match="channels must be at least 1, got 0"):
            modules.DTB(0)
        with pytest.raises(ValueError, match=r"channels must be at least 2.*got 1"):
            modules.MMAM(1)
        with pytest.raises(ValueError, match="normalize must be one of softmax, none, got 'sum'"):
            modules.AttentionMix(normalize="sum")
        with pytest.raises(ValueError, match=r"estimates must be \(B, K, C, H, W\) without outer"):
            modules.AttentionMix()(*inputs("AttentionMix")[:2])
