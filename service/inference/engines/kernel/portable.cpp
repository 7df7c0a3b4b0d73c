// The path for every processor: four lanes of the compiler's own vector type. On 64-bit ARM this is
// NEON, whose 32 registers allow larger tiles. On other processors the compiler uses what it has.

#include "kernels.h"

#include <string.h>

namespace valence {
namespace {

#if defined(__aarch64__)
constexpr const char* kName = "neon";
constexpr int kAccumulators = 24;
constexpr size_t kSlots = 24;
#else
constexpr const char* kName = "portable";
constexpr int kAccumulators = 8;
constexpr size_t kSlots = 8;
#endif

struct Simd {
  typedef float Vec __attribute__((vector_size(16)));
  typedef int32_t Ints __attribute__((vector_size(16)));
  using Gate = float;
  using State = float;
  static constexpr int lanes = 4;
  static constexpr int accumulators = kAccumulators;  // registers for the sums of a tile

  static inline Vec set1(float x) { return Vec{x, x, x, x}; }
  static inline Vec load(const float* p) {
    Vec v;
    memcpy(&v, p, sizeof v);
    return v;
  }
  static inline void store(float* p, Vec v) { memcpy(p, &v, sizeof v); }
  static inline Vec load_state(const State* p) { return load(p); }
  static inline void store_state(State* p, Vec v) { store(p, v); }
  static inline Vec add(Vec a, Vec b) { return a + b; }
  static inline Vec sub(Vec a, Vec b) { return a - b; }
  static inline Vec mul(Vec a, Vec b) { return a * b; }
  static inline Vec inverse(Vec x) { return set1(1.0f) / x; }
  static inline Vec fma(Vec a, Vec b, Vec c) { return a * b + c; }
  static inline Vec select(Ints mask, Vec a, Vec b) {
    return (Vec)(((Ints)a & mask) | ((Ints)b & ~mask));
  }
  static inline Vec max(Vec a, Vec b) { return select(a > b, a, b); }
  // a > b ? x : y, lane by lane
  static inline Vec where_greater(Vec a, Vec b, Vec x, Vec y) { return select(a > b, x, y); }
  static inline float total(Vec v) { return (v[0] + v[1]) + (v[2] + v[3]); }

  // 2^x for x clamped to [-40, 40], with relative error 2e-7: 2^n times a minimax polynomial of x -
  // n.
  static inline Vec exp2(Vec x) {
    x = select(x < set1(40.0f), x, set1(40.0f));
    x = max(x, set1(-40.0f));
    // The low mantissa bits of the sum are x rounded to an integer.
    const Vec shifted = x + set1(12582912.0f);
    const Vec f = x - (shifted - set1(12582912.0f));
    const Ints power = ((Ints)shifted - 0x4B400000 + 127) << 23;
    Vec p = set1(0.0013276472f);
    p = p * f + set1(0.0096755410f);
    p = p * f + set1(0.055507131f);
    p = p * f + set1(0.24022120f);
    p = p * f + set1(0.69314694f);
    p = p * f + set1(1.0000001f);
    return p * (Vec)power;
  }

  template <int C>
  static inline void load_gates(const Gate* p, Vec (&gates)[C]) {
    for (int c = 0; c < C; ++c) gates[c] = load(p + c * lanes);
  }
  template <int C>
  static inline void store_gates(Gate* p, const Vec (&gates)[C]) {
    for (int c = 0; c < C; ++c) store(p + c * lanes, gates[c]);
  }

  struct Dot {
    using Weight = float;
    using State = float;
    using Operand = Vec;
    using Sum = Vec;
    static constexpr bool fixed_point = false;
    static constexpr int lanes = Simd::lanes;
    static constexpr int pair = 1;
    static constexpr int chains = 8;  // independent multiply-adds needed to hide their latency
    static inline Sum zero() { return set1(0.0f); }
    static inline Operand load(const Weight* p) { return Simd::load(p); }
    static inline Operand broadcast(const State* p) { return set1(*p); }
    static inline Sum dot(Sum acc, Operand a, Operand b) { return a * b + acc; }
    static inline Sum sum(Sum a, Sum b) { return a + b; }
  };
  using FoldDot = Dot;
};

}  // namespace
}  // namespace valence

#include "attribution.h"
#include "recurrence.h"

namespace valence {
const Path kPortable = {kName, Simd::lanes, 1, 1, Format::fp32, kSlots, 1,
                        VALENCE_KERNELS(Simd)};
const AttributionKernels kPortableAttribution = VALENCE_ATTRIBUTION(Simd);
}
