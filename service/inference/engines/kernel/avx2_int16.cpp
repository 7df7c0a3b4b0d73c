// AVX2 with recurrent products in 16-bit fixed point: two inputs per instruction, and half the
// bytes of weights. Cells stay in fp32.
#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels.h"
#include "target.h"

VALENCE_TARGET_BEGIN("avx2,fma,f16c")

#include "simd256.h"

namespace valence {
namespace {

struct Simd : Simd256 {
  using Gate = uint16_t;  // fp16
  using State = int16_t;
  using FoldDot = Simd256::Dot;
  static constexpr int accumulators = 9;  // a product needs a register in addition to its sum

  static inline Vec load_state(const State* p) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return mul(_mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(halves)), set1(1.0f / kStateOne));
  }
  static inline void store_state(State* p, Vec v) {
    const __m256i words = _mm256_cvtps_epi32(mul(v, set1(kStateOne)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm_packs_epi32(_mm256_castsi256_si128(words),
                                     _mm256_extracti128_si256(words, 1)));
  }

  // 2^x for x clamped to [-40, 40], with relative error 3e-6: less than the rounding of states and
  // gates.
  static inline Vec exp2(Vec x) {
    x = _mm256_max_ps(_mm256_min_ps(x, set1(40.0f)), set1(-40.0f));
    const Vec n = _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const Vec f = sub(x, n);
    const Vec square = mul(f, f);
    Vec p = fma(set1(0.055917863f), f, set1(0.24024744f));
    p = fma(set1(0.0095701022f), square, p);
    p = fma(p, square, fma(set1(0.69312179f), f, set1(0.99999928f)));
    const __m256i power = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), power));
  }

  template <int C>
  static inline void load_gates(const Gate* p, Vec (&gates)[C]) {
    for (int c = 0; c < C; ++c)
      gates[c] = _mm256_cvtph_ps(
          _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + c * lanes)));
  }
  template <int C>
  static inline void store_gates(Gate* p, const Vec (&gates)[C]) {
    for (int c = 0; c < C; ++c)
      _mm_storeu_si128(reinterpret_cast<__m128i*>(p + c * lanes),
                       _mm256_cvtps_ph(gates[c], _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }

  struct Dot {
    using Weight = int16_t;
    using State = int16_t;
    using Operand = __m256i;
    using Sum = __m256i;
    static constexpr bool fixed_point = true;
    static constexpr int lanes = 8;
    static constexpr int pair = 2;
    static constexpr int chains = 4;
    static inline Sum zero() { return _mm256_setzero_si256(); }
    static inline Operand load(const Weight* p) {
      return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    }
    static inline Operand broadcast(const State* p) {
      int32_t both;
      __builtin_memcpy(&both, p, sizeof both);
      return _mm256_set1_epi32(both);
    }
    static inline Sum dot(Sum acc, Operand a, Operand b) {
      const Operand product = _mm256_madd_epi16(a, b);
      // With an intrinsic, GCC would add into another register and copy the result back.
      __asm__("vpaddd %1, %0, %0" : "+x"(acc) : "x"(product));
      return acc;
    }
    static inline Sum sum(Sum a, Sum b) { return _mm256_add_epi32(a, b); }
    static inline Vec real(Sum sum) { return _mm256_cvtepi32_ps(sum); }
  };
};

// Attribution divides differences of results of exp2 by differences of its arguments, so it needs
// the more exact one.
struct Exact : Simd {
  static inline Vec exp2(Vec x) { return Simd256::exp2(x); }
};

}  // namespace
}  // namespace valence

#include "attribution.h"
#include "recurrence.h"

namespace valence {
const Path kAvx2Int16 = {"avx2-int16", Simd::lanes, 2, 2, Format::int16, 24, 1,
                         VALENCE_KERNELS(Simd)};
const AttributionKernels kAvx2Int16Attribution = VALENCE_ATTRIBUTION(Exact);
}

VALENCE_TARGET_END

#endif
