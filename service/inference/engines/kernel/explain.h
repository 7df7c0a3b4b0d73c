// What each token adds to the logit of a label. The method is that of
// service/inference/explain/attribution.py, in fp32. On a path with fixed point, the recurrent
// weights of the network are rounded to 16 bits.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "attributor.h"
#include "buffer.h"
#include "network.h"
#include "panels.h"

namespace valence {

struct Contributions {
  float logit;
  float baseline_logit;
};

class Explainer {
 public:
  // The embedding that `description` points to must live as long as this object. The rest is
  // copied.
  Explainer(const AttributionKernels& kernels, const Description& description);

  // `contributions` is (length). Ids must lie in the vocabulary, and `length` must be at least 1.
  // Several threads may call this at the same time. Memory is linear in the length of the document,
  // and a thread keeps some of the memory between calls.
  Contributions attribute(const Document& document, size_t label, float* contributions) const;

  // The last layer's states, (length, directions, hidden).
  void activations(const Document& document, float* states) const;

  size_t vocabulary() const { return vocabulary_; }
  size_t labels() const { return output_bias_.size(); }
  size_t directions() const { return directions_; }
  size_t hidden() const { return hidden_; }

 private:
  struct Direction {
    Panels input;                    // columns to gates
    Buffer<float> input_bias;
    Panels recurrent;                // units to gates
    Buffer<float> recurrent_bias;
    Panels recurrent_back;           // gates to units
    Panels input_back;               // gates to the layer below; second layer and later
    float scale = 0.0f;              // scale of recurrent weights in fixed point
  };
  // Recurrent products of the first layer for a text of unknown words. They are the same for every
  // text.
  struct Baseline {
    size_t steps;
    Buffer<float> recurrent[2];      // per direction: (steps, gates), products with biases
  };
  struct Walk;
  struct Scratch;

  // The memory that the calling thread keeps between calls.
  static Scratch& own_scratch();
  // The baseline with at least `steps` steps. It is computed when a text is longer than all before.
  std::shared_ptr<const Baseline> baseline(size_t steps, Scratch& scratch) const;
  void embed(const Document& document, Walk& walk, Scratch& scratch) const;
  void recur(const Direction& direction, const float* state, float* gates, Scratch& scratch) const;
  const Walk& walk(const Document& document, Scratch& scratch) const;
  void walk_back(const Direction& direction, size_t place, Walk& walk, const float* multipliers,
                 float* below, float* contributions, Scratch& scratch) const;
  void pool(const Walk& top, const float* weights, float* pooled, float* multipliers,
            Scratch& scratch) const;
  void attend(const Walk& top, const float* weights, float* pooled, float* multipliers,
              Scratch& scratch) const;
  size_t panels(size_t outputs) const { return outputs / (kPanel * kernels_.lanes); }

  const AttributionKernels& kernels_;
  Cell cell_;
  unsigned pool_;
  size_t factors_;
  size_t vocabulary_;
  size_t embedding_size_;
  size_t hidden_;
  size_t units_;     // hidden size padded to whole panels
  size_t gates_;     // gates of all units
  size_t directions_;
  size_t width_;     // units of all directions
  const float* embedding_;
  std::vector<Direction> layers_;
  Buffer<float> attention_;    // (width)
  Buffer<float> output_;       // (labels, poolings, width)
  size_t pooled_;
  std::vector<float> output_bias_;
  mutable std::mutex growing_;
  mutable std::shared_ptr<const Baseline> baseline_;
};

}  // namespace valence
