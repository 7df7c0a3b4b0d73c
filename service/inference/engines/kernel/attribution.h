// The functions of a dispatch path for attribution, over a `Simd` as in recurrence.h. They compute
// in fp32, except for recurrent products on a path with fixed point. Include this header where
// recurrence.h is included. For the same reason as there, do not use the standard library here.
#pragma once

#include "attributor.h"
#include "target.h"

namespace valence {
namespace {

namespace attribution {

#define VALENCE_EACH _Pragma("GCC unroll 16")

constexpr float kLog2e = 1.4426950408889634f;

template <class S, int R>
inline __attribute__((always_inline)) void dense_rows(const Dense& job, size_t panel, size_t row) {
  using Vec = typename S::Vec;
  constexpr size_t lanes = S::lanes;
  constexpr size_t width = kPanel * lanes;
  Vec sums[R][kPanel];
  VALENCE_EACH
  for (int r = 0; r < R; ++r)
    VALENCE_EACH
    for (size_t v = 0; v < kPanel; ++v)
      sums[r][v] = S::load(job.start + (row + r) * job.start_stride + panel * width + v * lanes);
  const float* weights = job.weights + panel * job.depth * width;
  const float* input = job.input + row * job.input_stride;
  for (size_t k = 0; k < job.depth; ++k) {
    Vec a[R];
    VALENCE_EACH
    for (int r = 0; r < R; ++r) a[r] = S::set1(input[r * job.input_stride + k]);
    VALENCE_EACH
    for (size_t v = 0; v < kPanel; ++v) {
      const Vec b = S::load(weights + k * width + v * lanes);
      VALENCE_EACH
      for (int r = 0; r < R; ++r) sums[r][v] = S::fma(a[r], b, sums[r][v]);
    }
  }
  VALENCE_EACH
  for (int r = 0; r < R; ++r)
    VALENCE_EACH
    for (size_t v = 0; v < kPanel; ++v)
      S::store(job.output + (row + r) * job.output_stride + panel * width + v * lanes, sums[r][v]);
}

// Rows are processed in groups, so that the inputs of a group stay in the cache for all panels.
template <class S>
void dense(const Dense& job) {
  constexpr size_t group = 48;
  for (size_t first = 0; first < job.rows; first += group) {
    const size_t end = first + group < job.rows ? first + group : job.rows;
    for (size_t panel = 0; panel < job.panels; ++panel) {
      size_t row = first;
      for (; row + 3 <= end; row += 3) dense_rows<S, 3>(job, panel, row);
      if (end - row == 2) dense_rows<S, 2>(job, panel, row);
      if (end - row == 1) dense_rows<S, 1>(job, panel, row);
    }
  }
}

// Splits each value of a row into two digits: input = scale (high + low / 2^14) / 2^13, which is
// nearly fp32. Returns the scale.
template <class S>
inline float to_digits(const float* input, size_t count, int16_t* high, int16_t* low) {
  using Vec = typename S::Vec;
  Vec most = S::set1(0.0f);
  for (size_t i = 0; i < count; i += S::lanes) {
    const Vec x = S::load(input + i);
    most = S::max(most, S::max(x, S::sub(S::set1(0.0f), x)));
  }
  float each[S::lanes], scale = 1e-30f;
  S::store(each, most);
  for (int i = 0; i < S::lanes; ++i) scale = each[i] > scale ? each[i] : scale;
  const Vec inverse = S::set1(1.0f / scale);
  for (size_t i = 0; i < count; i += S::lanes) {
    const Vec x = S::mul(S::load(input + i), inverse);
    S::store_state(high + i, x);
    S::store_state(low + i, S::mul(S::sub(x, S::load_state(high + i)), S::set1(1 << 14)));
  }
  return scale;
}

// A row waits for its weights to be loaded, so in fixed point weights have 16 bits. Inputs have 28
// bits and need two multiplications, for which the waiting leaves time. This is exact enough for
// contributions to sum up.
template <class S>
void recur_fixed(const Recurrent& job) {
  using Vec = typename S::Vec;
  using D = typename S::Dot;
  constexpr size_t width = kPanel * S::lanes;
  int16_t* digits[2] = {job.digits, job.digits + job.depth};
  const float unit =
      to_digits<S>(job.input, job.depth, digits[0], digits[1]) * job.scale / kStateOne;
  const Vec scales[2] = {S::set1(unit), S::set1(unit / (1 << 14))};
  for (size_t panel = 0; panel < job.panels; ++panel) {
    const int16_t* weights = static_cast<const int16_t*>(job.weights) + panel * job.depth * width;
    Vec sums[kPanel];
    VALENCE_EACH
    for (size_t v = 0; v < kPanel; ++v) sums[v] = S::load(job.start + panel * width + v * S::lanes);
    for (size_t first = 0; first < job.depth; first += kChunk) {
      const size_t end = first + kChunk < job.depth ? first + kChunk : job.depth;
      typename D::Sum parts[2][kPanel];
      VALENCE_EACH
      for (size_t v = 0; v < kPanel; ++v) parts[0][v] = parts[1][v] = D::zero();
      for (size_t k = first; k < end; k += 2) {
        const typename D::Operand high = D::broadcast(digits[0] + k);
        const typename D::Operand low = D::broadcast(digits[1] + k);
        VALENCE_EACH
        for (size_t v = 0; v < kPanel; ++v) {
          typename D::Operand w = D::load(weights + k * width + v * 2 * S::lanes);
          VALENCE_OPAQUE(w);  // otherwise GCC loads w twice
          parts[0][v] = D::dot(parts[0][v], high, w);
          parts[1][v] = D::dot(parts[1][v], low, w);
        }
      }
      VALENCE_EACH
      for (size_t v = 0; v < kPanel; ++v)
        sums[v] = S::fma(scales[0], D::real(parts[0][v]),
                         S::fma(scales[1], D::real(parts[1][v]), sums[v]));
    }
    VALENCE_EACH
    for (size_t v = 0; v < kPanel; ++v)
      S::store(job.output + panel * width + v * S::lanes, sums[v]);
  }
}

template <class S>
void recur(const Recurrent& job) {
  if constexpr (S::Dot::fixed_point)
    recur_fixed<S>(job);
  else
    for (size_t panel = 0; panel < job.panels; ++panel)
      dense_rows<S, 1>({1, job.panels, job.depth, static_cast<const float*>(job.weights), job.start,
                        0, job.input, 0, job.output, 0}, panel, 0);
}

// A value of the text, x, and of its baseline, x0.
template <class S>
struct Pair {
  using Vec = typename S::Vec;
  Vec x, x0;
  Vec mean() const { return S::mul(S::set1(0.5f), S::add(x, x0)); }
};

template <class S>
inline typename S::Vec sigmoid_of(typename S::Vec x) {
  return S::inverse(S::add(S::set1(1.0f), S::exp2(S::mul(x, S::set1(-kLog2e)))));
}

template <class S>
inline typename S::Vec tanh_of(typename S::Vec x) {
  return S::fma(S::set1(2.0f), sigmoid_of<S>(S::add(x, x)), S::set1(-1.0f));
}

template <class S>
inline Pair<S> sigmoids(Pair<S> at) {
  return {sigmoid_of<S>(at.x), sigmoid_of<S>(at.x0)};
}

template <class S>
inline Pair<S> tanhs(Pair<S> at) {
  return {tanh_of<S>(at.x), tanh_of<S>(at.x0)};
}

// (f(x) - f(x0)) / (x - x0). At a small distance y the difference would lose its digits, so a
// series of tanh(y) / y is used there.
template <class S>
inline typename S::Vec secant(typename S::Vec rise, typename S::Vec run, typename S::Vec y,
                              typename S::Vec limit) {
  using Vec = typename S::Vec;
  const Vec square = S::mul(y, y);
  const Vec series =
      S::fma(square, S::fma(square, S::set1(2.0f / 15.0f), S::set1(-1.0f / 3.0f)), S::set1(1.0f));
  return S::where_greater(square, S::set1(1.0f / 64.0f), S::mul(rise, S::inverse(run)),
                          S::mul(limit, series));
}

// tanh x - tanh x0 = (1 - tanh x tanh x0) tanh(x - x0)
template <class S>
inline typename S::Vec tanh_secant(Pair<S> values, Pair<S> at) {
  using Vec = typename S::Vec;
  const Vec run = S::sub(at.x, at.x0);
  return secant<S>(S::sub(values.x, values.x0), run, run,
                   S::sub(S::set1(1.0f), S::mul(values.x, values.x0)));
}

// For the sigmoid s: s - s0 = (s + s0 - 2 s s0) tanh((x - x0) / 2)
template <class S>
inline typename S::Vec sigmoid_secant(Pair<S> values, Pair<S> at) {
  using Vec = typename S::Vec;
  const Vec run = S::sub(at.x, at.x0);
  const Vec half = S::mul(S::set1(0.5f), run);
  const Vec rest = S::fma(S::set1(-2.0f), S::mul(values.x, values.x0), S::add(values.x, values.x0));
  return secant<S>(S::sub(values.x, values.x0), run, half, S::mul(S::set1(0.5f), rest));
}

template <class S>
inline Pair<S> load_pair(const float* text, const float* baseline, size_t at) {
  return {S::load(text + at), S::load(baseline + at)};
}

template <class S>
inline Pair<S> gate_pair(const CellStep& step, size_t at) {
  return {S::add(S::load(step.input[0] + at), S::load(step.recurrent[0] + at)),
          S::add(S::load(step.input[1] + at), S::load(step.recurrent[1] + at))};
}

template <class S>
inline void store_pair(float* text, float* baseline, size_t at, Pair<S> values) {
  S::store(text + at, values.x);
  S::store(baseline + at, values.x0);
}

// The factors are those of service/inference/explain/attribution.py, in the same order.

template <class S>
void lstm(const CellStep& step) {
  const size_t units = step.units;
  for (size_t u = 0; u < units; u += S::lanes) {
    const Pair<S> at_i = gate_pair<S>(step, u), at_f = gate_pair<S>(step, units + u),
                  at_g = gate_pair<S>(step, 2 * units + u),
                  at_o = gate_pair<S>(step, 3 * units + u);
    const Pair<S> i = sigmoids<S>(at_i), f = sigmoids<S>(at_f), g = tanhs<S>(at_g),
                  o = sigmoids<S>(at_o);
    const Pair<S> before = load_pair<S>(step.memory[0], step.memory[1], u);
    const Pair<S> c = {S::fma(f.x, before.x, S::mul(i.x, g.x)),
                       S::fma(f.x0, before.x0, S::mul(i.x0, g.x0))};
    const Pair<S> squashed = tanhs<S>(c);
    store_pair<S>(step.memory[0], step.memory[1], u, c);
    store_pair<S>(step.hidden[0], step.hidden[1], u,
                  {S::mul(o.x, squashed.x), S::mul(o.x0, squashed.x0)});
    float* factors = step.factors + u;
    S::store(factors, S::mul(g.mean(), sigmoid_secant<S>(i, at_i)));
    S::store(factors + units, S::mul(before.mean(), sigmoid_secant<S>(f, at_f)));
    S::store(factors + 2 * units, S::mul(i.mean(), tanh_secant<S>(g, at_g)));
    S::store(factors + 3 * units, S::mul(squashed.mean(), sigmoid_secant<S>(o, at_o)));
    S::store(factors + 4 * units, f.mean());
    S::store(factors + 5 * units, S::mul(o.mean(), tanh_secant<S>(squashed, c)));
  }
}

template <class S>
void lstm_back(const CellBack& step) {
  using Vec = typename S::Vec;
  const size_t units = step.units;
  for (size_t u = 0; u < units; u += S::lanes) {
    const float* factors = step.factors + u;
    const Vec h = S::add(S::load(step.pooled + u), S::load(step.hidden + u));
    const Vec c = S::fma(h, S::load(factors + 5 * units), S::load(step.memory + u));
    for (size_t gate = 0; gate < 3; ++gate)
      S::store(step.input + gate * units + u, S::mul(c, S::load(factors + gate * units)));
    S::store(step.input + 3 * units + u, S::mul(h, S::load(factors + 3 * units)));
    S::store(step.memory + u, S::mul(c, S::load(factors + 4 * units)));
    S::store(step.hidden + u, S::set1(0.0f));
  }
}

template <class S>
void gru(const CellStep& step) {
  using Vec = typename S::Vec;
  const size_t units = step.units;
  for (size_t u = 0; u < units; u += S::lanes) {
    const Pair<S> at_r = gate_pair<S>(step, u), at_z = gate_pair<S>(step, units + u);
    const Pair<S> r = sigmoids<S>(at_r), z = sigmoids<S>(at_z);
    // The reset gate multiplies the recurrent product.
    const Pair<S> from_state = load_pair<S>(step.recurrent[0], step.recurrent[1], 2 * units + u);
    const Pair<S> from_input = load_pair<S>(step.input[0], step.input[1], 2 * units + u);
    const Pair<S> at_n = {S::fma(r.x, from_state.x, from_input.x),
                          S::fma(r.x0, from_state.x0, from_input.x0)};
    const Pair<S> n = tanhs<S>(at_n);
    const Pair<S> before = load_pair<S>(step.memory[0], step.memory[1], u);
    const Pair<S> apart = {S::sub(before.x, n.x), S::sub(before.x0, n.x0)};
    const Pair<S> h = {S::fma(z.x, apart.x, n.x), S::fma(z.x0, apart.x0, n.x0)};
    store_pair<S>(step.memory[0], step.memory[1], u, h);
    store_pair<S>(step.hidden[0], step.hidden[1], u, h);
    const Vec kept = z.mean();
    float* factors = step.factors + u;
    S::store(factors, S::mul(from_state.mean(), sigmoid_secant<S>(r, at_r)));
    S::store(factors + units, S::mul(apart.mean(), sigmoid_secant<S>(z, at_z)));
    S::store(factors + 2 * units,
             S::mul(S::sub(S::set1(1.0f), kept), tanh_secant<S>(n, at_n)));
    S::store(factors + 3 * units, r.mean());
    S::store(factors + 4 * units, kept);
  }
}

template <class S>
void gru_back(const CellBack& step) {
  using Vec = typename S::Vec;
  const size_t units = step.units;
  for (size_t u = 0; u < units; u += S::lanes) {
    const float* factors = step.factors + u;
    const Vec h = S::add(S::load(step.pooled + u), S::load(step.hidden + u));
    const Vec n = S::mul(h, S::load(factors + 2 * units));
    const Vec r = S::mul(n, S::load(factors));
    const Vec z = S::mul(h, S::load(factors + units));
    S::store(step.input + u, r);
    S::store(step.input + units + u, z);
    S::store(step.input + 2 * units + u, n);
    S::store(step.recurrent + u, r);
    S::store(step.recurrent + units + u, z);
    S::store(step.recurrent + 2 * units + u, S::mul(n, S::load(factors + 3 * units)));
    S::store(step.hidden + u, S::mul(h, S::load(factors + 4 * units)));
  }
}

template <class S>
void rnn(const CellStep& step) {
  for (size_t u = 0; u < step.units; u += S::lanes) {
    const Pair<S> at = gate_pair<S>(step, u);
    const Pair<S> h = tanhs<S>(at);
    store_pair<S>(step.hidden[0], step.hidden[1], u, h);
    S::store(step.factors + u, tanh_secant<S>(h, at));
  }
}

template <class S>
void rnn_back(const CellBack& step) {
  for (size_t u = 0; u < step.units; u += S::lanes) {
    const typename S::Vec h = S::add(S::load(step.pooled + u), S::load(step.hidden + u));
    S::store(step.input + u, S::mul(h, S::load(step.factors + u)));
    S::store(step.hidden + u, S::set1(0.0f));
  }
}

template <class S>
void squash(const float* text, const float* baseline, size_t count, float* squashed,
            float* squashed_baseline, float* secants) {
  for (size_t i = 0; i < count; i += S::lanes) {
    const Pair<S> at = load_pair<S>(text, baseline, i);
    const Pair<S> values = tanhs<S>(at);
    store_pair<S>(squashed, squashed_baseline, i, values);
    S::store(secants + i, tanh_secant<S>(values, at));
  }
}

template <class S>
float weigh(const float* weights, const float* text, const float* baseline, size_t count) {
  typename S::Vec sum = S::set1(0.0f);
  for (size_t i = 0; i < count; i += S::lanes)
    sum = S::fma(S::load(weights + i), S::sub(S::load(text + i), S::load(baseline + i)), sum);
  return S::total(sum);
}

// On the way from the baseline to the text, the value of a unit at each token is a line: baseline +
// a (text - baseline), for a from 0 to 1. Each unit walks along the upper envelope of these lines.
// It starts on the line that is highest at 0, and changes to the line that crosses it first (the
// steepest of several), until it reaches the line that is highest at 1.
template <class S>
void envelope(const Envelope& job) {
  using Vec = typename S::Vec;
  constexpr size_t lanes = S::lanes;
  const Vec zero = S::set1(0.0f), one = S::set1(1.0f);
  const Vec lowest = S::set1(-__builtin_huge_valf());
  Vec highest = lowest, last = lowest, line = lowest, slope = lowest, top = zero;
  for (size_t t = 0; t < job.tokens; ++t) {
    const Vec text = S::load(job.hidden + 2 * t * job.stride);
    const Vec start = S::load(job.hidden + (2 * t + 1) * job.stride);
    const Vec rise = S::sub(text, start);
    S::store(job.lines + 2 * t * lanes, start);
    S::store(job.lines + (2 * t + 1) * lanes, rise);
    highest = S::max(highest, text);
    last = S::max(last, S::add(start, rise));
    const Vec steepest = S::where_greater(rise, slope, one, zero);
    const Vec better = S::where_greater(
        start, line, one, S::where_greater(line, start, zero, steepest));
    line = S::where_greater(better, zero, start, line);
    slope = S::where_greater(better, zero, rise, slope);
    top = S::where_greater(better, zero, S::set1(static_cast<float>(t)), top);
  }
  S::store(job.pooled[0], highest);
  S::store(job.pooled[1], line);

  float at[lanes] = {}, from[lanes], until[lanes], to[lanes], lines[lanes], slopes[lanes],
      next_lines[lanes], next_slopes[lanes], ends[lanes];
  bool walks[lanes];
  S::store(from, top);
  S::store(lines, line);
  S::store(slopes, slope);
  S::store(ends, last);
  for (size_t i = 0; i < lanes; ++i) walks[i] = lines[i] + slopes[i] < ends[i];
  for (bool any = true; any;) {
    any = false;
    for (size_t i = 0; i < lanes; ++i) any = any || walks[i];
    if (!any) break;
    line = S::load(lines);
    slope = S::load(slopes);
    Vec crossing = one, next = S::set1(-1.0f), next_line = line, next_slope = slope;
    for (size_t t = 0; t < job.tokens; ++t) {
      const Vec start = S::load(job.lines + 2 * t * lanes);
      const Vec rise = S::load(job.lines + (2 * t + 1) * lanes);
      const Vec steeper = S::sub(rise, slope);
      const Vec there = S::where_greater(
          steeper, zero,
          S::mul(S::max(S::sub(line, start), zero), S::inverse(steeper)), S::set1(2.0f));
      const Vec steepest = S::where_greater(rise, next_slope, one, zero);
      const Vec better = S::where_greater(
          crossing, there, one, S::where_greater(there, crossing, zero, steepest));
      crossing = S::where_greater(better, zero, there, crossing);
      next = S::where_greater(better, zero, S::set1(static_cast<float>(t)), next);
      next_line = S::where_greater(better, zero, start, next_line);
      next_slope = S::where_greater(better, zero, rise, next_slope);
    }
    S::store(until, crossing);
    S::store(to, next);
    S::store(next_lines, next_line);
    S::store(next_slopes, next_slope);
    for (size_t i = 0; i < lanes; ++i) {
      if (!walks[i] || to[i] < 0.0f) {
        walks[i] = false;
        continue;
      }
      if (until[i] < at[i]) until[i] = at[i];
      job.multipliers[static_cast<size_t>(from[i]) * job.stride + i] +=
          job.weights[i] * (until[i] - at[i]);
      at[i] = until[i];
      from[i] = to[i];
      lines[i] = next_lines[i];
      slopes[i] = next_slopes[i];
      walks[i] = lines[i] + slopes[i] < ends[i];
    }
  }
  for (size_t i = 0; i < lanes; ++i)
    job.multipliers[static_cast<size_t>(from[i]) * job.stride + i] +=
        job.weights[i] * (1.0f - at[i]);
}

}  // namespace attribution

// clang-format off
#define VALENCE_ATTRIBUTION(S)                                                                  \
  {S::lanes, S::Dot::fixed_point, attribution::dense<S>, attribution::recur<S>,                 \
   {attribution::lstm<S>, attribution::gru<S>, attribution::rnn<S>},                            \
   {attribution::lstm_back<S>, attribution::gru_back<S>, attribution::rnn_back<S>},             \
   attribution::envelope<S>, attribution::squash<S>, attribution::weigh<S>}
// clang-format on

}  // namespace
}  // namespace valence
