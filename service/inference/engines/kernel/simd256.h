// Eight lanes of fp32 under AVX2 with fused multiply-add, shared by the AVX2 paths.
#pragma once

#include <immintrin.h>

#include "kernels.h"

namespace valence {
namespace {

struct Simd256 {
  using Vec = __m256;
  static constexpr int lanes = 8;

  static inline Vec set1(float x) { return _mm256_set1_ps(x); }
  static inline Vec load(const float* p) { return _mm256_loadu_ps(p); }
  static inline void store(float* p, Vec v) { _mm256_storeu_ps(p, v); }
  static inline Vec add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
  static inline Vec sub(Vec a, Vec b) { return _mm256_sub_ps(a, b); }
  static inline Vec mul(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
  static inline Vec inverse(Vec x) { return _mm256_div_ps(set1(1.0f), x); }
  static inline Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
  static inline Vec max(Vec a, Vec b) { return _mm256_max_ps(a, b); }
  // a > b ? x : y, lane by lane
  static inline Vec where_greater(Vec a, Vec b, Vec x, Vec y) {
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_GT_OQ));
  }
  static inline float total(Vec v) {
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
  }

  // 2^x for x clamped to [-40, 40], with relative error 2e-7: 2^n times a minimax polynomial of x -
  // n.
  static inline Vec exp2(Vec x) {
    x = _mm256_max_ps(_mm256_min_ps(x, set1(40.0f)), set1(-40.0f));
    const Vec n = _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const Vec f = sub(x, n);
    Vec p = set1(0.0013276472f);
    p = fma(p, f, set1(0.0096755410f));
    p = fma(p, f, set1(0.055507131f));
    p = fma(p, f, set1(0.24022120f));
    p = fma(p, f, set1(0.69314694f));
    p = fma(p, f, set1(1.0000001f));
    const __m256i power = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), power));
  }

  struct Dot {
    using Weight = float;
    using State = float;
    using Operand = Vec;
    using Sum = Vec;
    static constexpr bool fixed_point = false;
    static constexpr int lanes = 8;
    static constexpr int pair = 1;
    static constexpr int chains = 12;
    static inline Sum zero() { return _mm256_setzero_ps(); }
    static inline Operand load(const Weight* p) { return _mm256_loadu_ps(p); }
    static inline Operand broadcast(const State* p) { return _mm256_broadcast_ss(p); }
    static inline Sum dot(Sum acc, Operand a, Operand b) { return _mm256_fmadd_ps(a, b, acc); }
    static inline Sum sum(Sum a, Sum b) { return _mm256_add_ps(a, b); }
  };
};

}  // namespace
}  // namespace valence
