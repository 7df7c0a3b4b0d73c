// Scales, blocks, pads and converts torch's weights into the layout that a path reads.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "buffer.h"
#include "kernels.h"

namespace valence {

inline size_t round_up(size_t value, size_t step) { return (value + step - 1) / step * step; }

// The factor of a gate, with which an activation starts as a power of two (see kernels.h).
inline float gate_scale(Cell cell, size_t gate) {
  constexpr float log2e = 1.4426950408889634f;
  const bool tanh = cell == Cell::lstm ? gate == 2 : cell == Cell::gru ? gate == 2 : true;
  return tanh ? -2.0f * log2e : -log2e;
}

inline uint16_t to_bf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<uint16_t>(bits >> 16 | 0x40u);  // NaN
  return static_cast<uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);  // rounds to even
}

inline size_t size_of(Format format) { return format == Format::fp32 ? 4 : 2; }

// The layout of the rows that a matrix is multiplied with: `parts` vectors of `size` values, each
// padded to `padded` values.
struct Columns {
  size_t parts;
  size_t size;
  size_t padded;
};

// The value of an integer 1 in a row of weights. The products of the row with any state sum up to
// less than 2^31, so no order of summation overflows. A state may be as large as 1 + 2^-10, because
// activations are approximations.
inline double fixed_point_scale(const float* row, size_t count, float gate_scale) {
  double sum = 0.0, largest = 0.0;
  for (size_t i = 0; i < count; ++i) {
    const double weight = std::fabs(static_cast<double>(row[i]) * gate_scale);
    sum += weight;
    largest = std::max(largest, weight);
  }
  if (largest == 0.0) return 1.0;
  constexpr double state = kStateOne * (1.0 + 1.0 / 1024.0);
  const double budget = 2147483647.0 / state - 0.5 * static_cast<double>(count);  // less rounding
  return std::max(sum / budget, largest / 32767.0);
}

struct Packed {
  Buffer<std::byte> weights;  // (blocks, tiles, gates, tile / pair, lanes, pair)
  Buffer<float> scales;       // (blocks, gates, lanes), int16 only
};

// Packs weights of the shape (gates * hidden, parts * size).
inline Packed pack(Cell cell, size_t hidden, const float* weights, Columns columns, size_t lanes,
                   size_t pair, size_t tile, Format format) {
  const size_t gates = gate_count(cell);
  const size_t blocks = round_up(hidden, lanes) / lanes;
  const size_t depth = round_up(columns.parts * columns.padded, tile);
  const size_t count = columns.parts * columns.size;
  Packed packed = {Buffer<std::byte>(blocks * depth * gates * lanes * size_of(format)), {}};
  if (format == Format::int16) packed.scales = Buffer<float>(blocks * gates * lanes);
  for (size_t gate = 0; gate < gates; ++gate) {
    const float scale = gate_scale(cell, gate);
    for (size_t unit = 0; unit < hidden; ++unit) {
      const size_t block = unit / lanes;
      const size_t lane = unit % lanes;
      const float* row = weights + (gate * hidden + unit) * count;
      double one = 1.0;
      if (format == Format::int16) {
        one = fixed_point_scale(row, count, scale);
        packed.scales[(block * gates + gate) * lanes + lane] = static_cast<float>(one / kStateOne);
      }
      for (size_t part = 0; part < columns.parts; ++part)
        for (size_t i = 0; i < columns.size; ++i) {
          const size_t k = part * columns.padded + i;
          const size_t inside = (k % tile / pair * lanes + lane) * pair + k % pair;
          const size_t at = block * depth * gates * lanes +
                            (k / tile * gates + gate) * tile * lanes + inside;
          const float value = row[part * columns.size + i] * scale;
          std::byte* to = packed.weights.data() + size_of(format) * at;
          if (format == Format::fp32) {
            std::memcpy(to, &value, 4);
          } else if (format == Format::bf16) {
            const uint16_t half = to_bf16(value);
            std::memcpy(to, &half, 2);
          } else {
            const auto whole = static_cast<int16_t>(std::lrint(value / one));
            std::memcpy(to, &whole, 2);
          }
        }
    }
  }
  return packed;
}

// Adds two biases of the shape (gates * hidden) and packs the sum as (blocks, gates, lanes). For
// the third gate of a GRU, only the input bias is used.
inline Buffer<float> pack_bias(Cell cell, size_t hidden, const float* input,
                               const float* recurrent, size_t lanes) {
  const size_t gates = gate_count(cell);
  Buffer<float> packed(round_up(hidden, lanes) * gates);
  for (size_t gate = 0; gate < gates; ++gate)
    for (size_t unit = 0; unit < hidden; ++unit) {
      const size_t at = gate * hidden + unit;
      const bool apart = cell == Cell::gru && gate == 2;
      packed[(unit / lanes * gates + gate) * lanes + unit % lanes] =
          (input[at] + (apart ? 0.0f : recurrent[at])) * gate_scale(cell, gate);
    }
  return packed;
}

// b_hn of a GRU as (blocks, lanes); zeros for other cells.
inline Buffer<float> pack_hidden_bias(Cell cell, size_t hidden, const float* recurrent,
                                      size_t lanes) {
  Buffer<float> packed(round_up(hidden, lanes));
  if (cell == Cell::gru)
    for (size_t unit = 0; unit < hidden; ++unit)
      packed[unit] = recurrent[2 * hidden + unit] * gate_scale(cell, 2);
  return packed;
}

}  // namespace valence
