// AVX2 with fused multiply-add: eight lanes of fp32.
#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels.h"
#include "target.h"

VALENCE_TARGET_BEGIN("avx2,fma")

#include "simd256.h"

namespace valence {
namespace {

struct Simd : Simd256 {
  using Gate = float;
  using State = float;
  using FoldDot = Dot;
  static constexpr int accumulators = 12;

  static inline Vec load_state(const State* p) { return load(p); }
  static inline void store_state(State* p, Vec v) { store(p, v); }

  template <int C>
  static inline void load_gates(const Gate* p, Vec (&gates)[C]) {
    for (int c = 0; c < C; ++c) gates[c] = load(p + c * lanes);
  }
  template <int C>
  static inline void store_gates(Gate* p, const Vec (&gates)[C]) {
    for (int c = 0; c < C; ++c) store(p + c * lanes, gates[c]);
  }
};

}  // namespace
}  // namespace valence

#include "attribution.h"
#include "recurrence.h"

namespace valence {
const Path kAvx2 = {"avx2", Simd::lanes, 1, 1, Format::fp32, 24, 1,
                           VALENCE_KERNELS(Simd)};
const AttributionKernels kAvx2Attribution = VALENCE_ATTRIBUTION(Simd);
}

VALENCE_TARGET_END

#endif
