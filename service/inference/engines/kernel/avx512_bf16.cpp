// AVX-512 with bf16 dot products: sixteen lanes, two inputs per instruction.
#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels.h"
#include "target.h"

VALENCE_TARGET_BEGIN("avx512f,avx512dq,avx512bw,avx512vl,avx512bf16,fma")

#include "simd_bf16.h"

namespace valence {
namespace {

using Simd = SimdBf16;

}  // namespace
}  // namespace valence

#include "recurrence.h"

namespace valence {
const Path kAvx512Bf16 = {"avx512-bf16", Simd::lanes, 2, 2, Format::bf16, 24, 1,
                                 VALENCE_KERNELS(Simd)};
}

VALENCE_TARGET_END

#endif
