"""attention_mix, every body of it, against the reference."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from vdeblur_fast.ops import attention_mix
from vdeblur_fast.reference import ops as reference

from .checking import LAYOUTS, check_compiles_once, check_gradients, check_threads, check_values, frames, normal

# B, J (0: not nested), K, C, H, W
SIZES = [
    (1, 0, 1, 1, 1, 1),
    (2, 0, 4, 3, 7, 13),
    (1, 3, 4, 3, 31, 33),
    (2, 1, 5, 3, 45, 1),
    (1, 2, 1, 17, 5, 129),
    (1, 0, 3, 33, 2, 600),
    (2, 5, 7, 2, 3, 100),
    (1, 0, 2, 3, 5, 50),
    (1, 4, 3, 3, 9, 21),
    (1, 2, 5, 3, 70, 130),
]


def given(b=2, j=0, k=4, c=3, h=7, w=13, layout="contiguous", dtype=torch.float32, normalize="softmax"):
    lead = (b, j, k) if j else (b, k)
    estimates = frames(*lead, c, h, w, layout=layout, dtype=dtype)
    logits = (2 * frames(*lead, h, w, layout=layout)).to(dtype)
    return estimates, logits, (2 * frames(b, j, h, w, layout=layout)).to(dtype) if j else None, normalize


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("normalize", ["softmax", "none"])
@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: "b{}j{}k{}c{}h{}w{}".format(*s))
def test_attention_mix_matches_reference(body, fences, sizes, normalize, dtype):
    check_values(attention_mix, reference.attention_mix, given(*sizes, dtype=dtype, normalize=normalize))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("j", [0, 2])
def test_attention_mix_views(body, fences, j, layout, dtype):
    check_values(attention_mix, reference.attention_mix, given(j=j, h=9, w=19, layout=layout, dtype=dtype))


def test_attention_mix_of_estimates_that_lie_in_another_order(body, fences):
    estimates, logits, outer, _ = given(j=2, k=3)
    estimates = estimates.permute(2, 0, 1, 3, 4, 5).contiguous().permute(1, 2, 0, 3, 4, 5)
    logits = logits.movedim(1, 3).contiguous().movedim(3, 1)
    check_values(attention_mix, reference.attention_mix, (estimates, logits, outer))


@pytest.mark.parametrize("types", [(torch.bfloat16, torch.float32), (torch.float32, torch.bfloat16)], ids=str)
def test_attention_mix_takes_logits_of_another_type(body, fences, types):
    estimates, logits, outer, _ = given(j=2)
    arguments = estimates.to(types[0]), logits.to(types[1]), outer.to(types[1])
    assert attention_mix(*arguments).dtype == types[0]
    check_values(attention_mix, reference.attention_mix, arguments)


def test_attention_mix_nested_is_the_mix_of_the_mixtures(body):
    estimates, logits, outer, _ = given(j=3, h=20, w=31)
    inner = torch.stack([attention_mix(estimates[:, j], logits[:, j]) for j in range(3)], 1)
    torch.testing.assert_close(attention_mix(estimates, logits, outer), attention_mix(inner, outer))


def test_attention_mix_of_equal_estimates_is_the_estimate(body):
    estimates, logits, outer, _ = given(j=2)
    same = estimates[:, :1, :1].expand_as(estimates)
    torch.testing.assert_close(attention_mix(same, logits * 10, outer), same[:, 0, 0])


@pytest.mark.parametrize("scale", [1e4, -1e4, 1e-30])
def test_attention_mix_extreme_logits(body, fences, scale):
    estimates, logits, outer, _ = given(j=2)
    check_values(attention_mix, reference.attention_mix, (estimates, logits * scale, outer * scale))


def test_attention_mix_leaves_a_branch_of_infinitely_small_logits_out(body, fences):
    estimates, logits, outer, _ = given(j=2)
    logits[:, :, 0], outer[:, 1] = -torch.inf, -torch.inf
    estimates[:, :, 0] = estimates[:, 1] = 1e37  # of which next to nothing were much
    torch.testing.assert_close(
        attention_mix(estimates, logits, outer), attention_mix(estimates[:, 0, 1:], logits[:, 0, 1:])
    )


def test_attention_mix_nan_stays_in_its_pixel(body, fences):
    estimates, logits, outer, _ = given(j=2)
    estimates[1, 1, 2, 2, 5, 11] = logits[0, 1, 3, 4, 2] = outer[0, 1, 6, 12] = torch.nan
    got = attention_mix(estimates, logits, outer).isnan().nonzero().tolist()
    assert got == sorted([[1, 2, 5, 11], *([0, c, 4, 2] for c in range(3)), *([0, c, 6, 12] for c in range(3))])


def test_attention_mix_of_nothing_is_nothing(body):
    assert attention_mix(*given(b=0)).shape == (0, 3, 7, 13)
    assert attention_mix(*given(j=2, c=0)).shape == (2, 0, 7, 13)


@pytest.mark.parametrize("body", ["cpu-portable", "cpu-avx2"], indirect=True)
def test_attention_mix_is_the_same_for_any_number_of_threads(body, fences):
    arguments = given(2, 2, 3, 3, 50, 60)
    check_threads(lambda: attention_mix(*arguments))


@pytest.mark.parametrize("normalize", ["softmax", "none"])
@pytest.mark.parametrize("j", [0, 2])
def test_attention_mix_gradients_are_the_references(j, normalize):
    estimates, logits, outer, _ = given(1, j, 3, 2, 3, 5)
    tensors = (estimates, logits, outer) if j else (estimates, logits)

    def of(function):
        return lambda *given: function(*given, normalize=normalize)

    check_gradients(of(attention_mix), of(reference.attention_mix), tensors)


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
@pytest.mark.parametrize("j", [0, 2])
def test_attention_mix_opcheck(j, layout, requires_grad):
    *tensors, normalize = given(j=j, layout=layout)
    tensors = [t if t is None else t.requires_grad_(requires_grad) for t in tensors]
    torch.library.opcheck(torch.ops.vdeblur.attention_mix.default, (*tensors, normalize))


def test_attention_mix_compiles_once():
    check_compiles_once(attention_mix, given())
    check_compiles_once(attention_mix, given(j=2, normalize="none"))


def test_attention_mix_counts_two_operations_an_estimate():
    estimates, logits, outer, _ = given(j=2)
    with FlopCounterMode(display=False) as counter:
        attention_mix(estimates, logits, outer)
    assert counter.get_total_flops() == 2 * estimates.numel()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({0: normal(3, 17, 7)}, ValueError, r"estimates must be \(B, J, K, C, H, W\), got \(3, 17, 7\)"),
        ({2: None}, ValueError, r"estimates \(B, J, K, C, H, W\), as \(2, 3, 4, 3, 7, 13\) are, need outer"),
        ({0: normal(2, 3, 4, 3, 7, 0)}, ValueError, "estimates must have at least one pixel"),
        ({0: normal(2, 3, 0, 3, 7, 13)}, ValueError, "at least one branch"),
        ({1: normal(2, 4, 7, 13)}, ValueError, r"logits must be \(2, 3, 4, 7, 13\), got \(2, 4, 7, 13\)"),
        ({2: normal(2, 4, 7, 13)}, ValueError, r"outer must be \(2, 3, 7, 13\), got \(2, 4, 7, 13\)"),
        ({3: "sigmoid"}, ValueError, "normalize must be one of softmax, none, got 'sigmoid'"),
        ({1: torch.zeros(2, 3, 4, 7, 13, dtype=torch.uint8)}, TypeError, "logits must be floating point"),
    ],
    ids=["rank", "no-outer", "no-pixels", "no-branch", "logits", "outer", "normalize", "integers"],
)
def test_attention_mix_rejects_bad_input(change, error, message):
    with pytest.raises(error, match=f"attention_mix: .*{message}"):
        attention_mix(*(change.get(i, a) for i, a in enumerate(given(j=3))))
