// A classifier for one dispatch path: packed weights and the folded gate table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "buffer.h"
#include "kernels.h"
#include "pack.h"
#include "pages.h"

namespace valence {

// fp32 weights in torch's layout. They must live only while a Network is built, but for the
// embedding: a Network whose table has less than all words reads the others from it.
struct LayerWeights {
  const float* input;        // (gates * hidden, columns)
  const float* recurrent;    // (gates * hidden, hidden)
  const float* input_bias;   // (gates * hidden)
  const float* recurrent_bias;
};

struct Description {
  Cell cell;
  unsigned pool;             // kPoolNone means attention
  size_t vocabulary;
  size_t embedding_size;
  size_t hidden;
  size_t directions;
  size_t labels;
  const float* embedding;    // (vocabulary, embedding_size)
  std::vector<LayerWeights> layers;  // one per direction: layer 0 forward, layer 0 backward, ...
  const float* attention;    // (directions * hidden), or null
  const float* output;       // (labels, pooled width)
  const float* output_bias;
  size_t most_table_bytes;   // the tables of all directions have as many words as fit into this
};

struct Document {
  const int32_t* ids;
  size_t length;
};

class Network {
 public:
  // With `spare`, the table is computed in the time of the processor that all others leave.
  Network(const Path& path, const Description& description, bool spare = false);

  // Writes logits (documents, labels). Ids must lie in the vocabulary. Several threads may call
  // this at the same time.
  void logits(const std::vector<Document>& documents, float* result) const;

  size_t vocabulary() const { return vocabulary_; }
  size_t labels() const { return labels_; }
  size_t table_bytes() const;

 private:
  struct Layer {
    Packed recurrent;
    Packed input;                 // first layer: fp32, for words that the table leaves out
    Buffer<float> bias;
    Buffer<float> hidden_bias;
    Pages table;                  // first layer: (folded words, gates), the folded input product
  };
  struct Scratch;
  struct Slots;

  void fold(Layer& layer, bool spare) const;
  void gather(const Document* documents, size_t count, Scratch& scratch) const;
  const std::byte* gates(const Layer& layer, int32_t word, const Scratch& scratch) const;
  void run(const Document* documents, size_t count, float* pooled, Scratch& scratch) const;
  void recur(const Layer& layer, size_t direction, const Document* documents, Slots& slots,
             bool first, bool keep, float* pooled, Scratch& scratch) const;

  size_t element() const { return size_of(path_.format); }
  size_t gate_bytes() const { return gates_ * units_ * element(); }
  size_t sequence_bytes() const { return directions_ * state_ * element(); }

  const Path& path_;
  Cell cell_;
  unsigned pool_;
  size_t gates_;
  size_t vocabulary_;
  size_t embedding_size_;
  const float* embedding_;
  size_t hidden_;
  size_t directions_;
  size_t labels_;
  size_t blocks_;
  size_t units_;           // hidden size padded to whole blocks
  size_t state_;           // units padded to whole tiles of inputs
  size_t folded_;          // words of the table: the first ones, which are the most frequent
  size_t part_;            // units of all directions: the part of a pooled vector for one pooling
  size_t pooled_;          // floats of a pooled vector
  std::vector<Layer> layers_;
  Buffer<float> attention_;    // (directions, state_)
  Buffer<float> output_;       // (labels, pooled_)
  std::vector<float> output_bias_;
};

}  // namespace valence
