// The interface of a dispatch path for attribution: plain functions over raw memory, as in
// kernels.h.
#pragma once

#include <stddef.h>

#include "kernels.h"

namespace valence {

// Outputs are cut into panels of this many vectors.
constexpr size_t kPanel = 4;
// In fixed point, this many products are summed before the sum is converted to fp32. Must be even.
constexpr size_t kChunk = 128;

// output[row] = start[row] + weights x input[row]
struct Dense {
  size_t rows;
  size_t panels;
  size_t depth;
  const float* weights;      // (panels, depth, kPanel * lanes)
  const float* start;
  size_t start_stride;       // 0: the same start for all rows
  const float* input;
  size_t input_stride;
  float* output;             // may be start
  size_t output_stride;
};

// The same for a single row with recurrent weights. Every step waits for this product.
struct Recurrent {
  size_t panels;
  size_t depth;
  const void* weights;       // as Panels holds them
  float scale;               // fixed point only: the value of an integer weight of 1
  const float* start;
  const float* input;
  float* output;             // may be start
  int16_t* digits;           // (2, depth), fixed point only: scratch
};

// One step of one direction. In arrays of two, the text comes first, then its baseline. Gates have
// the shape (gates, units).
struct CellStep {
  size_t units;
  const float* input[2];     // gates of the token, biases included
  const float* recurrent[2]; // recurrent product, b_hn of a GRU included
  float* memory[2];          // (units): c of an LSTM, h of a GRU
  float* hidden[2];          // (units), written
  float* factors;            // (factors, units), written
};

// The backward step: from the multipliers of the states to those of the gates and of the previous
// states.
struct CellBack {
  size_t units;
  const float* factors;
  const float* pooled;       // (units): multipliers from the layer above
  float* hidden;             // (units): in, multipliers from the following step; out, the part for
                             // the previous step that does not pass through the recurrent product
  float* memory;             // (units), LSTM only
  float* input;              // gates, written
  float* recurrent;          // gates, written by a GRU only; for other cells they equal `input`
};

// Max pooling of one vector of units over a text and its baseline.
struct Envelope {
  size_t tokens;
  const float* hidden;       // (tokens, 2, stride): the text's states, then the baseline's
  size_t stride;
  const float* weights;      // (lanes)
  float* lines;              // (tokens, 2, lanes), scratch
  float* pooled[2];          // (lanes) of text and of baseline, written
  float* multipliers;        // (tokens, stride), zeros at first: the share of each token in the
                             // weight of its unit
};

struct AttributionKernels {
  int lanes;
  bool fixed_point;          // whether recur() in attribution.h computes in fixed point
  void (*dense)(const Dense&);
  void (*recur)(const Recurrent&);
  void (*step[kCells])(const CellStep&);
  void (*step_back[kCells])(const CellBack&);
  void (*envelope)(const Envelope&);
  // tanh of both arrays, and the slope between the two values
  void (*squash)(const float* text, const float* baseline, size_t count, float* squashed,
                 float* squashed_baseline, float* secants);
  // sum of weights * (text - baseline)
  float (*weigh)(const float* weights, const float* text, const float* baseline, size_t count);
};

extern const AttributionKernels kPortableAttribution;
#if defined(__x86_64__)
extern const AttributionKernels kAvx2Attribution;
extern const AttributionKernels kAvx2Int16Attribution;
extern const AttributionKernels kAvx512Attribution;
#endif

}  // namespace valence
