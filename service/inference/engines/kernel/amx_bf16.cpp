// AMX: products of 16 rows x 32 inputs with 32 inputs x 16 units, in bf16.
//
// The tile unit multiplies so fast that the activations, which the vector units compute, are most
// of the work. To keep both units busy, the cells of the previous block are finished while the
// product of a block runs: a few rows between any two tiles of inputs.
#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels.h"
#include "target.h"

VALENCE_TARGET_BEGIN("avx512f,avx512dq,avx512bw,avx512vl,avx512bf16,fma,amx-tile,amx-bf16")

#include "simd_bf16.h"

#include "recurrence.h"

namespace valence {
namespace {

using Simd = SimdBf16;

constexpr size_t kRows = 16;        // rows of a tile
constexpr size_t kPairs = 16;       // pairs of inputs in a tile: 32 inputs
constexpr size_t kTile = 16 * 32;   // bf16 values of a full tile

struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

// Tiles 0-3 hold sums and tile 4 holds inputs, of `rows` rows each. Tiles 5-7 hold weights.
VALENCE_INLINE void configure(size_t rows) {
  TileConfig config;
  for (int tile = 0; tile < 8; ++tile) {
    config.row_bytes[tile] = 64;
    config.rows[tile] = static_cast<uint8_t>(tile < 5 ? rows : kPairs);
  }
  // GCC 12 assumes that the instruction reads only 8 bytes, and would drop the other stores.
  __asm__ volatile("" : : "r"(&config) : "memory");
  _tile_loadconfig(&config);
}

// Adds the product of one tile of inputs and one tile of weights to each of the C tiles of sums.
template <int C>
VALENCE_INLINE void multiply(const uint16_t* input, size_t stride, const uint16_t* weights) {
  _tile_loadd(4, input, stride * 2);
  _tile_loadd(5, weights, 64);
  _tile_dpbf16ps(0, 4, 5);
  if constexpr (C > 1) {
    _tile_loadd(6, weights + kTile, 64);
    _tile_dpbf16ps(1, 4, 6);
  }
  if constexpr (C > 2) {
    _tile_loadd(7, weights + 2 * kTile, 64);
    _tile_dpbf16ps(2, 4, 7);
  }
  if constexpr (C > 3) {
    _tile_loadd(5, weights + 3 * kTile, 64);
    _tile_dpbf16ps(3, 4, 5);
  }
}

template <int C>
VALENCE_INLINE void clear_sums() {
  _tile_zero(0);
  if constexpr (C > 1) _tile_zero(1);
  if constexpr (C > 2) _tile_zero(2);
  if constexpr (C > 3) _tile_zero(3);
}

// Writes sums (C, rows, lanes).
template <int C>
VALENCE_INLINE void store_sums(float* sums) {
  constexpr size_t size = kRows * Simd::lanes;
  _tile_stored(0, sums, 64);
  if constexpr (C > 1) _tile_stored(1, sums + size, 64);
  if constexpr (C > 2) _tile_stored(2, sums + 2 * size, 64);
  if constexpr (C > 3) _tile_stored(3, sums + 3 * size, 64);
}

// Finishes one row of one block when its sums are known.
template <template <class> class CellOf>
VALENCE_INLINE void finish_sums(const Step& step, const float* sums, size_t block, size_t row) {
  constexpr int C = CellOf<Simd>::gates;
  const uint16_t* input = gates_of<Simd, C>(step.inputs, row, block);
  prefetch_gates<Simd, C>(step, row, block);
  Simd::Vec acc[C];
  CellOf<Simd>::start(acc, input, step.hidden_bias + block * Simd::lanes);
  for (int c = 0; c < C; ++c)
    acc[c] = Simd::add(acc[c], Simd::load(sums + (c * kRows + row % kRows) * Simd::lanes));
  finish_row<Simd, CellOf>(step, acc, input, block, row);
}

template <template <class> class CellOf>
void step_tiles(const Step& step) {
  constexpr int C = CellOf<Simd>::gates;
  configure(step.rows < kRows ? step.rows : kRows);
  alignas(64) float sums[2][C * kRows * Simd::lanes];
  const auto* state = static_cast<const uint16_t*>(step.state);
  const auto* weights = static_cast<const uint16_t*>(step.weights);
  const size_t tiles = step.depth / kPairs;
  const size_t groups = (step.rows + kRows - 1) / kRows;
  const size_t items = step.blocks * groups;
  size_t block = 0, previous_block = 0;  // an item is one block and one group of rows
  size_t row = 0, previous_row = 0, previous_end = 0;
  for (size_t item = 0; item < items; ++item) {
    const float* previous_sums = sums[(item + 1) % 2];
    const uint16_t* block_weights = weights + block * tiles * C * kTile;
    const size_t share = (previous_end - previous_row + tiles - 1) / tiles;
    clear_sums<C>();
    for (size_t tile = 0; tile < tiles; ++tile) {
      if (!step.fresh)
        multiply<C>(state + row * step.state_stride + tile * 32, step.state_stride,
                    block_weights + tile * C * kTile);
      for (size_t i = 0; i < share && previous_row < previous_end; ++i, ++previous_row)
        finish_sums<CellOf>(step, previous_sums, previous_block, previous_row);
    }
    store_sums<C>(sums[item % 2]);
    previous_block = block;
    previous_row = row;
    previous_end = row + kRows < step.rows ? row + kRows : step.rows;
    row += kRows;
    if (row >= step.rows) {
      row = 0;
      ++block;
    }
  }
  for (; previous_row < previous_end; ++previous_row)
    finish_sums<CellOf>(step, sums[(items + 1) % 2], previous_block, previous_row);
  _tile_release();
}

template <int C>
void product_tiles(const Product& product) {
  configure(kRows);
  alignas(64) float sums[C * kRows * Simd::lanes];
  const auto* input = static_cast<const uint16_t*>(product.input);
  const auto* weights = static_cast<const uint16_t*>(product.weights);
  auto* gates = static_cast<uint16_t*>(product.gates);
  const size_t tiles = product.depth / kPairs;
  constexpr size_t panel = 8 * kRows;
  for (size_t first = 0; first < product.rows; first += panel) {
    const size_t end = first + panel < product.rows ? first + panel : product.rows;
    for (size_t block = 0; block < product.blocks; ++block)
      for (size_t row = first; row < end; row += kRows) {
        clear_sums<C>();
        for (size_t tile = 0; tile < tiles; ++tile)
          multiply<C>(input + row * product.input_stride + tile * 32, product.input_stride,
                      weights + (block * tiles + tile) * C * kTile);
        store_sums<C>(sums);
        for (size_t i = row; i < row + kRows && i < end; ++i) {
          Simd::Vec acc[C];
          for (int c = 0; c < C; ++c)
            acc[c] = Simd::add(Simd::load(sums + (c * kRows + i - row) * Simd::lanes),
                               Simd::load(product.bias + (block * C + c) * Simd::lanes));
          Simd::store_gates<C>(gates + (i * product.blocks + block) * C * Simd::lanes, acc);
        }
      }
  }
  _tile_release();
}

double spin_tiles(size_t rounds) {
  configure(kRows);
  clear_sums<4>();
  _tile_zero(4);
  _tile_zero(5);
  for (size_t round = 0; round < rounds; ++round) {
    _tile_dpbf16ps(0, 4, 5);
    _tile_dpbf16ps(1, 4, 5);
    _tile_dpbf16ps(2, 4, 5);
    _tile_dpbf16ps(3, 4, 5);
  }
  _tile_release();
  return 2.0 * rounds * 4 * kRows * kTile;
}

}  // namespace

const Path kAmxBf16 = {"amx-bf16", Simd::lanes, 2, 32, Format::bf16, 16, kRows,
                       {step_tiles<Lstm>, step_tiles<Gru>, step_tiles<Rnn>},
                       {product_tiles<4>, product_tiles<3>, product_tiles<1>},
                       {product_all<Simd, InOrder<Simd::FoldDot>, 4>,
                        product_all<Simd, InOrder<Simd::FoldDot>, 3>,
                        product_all<Simd, InOrder<Simd::FoldDot>, 1>},
                       attend_all<Simd>, dot_all<Simd>, spin_tiles};

}  // namespace valence

VALENCE_TARGET_END

#endif
