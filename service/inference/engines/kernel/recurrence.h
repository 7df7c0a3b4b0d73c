// The kernel, written once for all vector instruction sets. Before including this header, open the
// instruction set and define a `Simd` in an unnamed namespace (portable.cpp shows what a `Simd`
// must offer). Everything here then has internal linkage, so no two paths share a function.
#pragma once

#include "kernels.h"
#include "target.h"

namespace valence {
namespace {

// Sums are arrays that must be kept in registers, so every loop over them must be unrolled.
#define VALENCE_UNROLL _Pragma("GCC unroll 32")
#define VALENCE_INLINED __attribute__((always_inline))
#define VALENCE_INLINE inline VALENCE_INLINED

// Gates are already multiplied by -log2(e), or by twice that where tanh follows (see kernels.h).
template <class S>
VALENCE_INLINE typename S::Vec sigmoid(typename S::Vec gate) {
  return S::inverse(S::add(S::set1(1.0f), S::exp2(gate)));
}

template <class S>
VALENCE_INLINE typename S::Vec tanh(typename S::Vec gate) {
  return S::fma(S::set1(2.0f), sigmoid<S>(gate), S::set1(-1.0f));
}

// tanh of a value without that factor.
template <class S>
VALENCE_INLINE typename S::Vec plain_tanh(typename S::Vec x) {
  return tanh<S>(S::mul(x, S::set1(-2.8853900817779268f)));
}

// Cells as torch.nn defines them. `start` sets the accumulators to which the recurrent product is
// added. `finish` computes the new hidden state from them. `memory` holds c of an LSTM, h of a GRU.

template <class S>
struct Lstm {
  static constexpr int gates = 4;
  using Vec = typename S::Vec;

  static VALENCE_INLINE void start(Vec (&acc)[4], const typename S::Gate* input, const float*) {
    S::template load_gates<4>(input, acc);
  }

  static VALENCE_INLINE Vec finish(Vec (&acc)[4], const typename S::Gate*, float* memory) {
    const Vec candidate = S::mul(sigmoid<S>(acc[0]), tanh<S>(acc[2]));
    const Vec c = S::fma(sigmoid<S>(acc[1]), S::load(memory), candidate);
    S::store(memory, c);
    return S::mul(sigmoid<S>(acc[3]), plain_tanh<S>(c));
  }
};

template <class S>
struct Gru {
  static constexpr int gates = 3;
  using Vec = typename S::Vec;

  static VALENCE_INLINE void start(Vec (&acc)[3], const typename S::Gate* input,
                                   const float* hidden_bias) {
    S::template load_gates<3>(input, acc);
    acc[2] = S::load(hidden_bias);
  }

  static VALENCE_INLINE Vec finish(Vec (&acc)[3], const typename S::Gate* input, float* memory) {
    Vec from_input[3];
    S::template load_gates<3>(input, from_input);
    const Vec z = sigmoid<S>(acc[1]);
    const Vec n = tanh<S>(S::fma(sigmoid<S>(acc[0]), acc[2], from_input[2]));
    const Vec h = S::fma(z, S::sub(S::load(memory), n), n);
    S::store(memory, h);
    return h;
  }
};

template <class S>
struct Rnn {
  static constexpr int gates = 1;
  using Vec = typename S::Vec;

  static VALENCE_INLINE void start(Vec (&acc)[1], const typename S::Gate* input, const float*) {
    S::template load_gates<1>(input, acc);
  }

  static VALENCE_INLINE Vec finish(Vec (&acc)[1], const typename S::Gate*, float*) {
    return tanh<S>(acc[0]);
  }
};

// The number of rows of a register tile with C columns, given the vector registers of the path.
template <class S, int C>
constexpr int tile_rows() {
  return S::accumulators / C < 12 ? S::accumulators / C : 12;
}

// One sum for each output, in the order of the inputs, however many rows are multiplied together.
template <class D>
struct InOrder : D {
  static constexpr int chains = 1;
};

// acc[r][c] += sum over k of input[r][k] * weights[k][c]
template <class D, int R, int C>
VALENCE_INLINE void accumulate(typename D::Sum (&acc)[R][C], const typename D::State* input,
                               size_t stride, const typename D::Weight* weights, size_t depth) {
  constexpr size_t column = D::lanes * D::pair;
  // With few rows, each multiply-add waits for the one before. Several partial sums hide this
  // latency.
  constexpr int wanted = D::chains / (R * C);
  constexpr int parts = wanted < 1 ? 1 : wanted > 4 ? 4 : wanted;
  typename D::Sum part[parts][R][C];
  VALENCE_UNROLL
  for (int r = 0; r < R; ++r)
  VALENCE_UNROLL
    for (int c = 0; c < C; ++c) {
      part[0][r][c] = acc[r][c];
  VALENCE_UNROLL
      for (int p = 1; p < parts; ++p) part[p][r][c] = D::zero();
    }
  size_t k = 0;
  for (; k + parts <= depth; k += parts) {
  VALENCE_UNROLL
    for (int p = 0; p < parts; ++p) {
      const typename D::Weight* w = weights + (k + p) * C * column;
      const typename D::State* x = input + (k + p) * D::pair;
      if constexpr (R < C) {
        typename D::Operand a[R];
  VALENCE_UNROLL
        for (int r = 0; r < R; ++r) a[r] = D::broadcast(x + r * stride);
  VALENCE_UNROLL
        for (int c = 0; c < C; ++c) {
          typename D::Operand b = D::load(w + c * column);
          if constexpr (R > 1) VALENCE_OPAQUE(b);  // otherwise GCC loads b again for every row
  VALENCE_UNROLL
          for (int r = 0; r < R; ++r) part[p][r][c] = D::dot(part[p][r][c], a[r], b);
        }
      } else {
        typename D::Operand b[C];
  VALENCE_UNROLL
        for (int c = 0; c < C; ++c) b[c] = D::load(w + c * column);
  VALENCE_UNROLL
        for (int r = 0; r < R; ++r) {
          const typename D::Operand a = D::broadcast(x + r * stride);
  VALENCE_UNROLL
          for (int c = 0; c < C; ++c) part[p][r][c] = D::dot(part[p][r][c], a, b[c]);
        }
      }
    }
  }
  for (; k < depth; ++k)
  VALENCE_UNROLL
    for (int r = 0; r < R; ++r)
  VALENCE_UNROLL
      for (int c = 0; c < C; ++c)
        part[0][r][c] = D::dot(part[0][r][c], D::broadcast(input + r * stride + k * D::pair),
                               D::load(weights + (k * C + c) * column));
  VALENCE_UNROLL
  for (int r = 0; r < R; ++r)
  VALENCE_UNROLL
    for (int c = 0; c < C; ++c) {
      acc[r][c] = part[0][r][c];
  VALENCE_UNROLL
      for (int p = 1; p < parts; ++p) acc[r][c] = D::sum(acc[r][c], part[p][r][c]);
    }
}

// gates[r][c] = result of `start` for row r + sum over k of input[r][k] * weights[k][c]
template <class S, class D, int R, int C, class Start>
VALENCE_INLINE void multiply(typename S::Vec (&gates)[R][C], Start start,
                             const typename D::State* input, size_t stride,
                             const typename D::Weight* weights, size_t depth, const float* scales,
                             size_t block) {
  if constexpr (D::fixed_point) {
    // Sum the integers first: the gates would take the registers that the product needs.
    typename D::Sum sums[R][C];
  VALENCE_UNROLL
    for (int r = 0; r < R; ++r)
  VALENCE_UNROLL
      for (int c = 0; c < C; ++c) sums[r][c] = D::zero();
    accumulate<D, R, C>(sums, input, stride, weights, depth);
  VALENCE_UNROLL
    for (int r = 0; r < R; ++r) {
      start(r, gates[r]);
  VALENCE_UNROLL
      for (int c = 0; c < C; ++c)
        gates[r][c] = S::fma(D::real(sums[r][c]), S::load(scales + (block * C + c) * S::lanes),
                             gates[r][c]);
    }
  } else {
  VALENCE_UNROLL
    for (int r = 0; r < R; ++r) start(r, gates[r]);
    accumulate<D, R, C>(gates, input, stride, weights, depth);
  }
}

// Finishes one block of units of one row when its gates are known.
template <class S, template <class> class CellOf>
VALENCE_INLINE void finish_row(const Step& step, typename S::Vec (&acc)[CellOf<S>::gates],
                               const typename S::Gate* input, size_t block, size_t row) {
  const size_t unit = block * S::lanes;
  const typename S::Vec h =
      CellOf<S>::finish(acc, input, step.memory + row * step.blocks * S::lanes + unit);
  S::store_state(static_cast<typename S::State*>(step.next_state) + row * step.state_stride + unit,
                 h);
  float* pooled = step.pooled[row] + unit;
  if (step.pool & kPoolLast) S::store(pooled, h);
  if (step.pool & kPoolMax) S::store(pooled, S::max(S::load(pooled), h));
  if (step.pool & kPoolSum) {
    pooled += step.sum_offset;
    S::store(pooled, S::add(S::load(pooled), h));
  }
}

template <class S, int C>
VALENCE_INLINE const typename S::Gate* gates_of(const void* const* rows, size_t row,
                                                size_t block) {
  return static_cast<const typename S::Gate*>(rows[row]) + block * C * S::lanes;
}

template <class S, int C>
VALENCE_INLINE void prefetch_gates(const Step& step, size_t row, size_t block) {
  const char* next = reinterpret_cast<const char*>(gates_of<S, C>(step.upcoming, row, block));
  for (size_t byte = 0; byte < C * S::lanes * sizeof(typename S::Gate); byte += 64)
    __builtin_prefetch(next + byte);
}

// Not inlined: inside the surrounding loop, GCC would keep constants of the activations in
// registers and spill sums instead.
template <class S, template <class> class CellOf, int R>
__attribute__((noinline)) void step_rows(const Step& step, size_t block, size_t row) {
  constexpr int C = CellOf<S>::gates;
  using D = typename S::Dot;
  typename S::Vec acc[R][C];
  VALENCE_UNROLL
  for (int r = 0; r < R; ++r) prefetch_gates<S, C>(step, row + r, block);
  const auto start = [&](int r, typename S::Vec(&gates)[C]) VALENCE_INLINED {
    CellOf<S>::start(gates, gates_of<S, C>(step.inputs, row + r, block),
                     step.hidden_bias + block * S::lanes);
  };
  multiply<S, D, R, C>(acc, start, static_cast<const typename S::State*>(step.state) +
                                       row * step.state_stride, step.state_stride,
                       static_cast<const typename D::Weight*>(step.weights) +
                           block * step.depth * C * S::lanes * D::pair,
                       step.fresh ? 0 : step.depth, step.scales, block);
  VALENCE_UNROLL
  for (int r = 0; r < R; ++r)
    finish_row<S, CellOf>(step, acc[r], gates_of<S, C>(step.inputs, row + r, block), block,
                          row + r);
}

template <class S, template <class> class CellOf, int R>
void step_rest(const Step& step, size_t block, size_t row) {
  if constexpr (R > 0) {
    if (step.rows - row == R)
      step_rows<S, CellOf, R>(step, block, row);
    else
      step_rest<S, CellOf, R - 1>(step, block, row);
  }
}

template <class S, template <class> class CellOf>
void step_all(const Step& step) {
  constexpr int R = tile_rows<S, CellOf<S>::gates>();
  for (size_t i = 0; i < step.blocks; ++i) {
    const size_t block = step.descending ? step.blocks - 1 - i : i;
    size_t row = 0;
    for (; row + R <= step.rows; row += R) step_rows<S, CellOf, R>(step, block, row);
    step_rest<S, CellOf, R - 1>(step, block, row);
  }
}

template <class S, class D, int C, int R>
VALENCE_INLINE void product_rows(const Product& product, size_t block, size_t row) {
  typename S::Vec acc[R][C];
  const auto start = [&](int, typename S::Vec(&gates)[C]) VALENCE_INLINED {
  VALENCE_UNROLL
    for (int c = 0; c < C; ++c) gates[c] = S::load(product.bias + (block * C + c) * S::lanes);
  };
  multiply<S, D, R, C>(acc, start, static_cast<const typename D::State*>(product.input) +
                                       row * product.input_stride, product.input_stride,
                       static_cast<const typename D::Weight*>(product.weights) +
                           block * product.depth * C * S::lanes * D::pair, product.depth,
                       product.scales, block);
  VALENCE_UNROLL
  for (int r = 0; r < R; ++r)
    S::template store_gates<C>(static_cast<typename S::Gate*>(product.gates) +
                                   ((row + r) * product.blocks + block) * C * S::lanes, acc[r]);
}

template <class S, class D, int C, int R>
void product_rest(const Product& product, size_t block, size_t row, size_t rows) {
  if constexpr (R > 0) {
    if (rows == R)
      product_rows<S, D, C, R>(product, block, row);
    else
      product_rest<S, D, C, R - 1>(product, block, row, rows);
  }
}

// Rows are processed in panels that stay in the second-level cache while all blocks use them.
template <class S, class D, int C>
void product_all(const Product& product) {
  constexpr int R = tile_rows<S, C>();
  constexpr size_t panel = 8 * R;
  for (size_t first = 0; first < product.rows; first += panel) {
    const size_t end = first + panel < product.rows ? first + panel : product.rows;
    for (size_t block = 0; block < product.blocks; ++block) {
      size_t row = first;
      for (; row + R <= end; row += R) product_rows<S, D, C, R>(product, block, row);
      product_rest<S, D, C, R - 1>(product, block, row, end - row);
    }
  }
}

template <class S>
void attend_all(const Attention& job) {
  using Vec = typename S::Vec;
  const auto* states = static_cast<const typename S::State*>(job.states);
  float highest = -__builtin_huge_valf();
  for (size_t token = 0; token < job.tokens; ++token) {
    Vec sum = S::set1(0.0f);
    for (size_t unit = 0; unit < job.width; unit += S::lanes) {
      const Vec h = S::load_state(states + token * job.width + unit);
      sum = S::fma(plain_tanh<S>(h), S::load(job.attention + unit), sum);
    }
    job.scores[token] = S::total(sum);
    if (job.scores[token] > highest) highest = job.scores[token];
  }
  for (size_t unit = 0; unit < job.width; unit += S::lanes)
    S::store(job.result + unit, S::set1(0.0f));
  float weights = 0.0f;
  for (size_t token = 0; token < job.tokens; ++token) {
    const float weight = __builtin_expf(job.scores[token] - highest);
    weights += weight;
    for (size_t unit = 0; unit < job.width; unit += S::lanes)
      S::store(job.result + unit,
               S::fma(S::set1(weight), S::load_state(states + token * job.width + unit),
                      S::load(job.result + unit)));
  }
  for (size_t unit = 0; unit < job.width; unit += S::lanes)
    S::store(job.result + unit, S::mul(S::load(job.result + unit), S::set1(1.0f / weights)));
}

template <class S>
float dot_all(const float* a, const float* b, size_t count) {
  typename S::Vec sum = S::set1(0.0f);
  for (size_t i = 0; i < count; i += S::lanes) sum = S::fma(S::load(a + i), S::load(b + i), sum);
  return S::total(sum);
}

// As many independent multiply-adds as the register file can hold: the peak speed of the path.
template <class S>
double spin_all(size_t rounds) {
  using D = typename S::Dot;
  constexpr int chains = S::accumulators;
  alignas(64) const typename D::Weight words[D::lanes * D::pair] = {};
  typename D::Operand a = D::load(words);
  typename D::Operand b = a;
  VALENCE_OPAQUE(b);
  typename D::Sum acc[chains];
  VALENCE_UNROLL
  for (int i = 0; i < chains; ++i) acc[i] = D::zero();
  for (size_t round = 0; round < rounds; ++round)
  VALENCE_UNROLL
    for (int i = 0; i < chains; ++i) {
      VALENCE_OPAQUE(a);  // otherwise the constant product is computed only once
      acc[i] = D::dot(acc[i], a, b);
    }
  VALENCE_UNROLL
  for (int i = 0; i < chains; ++i) VALENCE_OPAQUE(acc[i]);
  return 2.0 * rounds * chains * D::lanes * D::pair;
}

// clang-format off
#define VALENCE_KERNELS(S)                                                                      \
  {step_all<S, Lstm>, step_all<S, Gru>, step_all<S, Rnn>},                                      \
  {product_all<S, S::Dot, 4>, product_all<S, S::Dot, 3>, product_all<S, S::Dot, 1>},            \
  {product_all<S, InOrder<S::FoldDot>, 4>, product_all<S, InOrder<S::FoldDot>, 3>,              \
   product_all<S, InOrder<S::FoldDot>, 1>},                                                     \
  attend_all<S>, dot_all<S>, spin_all<S>
// clang-format on

}  // namespace
}  // namespace valence
