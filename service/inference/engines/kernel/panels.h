// Matrices of the attribution kernels: outputs in panels of kPanel vectors, in fp32 or fixed point.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "attributor.h"
#include "buffer.h"

namespace valence {

struct Panels {
  Buffer<float> real;       // (panels, depth, width), with the width of a panel
  Buffer<int16_t> fixed;    // (panels, depth / 2, width, 2), instead of `real` if the path computes
                            // in fixed point; recur() reads it
  size_t width = 0;
  size_t depth = 0;

  Panels() = default;
  Panels(size_t outputs, size_t inputs, size_t lanes)
      : real(outputs * inputs), width(kPanel * lanes), depth(inputs) {}

  const void* data() const {
    return fixed.size() > 0 ? static_cast<const void*>(fixed.data()) : real.data();
  }

  void put(size_t output, size_t k, float value) {
    real[(output / width * depth + k) * width + output % width] = value;
  }

  // The smallest allowed value of an integer 1: the products of the weights of a chunk with digits
  // of up to kStateOne must sum up to less than 2^31.
  float least_scale() const {
    double largest = 0.0, longest = 0.0;
    for (size_t panel = 0; panel < real.size() / (depth * width); ++panel)
      for (size_t column = 0; column < width; ++column)
        for (size_t first = 0; first < depth; first += kChunk) {
          double sum = 0.0;
          for (size_t k = first; k < std::min(first + kChunk, depth); ++k) {
            const double weight = std::fabs(real.data()[(panel * depth + k) * width + column]);
            largest = std::max(largest, weight);
            sum += weight;
          }
          longest = std::max(longest, sum);
        }
    constexpr double budget = 2147483647.0 / kStateOne - 0.5 * kChunk;  // less rounding
    return static_cast<float>(std::max(largest / 32767.0, longest / budget));
  }

  // Converts to fixed point. The forward and the backward pass use the same scale, so that their
  // weights are the same.
  void fix(float scale) {
    fixed = Buffer<int16_t>(real.size());
    for (size_t i = 0; i < real.size(); ++i) {
      const size_t k = i / width % depth;
      const size_t pair = (i / (width * depth) * depth + k - k % 2) * width;
      fixed[pair + 2 * (i % width) + k % 2] =
          scale > 0.0f ? static_cast<int16_t>(std::lrint(real[i] / scale)) : int16_t{0};
    }
    real = Buffer<float>();
  }
};

}  // namespace valence
