// AVX-512: sixteen lanes of fp32.
#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels.h"
#include "target.h"

VALENCE_TARGET_BEGIN("avx512f,avx512dq,avx512bw,avx512vl,fma")

#include "simd512.h"

namespace valence {
namespace {

struct Simd : Simd512 {
  using Gate = float;
  using State = float;
  using FoldDot = Dot;

  static inline Vec load_state(const State* p) { return load(p); }
  static inline void store_state(State* p, Vec v) { store(p, v); }

  // 1 / x for finite x by one step of Newton's method, with relative error 2e-7
  static inline Vec inverse(Vec x) {
    const Vec r = _mm512_rcp14_ps(x);
    return mul(r, _mm512_fnmadd_ps(x, r, set1(2.0f)));
  }

  // 2^x for x clamped to at most 40, with relative error 2e-7
  static inline Vec exp2(Vec x) {
    x = _mm512_min_ps(x, set1(40.0f));
    const Vec f = fraction(x);
    Vec p = set1(0.0018775767f);
    p = fma(p, f, set1(0.0089893397f));
    p = fma(p, f, set1(0.055826318f));
    p = fma(p, f, set1(0.24015361f));
    p = fma(p, f, set1(0.69315308f));
    p = fma(p, f, set1(0.99999994f));
    return scale(p, x);
  }

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
const Path kAvx512 = {"avx512", Simd::lanes, 1, 1, Format::fp32, 24, 1,
                             VALENCE_KERNELS(Simd)};
const AttributionKernels kAvx512Attribution = VALENCE_ATTRIBUTION(Simd);
}

VALENCE_TARGET_END

#endif
