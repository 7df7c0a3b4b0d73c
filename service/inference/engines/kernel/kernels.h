// The interface of a dispatch path: plain functions over raw memory.
//
// Each path has its own source file, which is compiled for its instruction set. Such a file must
// not use parts of the standard library that are compiled into functions: the linker may keep this
// copy of a function for the whole module, and an older processor would crash on its instructions.
// So this header has no containers and no classes.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace valence {

enum class Cell : int { lstm, gru, rnn };

constexpr int kCells = 3;

constexpr int gate_count(Cell cell) {
  return cell == Cell::lstm ? 4 : cell == Cell::gru ? 3 : 1;
}

// How a step reduces the hidden states over time. A sum becomes a mean at the end of the document.
enum Pool : unsigned { kPoolNone = 0, kPoolLast = 1, kPoolMax = 2, kPoolSum = 4 };

// Units are cut into blocks of the path's `lanes`. The last block is padded with units whose
// weights are zero, so their state stays zero. Packing multiplies gates by -log2(e), or by -2
// log2(e) where tanh follows, so that a cell starts with 2^gate.

// One time step of one layer and direction for `rows` documents.
struct Step {
  size_t rows;
  size_t blocks;
  size_t depth;                  // products per unit: state size / Path::pair
  bool fresh;                    // every state is zero, so the recurrent product is left out
  bool descending;               // order of the blocks: every other step descends, so that it
                                 // starts with the weights that the previous step left in the
                                 // cache
  const void* weights;           // as pack.h orders them
  const float* scales;           // (blocks, gates, lanes), int16 only: factor of a sum
  const float* hidden_bias;      // (blocks, lanes), GRU only: b_hn, which the reset gate multiplies
  const void* const* inputs;     // gates of each row before the recurrent product, in Gate format
  const void* const* upcoming;   // inputs of the next step, to be prefetched
  const void* state;             // (rows, state_stride) of State
  void* next_state;
  size_t state_stride;           // elements
  float* memory;                 // (rows, blocks * lanes): c of an LSTM, h of a GRU
  float* const* pooled;          // running pool of each row: last or max first, then the sum
  size_t sum_offset;             // offset of the sum in the running pool
  unsigned pool;
};

// gates[row] = bias + weights x input[row], for `rows` rows.
struct Product {
  size_t rows;
  size_t blocks;
  size_t depth;                  // products per unit
  const void* weights;
  const float* scales;           // (blocks, gates, lanes), int16 only
  const float* bias;             // (blocks, gates, lanes)
  const void* input;
  size_t input_stride;           // elements
  void* gates;                   // (rows, blocks * gates * lanes) of Gate
};

// Attention pooling of one document: result = softmax(tanh(h) . attention) . h
struct Attention {
  size_t tokens;
  size_t width;                  // padded, a multiple of lanes
  const void* states;            // (tokens, width) of State
  const float* attention;        // (width)
  float* scores;                 // (tokens), scratch
  float* result;                 // (width)
};

enum class Format : int { fp32, bf16, int16 };

// Fixed point: the integer that represents a state of 1.
constexpr int kStateOne = 1 << 13;

struct Path {
  const char* name;
  int lanes;                     // units per block
  int pair;                      // consecutive inputs of one multiply-add instruction
  int tile;                      // inputs are padded to a multiple of this (a multiple of pair)
  Format format;                 // of recurrent weights, states and gates
  size_t slots;                  // maximum number of documents that advance together
  size_t spare_rows;             // rows of state are allocated in multiples of this
  void (*step[kCells])(const Step&);
  void (*product[kCells])(const Product&);  // input and weights in the path's format
  void (*fold[kCells])(const Product&);     // input and weights fp32, pair and tile 1; a row has
                                            // the same sums beside whatever other rows
  void (*attend)(const Attention&);
  float (*dot)(const float* a, const float* b, size_t count);  // count: a multiple of lanes
  double (*spin)(size_t rounds);            // multiply-adds on registers alone; returns the number
                                            // of operations
};

extern const Path kPortable;
#if defined(__x86_64__)
extern const Path kAvx2;
extern const Path kAvx2Int16;
extern const Path kAvx512;
extern const Path kAvx512Bf16;
extern const Path kAmxBf16;
#endif

}  // namespace valence
