// The Python module vdeblur_fast._cpu: every op and its workspace, given addresses as integers. Types, shapes and
// devices are checked by vdeblur_fast.ops, the only caller.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <cstring>
#include <vector>

#include "ops.h"

namespace py = pybind11;
using namespace vdeblur;

namespace {

using Address = uintptr_t;

template <class T>
T* at(Address address) {
  return reinterpret_cast<T*>(address);
}

std::vector<const float*> each_at(const std::vector<Address>& addresses) {
  std::vector<const float*> found;
  for (Address address : addresses) found.push_back(at<float>(address));
  return found;
}

// (type, sizes (B, T, C, H, W), strides of the same), then the address
using Layout = std::tuple<int64_t, std::array<int64_t, 5>, std::array<int64_t, 5>>;

Frames frames(Address data, const Layout& layout) {
  const auto& [type, n, s] = layout;
  return {at<void>(data), Type(type), n[0], n[1], n[2], n[3], n[4], s[0], s[1], s[2], s[3], s[4]};
}

// (inputs, outputs, kernel, upscale, type)
using Sizes = std::array<int64_t, 5>;

ConvolutionSizes convolution_sizes(const Sizes& n) { return {n[0], n[1], n[2], n[3], Type(n[4])}; }

// A workspace that small is on the stack: small ops are called once, and nothing is allocated for them.
constexpr int64_t kOnStack = 1024;

// -> floats of workspace that the op has to be called again with; 0 when it has run.
template <class Op>
int64_t run(Op op, int64_t (*workspace)(const Op&), void (*body)(const Op&)) {
  alignas(64) float small[kOnStack];
  if (!op.workspace) {
    if (const int64_t needed = workspace(op); needed > kOnStack) return needed;
    op.workspace = small;
  }
  py::gil_scoped_release release;
  body(op);
  return 0;
}

}  // namespace

PYBIND11_MODULE(_cpu, m) {
  m.doc() = "The CPU bodies of the operators; see vdeblur_fast.ops.";
  m.def("isa", &isa_name);
  m.def("force_isa", &force_isa);

  m.def("spatial_squeeze",
        [](Address x, const Layout& layout, int64_t maps, Address weight, Address bias, Address gate_weight,
           Address gate_bias, Address mask, Address aggregate, Address mean, Address peak, Address total, Address gate,
           int threads, Address workspace) {
          return run(SpatialSqueeze{frames(x, layout), maps, at<float>(weight), at<float>(bias), at<float>(gate_weight),
                                    at<float>(gate_bias), at<float>(mask), at<float>(aggregate), at<float>(mean),
                                    at<float>(peak), at<float>(total), at<void>(gate), at<float>(workspace), threads},
                     spatial_squeeze_workspace, spatial_squeeze);
        });

  m.def("temporal_squeeze",
        [](const std::array<int64_t, 5>& n, Address aggregate, Address mean, Address weight, Address bias,
           Address mixed, int threads, Address workspace) {
          return run(TemporalSqueeze{n[0], n[1], n[2], n[3], n[4], at<float>(aggregate), at<float>(mean),
                                     at<float>(weight), at<float>(bias), at<float>(mixed), at<float>(workspace),
                                     threads},
                     temporal_squeeze_workspace, temporal_squeeze);
        });

  m.def("pixel_distribute",
        [](Address x, const Layout& x_layout, Address y, const Layout& y_layout, int64_t maps, Address aggregate,
           Address weight, Address bias, int threads, Address workspace) {
          return run(PixelDistribute{frames(x, x_layout), frames(y, y_layout), maps, at<float>(aggregate),
                                     at<float>(weight), at<float>(bias), at<float>(workspace), threads},
                     pixel_distribute_workspace, pixel_distribute);
        });

  m.def("temporal_blend",
        [](Address similarity, const Layout& similarity_layout, Address current, const Layout& current_layout,
           Address previous, const Layout& previous_layout, Address blended, const Layout& blended_layout, Address beta,
           int threads, Address workspace) {
          return run(TemporalBlend{frames(similarity, similarity_layout), frames(current, current_layout),
                                   frames(previous, previous_layout), frames(blended, blended_layout), at<float>(beta),
                                   at<float>(workspace), threads},
                     temporal_blend_workspace, temporal_blend);
        });

  m.def("motion_attention",
        [](Address x, const Layout& x_layout, Address y, const Layout& y_layout, Address magnitude,
           const Layout& magnitude_layout, int64_t hidden, Address scale_weight_0, Address scale_bias_0,
           Address scale_weight_1, Address scale_bias_1, Address shift_weight_0, Address shift_bias_0,
           Address shift_weight_1, Address shift_bias_1, int threads, Address workspace) {
          return run(MotionAttention{frames(x, x_layout),
                                     frames(y, y_layout),
                                     frames(magnitude, magnitude_layout),
                                     hidden,
                                     {at<float>(scale_weight_0), at<float>(scale_bias_0), at<float>(scale_weight_1),
                                      at<float>(scale_bias_1)},
                                     {at<float>(shift_weight_0), at<float>(shift_bias_0), at<float>(shift_weight_1),
                                      at<float>(shift_bias_1)},
                                     at<float>(workspace),
                                     threads},
                     motion_attention_workspace, motion_attention);
        });

  m.def("attention_mix",
        [](Address estimates, const Layout& estimates_layout, int64_t groups, int64_t group_stride, Address logits,
           const Layout& logits_layout, Address outer, const Layout& outer_layout, Address mixed,
           const Layout& mixed_layout, bool softmax, int threads, Address workspace) {
          return run(AttentionMix{frames(estimates, estimates_layout), groups, group_stride,
                                  frames(logits, logits_layout), frames(outer, outer_layout),
                                  frames(mixed, mixed_layout), softmax, at<float>(workspace), threads},
                     attention_mix_workspace, attention_mix);
        });

  m.def("residual_dense_block",
        [](Address x, const Layout& x_layout, Address y, const Layout& y_layout, const std::array<int64_t, 3>& n,
           int64_t activation, Address packed, int threads, Address workspace) {
          return run(ResidualDenseBlock{frames(x, x_layout), frames(y, y_layout), {n[0], n[1], n[2]},
                                        Activation(activation), at<float>(packed), at<float>(workspace), threads},
                     residual_dense_block_workspace, residual_dense_block);
        });
  // Writes to `packed`; with no address it only says how many floats that needs.
  m.def("residual_dense_block_pack",
        [](const std::array<int64_t, 3>& n, const std::vector<Address>& parameters, Address packed) {
          const DenseSizes sizes{n[0], n[1], n[2]};
          if (packed) residual_dense_block_pack(sizes, each_at(parameters).data(), at<float>(packed));
          return residual_dense_block_packed_size(sizes);
        });

  m.def("convolution",
        [](const std::vector<Address>& inputs, const std::vector<Layout>& layouts, Address other,
           const Layout& other_layout, Address y, const Layout& y_layout, const Sizes& n,
           int64_t activation, Address packed, int threads, Address workspace) {
          std::vector<Frames> pictures;
          for (size_t i = 0; i < inputs.size(); ++i) pictures.push_back(frames(inputs[i], layouts[i]));
          return run(Convolution{pictures.data(), int64_t(pictures.size()), frames(other, other_layout),
                                 frames(y, y_layout), convolution_sizes(n), Activation(activation),
                                 at<float>(packed), at<float>(workspace), threads},
                     convolution_workspace, convolution);
        });
  m.def("upsample_concat",
        [](Address x, const Layout& x_layout, Address skip, const Layout& skip_layout, Address y,
           const Layout& y_layout, bool align_corners, bool skip_first, int threads, Address workspace) {
          return run(UpsampleConcat{frames(x, x_layout), frames(skip, skip_layout), frames(y, y_layout), align_corners,
                                    skip_first, at<float>(workspace), threads},
                     upsample_concat_workspace, upsample_concat);
        });

  // As those of residual_dense_block.
  m.def("convolution_pack", [](const Sizes& n, Address weight, Address bias, Address packed) {
    const ConvolutionSizes sizes = convolution_sizes(n);
    if (packed) convolution_pack(sizes, at<float>(weight), at<float>(bias), at<float>(packed));
    return convolution_packed_size(sizes);
  });

  // Whether what lies in some places is the same as in others, byte by byte.
  m.def("same_bytes", [](const std::vector<Address>& some, const std::vector<Address>& others,
                         const std::vector<int64_t>& bytes) {
    for (size_t i = 0; i < bytes.size(); ++i)
      if (bytes[i] && std::memcmp(at<void>(some[i]), at<void>(others[i]), bytes[i])) return false;
    return true;
  });
}
