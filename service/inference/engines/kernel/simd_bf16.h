// Sixteen lanes under AVX-512 with values in bf16 and arithmetic in fp32.
#pragma once

#include "simd512.h"

namespace valence {
namespace {

// The errors of the approximations, 8e-5 for 2^x and 6e-5 for 1 / x, stay below a twentieth of the
// rounding of bf16 itself (2^-9).
struct SimdBf16 : Simd512 {
  using Gate = uint16_t;
  using State = uint16_t;
  using FoldDot = Simd512::Dot;

  // 1 / x; 0 for infinity
  static inline Vec inverse(Vec x) { return _mm512_rcp14_ps(x); }

  // 2^x; infinity if it is too large
  static inline Vec exp2(Vec x) {
    const Vec f = fraction(x);
    Vec p = set1(0.078024521f);
    p = fma(p, f, set1(0.22606716f));
    p = fma(p, f, set1(0.69583356f));
    p = fma(p, f, set1(0.99992520f));
    return scale(p, x);
  }

  static inline __m256i round(Vec v) { return (__m256i)_mm512_cvtneps_pbh(v); }
  static inline Vec load_state(const State* p) {
    const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
  }
  static inline void store_state(State* p, Vec v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), round(v));
  }

  // Gates are stored in pairs, with the second gate in the upper half of each 32-bit word, so that
  // a shift and a mask unpack them without crossing lanes. The last gate of an odd number is stored
  // alone.
  template <int C>
  static inline void load_gates(const Gate* p, Vec (&gates)[C]) {
    for (int c = 0; c + 1 < C; c += 2) {
      const __m512i both = _mm512_loadu_si512(p + c * lanes);
      gates[c] = _mm512_castsi512_ps(_mm512_slli_epi32(both, 16));
      gates[c + 1] = _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32(-65536)));
    }
    if constexpr (C % 2 == 1) gates[C - 1] = load_state(p + (C - 1) * lanes);
  }
  template <int C>
  static inline void store_gates(Gate* p, const Vec (&gates)[C]) {
    for (int c = 0; c + 1 < C; c += 2) {
      const __m512i low = _mm512_cvtepu16_epi32(round(gates[c]));
      const __m512i high = _mm512_cvtepu16_epi32(round(gates[c + 1]));
      _mm512_storeu_si512(p + c * lanes, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }
    if constexpr (C % 2 == 1) store_state(p + (C - 1) * lanes, gates[C - 1]);
  }

  struct Dot {
    using Weight = uint16_t;
    using State = uint16_t;
    using Operand = __m512i;
    using Sum = Vec;
    static constexpr bool fixed_point = false;
    static constexpr int lanes = 16;
    static constexpr int pair = 2;
    static constexpr int chains = 16;
    static inline Sum zero() { return _mm512_setzero_ps(); }
    static inline Operand load(const Weight* p) { return _mm512_loadu_si512(p); }
    static inline Operand broadcast(const State* p) {
      int32_t both;
      __builtin_memcpy(&both, p, sizeof both);
      return _mm512_set1_epi32(both);
    }
    static inline Sum dot(Sum acc, Operand a, Operand b) {
      return _mm512_dpbf16_ps(acc, (__m512bh)a, (__m512bh)b);
    }
    static inline Sum sum(Sum a, Sum b) { return _mm512_add_ps(a, b); }
  };
};

}  // namespace
}  // namespace valence
