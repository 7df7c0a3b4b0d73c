// Sixteen lanes of fp32 under AVX-512, shared by the AVX-512 paths.
#pragma once

#include <immintrin.h>

#include "kernels.h"

namespace valence {
namespace {

struct Simd512 {
  using Vec = __m512;
  static constexpr int lanes = 16;
  static constexpr int accumulators = 24;

  static inline Vec set1(float x) { return _mm512_set1_ps(x); }
  static inline Vec load(const float* p) { return _mm512_loadu_ps(p); }
  static inline void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
  static inline Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
  static inline Vec sub(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
  static inline Vec mul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
  static inline Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
  static inline Vec max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
  // a > b ? x : y, lane by lane
  static inline Vec where_greater(Vec a, Vec b, Vec x, Vec y) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), y, x);
  }
  static inline float total(Vec v) { return _mm512_reduce_add_ps(v); }

  // x - floor(x), the argument of a polynomial whose result is then scaled by 2^floor(x)
  static inline Vec fraction(Vec x) {
    return _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  }
  static inline Vec scale(Vec p, Vec x) { return _mm512_scalef_ps(p, x); }

  struct Dot {
    using Weight = float;
    using State = float;
    using Operand = __m512;
    using Sum = Vec;
    static constexpr bool fixed_point = false;
    static constexpr int lanes = 16;
    static constexpr int pair = 1;
    static constexpr int chains = 16;
    static inline Sum zero() { return _mm512_setzero_ps(); }
    static inline Operand load(const Weight* p) { return _mm512_loadu_ps(p); }
    static inline Operand broadcast(const State* p) { return _mm512_set1_ps(*p); }
    static inline Sum dot(Sum acc, Operand a, Operand b) { return _mm512_fmadd_ps(a, b, acc); }
    static inline Sum sum(Sum a, Sum b) { return _mm512_add_ps(a, b); }
  };
};

}  // namespace
}  // namespace valence
