// Torch's weights, scaled, blocked, padded and converted as a path reads them.
#pragma once

#include <cstring>

#include "buffer.h"
#include "kernels.h"

namespace valence {

inline size_t round_up(size_t value, size_t step) { return (value + step - 1) / step * step; }

// See kernels.h: what a gate is multiplied by so that activations begin with a power of two.
inline float gate_scale(Cell cell, size_t gate) {
  constexpr float log2e = 1.4426950408889634f;
  const bool tanh = cell == Cell::lstm ? gate == 2 : cell == Cell::gru ? gate == 2 : true;
  return tanh ? -2.0f * log2e : -log2e;
}

inline uint16_t to_bf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<uint16_t>(bits >> 16 | 0x40u);  // NaN
  return static_cast<uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);  // to nearest even
}

// How the rows that a matrix is multiplied with are made of `parts` vectors of `size` values, each
// filled up to `padded`.
struct Columns {
  size_t parts;
  size_t size;
  size_t padded;
};

// (gates * hidden, parts * size) -> (blocks, tiles, gates, tile / pair, lanes, pair)
inline Buffer<std::byte> pack(Cell cell, size_t hidden, const float* weights, Columns columns,
                              size_t lanes, size_t pair, size_t tile, Format format) {
  const size_t gates = gate_count(cell);
  const size_t blocks = round_up(hidden, lanes) / lanes;
  const size_t depth = round_up(columns.parts * columns.padded, tile);
  const size_t element = format == Format::bf16 ? 2 : 4;
  Buffer<std::byte> packed(blocks * depth * gates * lanes * element);
  for (size_t gate = 0; gate < gates; ++gate) {
    const float scale = gate_scale(cell, gate);
    for (size_t unit = 0; unit < hidden; ++unit) {
      const size_t block = unit / lanes;
      const size_t lane = unit % lanes;
      const float* row = weights + (gate * hidden + unit) * columns.parts * columns.size;
      for (size_t part = 0; part < columns.parts; ++part)
        for (size_t i = 0; i < columns.size; ++i) {
          const size_t k = part * columns.padded + i;
          const size_t inside = (k % tile / pair * lanes + lane) * pair + k % pair;
          const size_t at = block * depth * gates * lanes +
                            (k / tile * gates + gate) * tile * lanes + inside;
          const float value = row[part * columns.size + i] * scale;
          if (format == Format::bf16) {
            const uint16_t half = to_bf16(value);
            std::memcpy(packed.data() + 2 * at, &half, 2);
          } else {
            std::memcpy(packed.data() + 4 * at, &value, 4);
          }
        }
    }
  }
  return packed;
}

// (gates * hidden) twice -> (blocks, gates, lanes); of a GRU's third gate the first one only.
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

// A GRU's b_hn (blocks, lanes); zeros for other cells.
inline Buffer<float> pack_hidden_bias(Cell cell, size_t hidden, const float* recurrent,
                                      size_t lanes) {
  Buffer<float> packed(round_up(hidden, lanes));
  if (cell == Cell::gru)
    for (size_t unit = 0; unit < hidden; ++unit)
      packed[unit] = recurrent[2 * hidden + unit] * gate_scale(cell, 2);
  return packed;
}

}  // namespace valence
