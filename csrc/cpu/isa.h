// The instruction sets that every kernel is compiled for, and which one this machine runs.
#pragma once
#include <string>

namespace vdeblur {

enum class Isa { portable, avx2, avx512 };

// Floats in a register, by instruction set.
constexpr int width(Isa isa) { return isa == Isa::avx512 ? 16 : isa == Isa::avx2 ? 8 : 4; }

// The best that the processor and the operating system support, or less where force_isa asked for less.
Isa current_isa();

// Whether there are AMX's tiles beside AVX-512, for the bodies that use them: now, and where nothing is forced.
bool has_tiles();
bool best_has_tiles();
// Whether bfloat16 are multiplied as such, by tiles or by AVX-512's dot products: now, and where nothing is forced.
bool multiplies_bf16();
bool best_multiplies_bf16();

// "portable", "avx2", "avx512", "avx512_bf16" (with dot products of bfloat16), "amx" (and tiles); "best" undoes it.
// Throws std::invalid_argument for what this machine cannot run.
void force_isa(const std::string& name);

std::string isa_name();

}  // namespace vdeblur
