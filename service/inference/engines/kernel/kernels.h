// What one dispatch path offers the network: plain functions over raw memory.
//
// Each path lives in a source file of its own that is compiled for its instruction set. Such a file
// must not use anything of the standard library that could leave a function behind: the linker may
// keep that copy for the whole module, and an older processor would meet instructions it lacks.
// Hence no containers and no classes here.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace valence {

enum class Cell : int { lstm, gru, rnn };

constexpr int kCells = 3;

constexpr int gate_count(Cell cell) {
  return cell == Cell::lstm ? 4 : cell == Cell::gru ? 3 : 1;
}

// How a step reduces the hidden states over time. Sums become means once the document is done.
enum Pool : unsigned { kPoolNone = 0, kPoolLast = 1, kPoolMax = 2, kPoolSum = 4 };

// Units are cut into blocks of the path's `lanes`, the last one filled up with units whose weights
// are zero and whose state therefore stays zero. Gates are multiplied by -log2(e), or -2 log2(e)
// where tanh follows, when weights are packed, so that a cell begins with 2^gate.

// One time step of one layer and direction for `rows` documents.
struct Step {
  size_t rows;
  size_t blocks;
  size_t depth;                  // products a unit: state size / Path::pair
  bool fresh;                    // every state is zero: the recurrent product is left out
  bool descending;               // the order of blocks: every other step begins with the weights
                                 // that the last one left in the cache
  const void* weights;           // as pack.h orders them
  const float* scales;           // (blocks, gates, lanes), int16 only: what a sum is multiplied by
  const float* hidden_bias;      // (blocks, lanes), GRU only: b_hn, which r multiplies
  const void* const* inputs;     // a row's gates before the recurrent product, in Gate format
  const void* const* upcoming;   // the next step's inputs, to be fetched meanwhile
  const void* state;             // (rows, state_stride) of State
  void* next_state;
  size_t state_stride;           // elements
  float* memory;                 // (rows, blocks * lanes): c of an LSTM, h of a GRU
  float* const* pooled;          // a row's running pool: last or max first, then the sum
  size_t sum_offset;             // where in it the sum begins
  unsigned pool;
};

// gates[row] = bias + weights x input[row], of `rows` rows.
struct Product {
  size_t rows;
  size_t blocks;
  size_t depth;                  // products a unit
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

// Fixed point: what a state of 1 is as an integer.
constexpr int kStateOne = 1 << 13;

struct Path {
  const char* name;
  int lanes;                     // units a block
  int pair;                      // consecutive inputs that one multiply-add instruction takes
  int tile;                      // inputs are padded to a multiple of this (a multiple of pair)
  Format format;                 // of recurrent weights, states and gates
  size_t slots;                  // documents that advance together at most
  size_t spare_rows;             // rows of state are allocated in multiples of this
  void (*step[kCells])(const Step&);
  void (*product[kCells])(const Product&);  // input and weights in the path's format
  void (*fold[kCells])(const Product&);     // input and weights fp32, pair and tile 1
  void (*attend)(const Attention&);
  float (*dot)(const float* a, const float* b, size_t count);  // count: a multiple of lanes
  double (*spin)(size_t rounds);            // multiply-adds on registers alone; operations
                                            // done
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
