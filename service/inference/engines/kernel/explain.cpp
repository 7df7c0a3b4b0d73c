#include "explain.h"

#include <algorithm>
#include <cmath>

namespace valence {
namespace {

size_t filled_up(size_t value, size_t step) { return (value + step - 1) / step * step; }

constexpr size_t factor_count(Cell cell) {
  return cell == Cell::lstm ? 6 : cell == Cell::gru ? 5 : 1;
}

// If a thread holds more scratch memory than this, its next call frees the memory first.
constexpr size_t kKeptBytes = size_t{32} << 20;

}  // namespace

// The forward pass of one layer over a document and its baseline.
struct Explainer::Walk {
  size_t tokens = 0;
  bool first = false;
  // First layer only: the distinct words, that is the unknown word 0 and those of the text.
  std::vector<int32_t> words;
  std::vector<size_t> places;  // index in `words` of each token
  Buffer<float> hidden;        // (tokens, 2, width)
  Buffer<float> gates[2];      // per direction: (words, gates); later layers (tokens, 2, gates)
  Buffer<float> factors[2];    // per direction: (tokens, factors, units)

  size_t text_row(size_t token) const { return first ? places[token] : 2 * token; }
  size_t baseline_row(size_t token) const { return first ? 0 : 2 * token + 1; }
  size_t bytes() const {
    return sizeof(float) * (hidden.size() + gates[0].size() + gates[1].size() +
                            factors[0].size() + factors[1].size());
  }
};

struct Explainer::Scratch {
  std::vector<Walk> walks;     // one per layer
  Buffer<float> embedded, recurrent, still, memory, lines, pooled, multipliers, below;
  Buffer<float> hidden_back, memory_back, of_input, of_recurrent, squashed, secants;
  Buffer<int16_t> digits;

  // New memory is zeroed already, but memory that an earlier call used is not.
  static float* zeros(Buffer<float>& buffer, size_t count) {
    float* data = buffer.reserve(count);
    std::fill_n(data, count, 0.0f);
    return data;
  }
  size_t bytes() const {
    size_t total = sizeof(float) * (embedded.size() + multipliers.size() + below.size() +
                                    lines.size() + secants.size());
    for (const Walk& walk : walks) total += walk.bytes();
    return total;
  }
};

Explainer::Scratch& Explainer::own_scratch() {
  static thread_local Scratch scratch;
  if (scratch.bytes() > kKeptBytes) scratch = Scratch();
  return scratch;
}

Explainer::Explainer(const AttributionKernels& kernels, const Description& d)
    : kernels_(kernels),
      cell_(d.cell),
      pool_(d.pool),
      factors_(factor_count(d.cell)),
      vocabulary_(d.vocabulary),
      embedding_size_(d.embedding_size),
      hidden_(d.hidden),
      units_(filled_up(d.hidden, kPanel * kernels.lanes)),
      gates_(gate_count(d.cell) * units_),
      directions_(d.directions),
      width_(d.directions * units_),
      embedding_(d.embedding),
      pooled_((d.pool == (kPoolMax | kPoolSum) ? 2 : 1) * width_),
      output_bias_(d.output_bias, d.output_bias + d.labels) {
  for (size_t i = 0; i < d.layers.size(); ++i) {
    const LayerWeights& weights = d.layers[i];
    const bool first = i < directions_;
    const size_t columns = first ? embedding_size_ : width_;
    Direction direction;
    const auto panels = [&](size_t outputs, size_t depth) {
      return Panels(outputs, depth, kernels_.lanes);
    };
    direction.input = panels(gates_, columns);
    direction.recurrent = panels(gates_, units_);
    direction.recurrent_back = panels(units_, gates_);
    if (!first) direction.input_back = panels(width_, gates_);
    direction.input_bias = Buffer<float>(gates_);
    direction.recurrent_bias = Buffer<float>(gates_);
    for (size_t row = 0; row < gate_count(cell_) * hidden_; ++row) {
      const size_t gate = row / hidden_ * units_ + row % hidden_;
      const bool apart = cell_ == Cell::gru && row >= 2 * hidden_;
      direction.input_bias[gate] =
          weights.input_bias[row] + (apart ? 0.0f : weights.recurrent_bias[row]);
      if (apart) direction.recurrent_bias[gate] = weights.recurrent_bias[row];
      const size_t given = first ? embedding_size_ : directions_ * hidden_;
      for (size_t k = 0; k < given; ++k) {
        const size_t column = first ? k : k / hidden_ * units_ + k % hidden_;
        const float value = weights.input[row * given + k];
        direction.input.put(gate, column, value);
        if (!first) direction.input_back.put(column, gate, value);
      }
      for (size_t k = 0; k < hidden_; ++k) {
        const float value = weights.recurrent[row * hidden_ + k];
        direction.recurrent.put(gate, k, value);
        direction.recurrent_back.put(k, gate, value);
      }
    }
    if (kernels_.fixed_point) {
      direction.scale = std::max(direction.recurrent.least_scale(),
                                 direction.recurrent_back.least_scale());
      direction.recurrent.fix(direction.scale);
      direction.recurrent_back.fix(direction.scale);
    }
    layers_.push_back(std::move(direction));
  }
  if (pool_ == kPoolNone) {
    attention_ = Buffer<float>(width_);
    for (size_t i = 0; i < directions_; ++i)
      std::copy_n(d.attention + i * hidden_, hidden_, attention_.data() + i * units_);
  }
  output_ = Buffer<float>(d.labels * pooled_);
  for (size_t i = 0; i < d.labels * pooled_ / units_; ++i)
    std::copy_n(d.output + i * hidden_, hidden_, output_.data() + i * units_);
}

void Explainer::recur(const Direction& direction, const float* state, float* gates,
                      Scratch& scratch) const {
  kernels_.recur({panels(gates_), units_, direction.recurrent.data(), direction.scale,
                  direction.recurrent_bias.data(), state, gates,
                  scratch.digits.reserve(2 * units_)});
}

std::shared_ptr<const Explainer::Baseline> Explainer::baseline(size_t steps,
                                                               Scratch& scratch) const {
  const std::lock_guard<std::mutex> lock(growing_);
  if (baseline_ && baseline_->steps >= steps) return baseline_;
  const auto longer = std::make_shared<Baseline>();
  for (longer->steps = 64; longer->steps < steps;) longer->steps *= 2;
  Buffer<float> gates(gates_), factors(factors_ * units_);
  for (size_t place = 0; place < directions_; ++place) {
    const Direction& direction = layers_[place];
    kernels_.dense({1, panels(gates_), embedding_size_, direction.input.real.data(),
                    direction.input_bias.data(), 0, embedding_, 0, gates.data(), 0});
    longer->recurrent[place] = Buffer<float>(longer->steps * gates_);
    Buffer<float> hidden(2 * units_), memory(2 * units_);
    for (size_t step = 0; step < longer->steps; ++step) {
      float* recurrent = longer->recurrent[place].data() + step * gates_;
      recur(direction, hidden.data(), recurrent, scratch);
      kernels_.step[static_cast<int>(cell_)]({units_,
                                              {gates.data(), gates.data()},
                                              {recurrent, recurrent},
                                              {memory.data(), memory.data() + units_},
                                              {hidden.data(), hidden.data() + units_},
                                              factors.data()});
    }
  }
  return baseline_ = longer;
}

// Collects the distinct words of the document and copies their embeddings, so that the first layer
// computes the gates of each word only once.
void Explainer::embed(const Document& document, Walk& walk, Scratch& scratch) const {
  std::vector<int32_t>& words = walk.words;
  words.assign(1, 0);
  words.insert(words.end(), document.ids, document.ids + document.length);
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  walk.places.clear();
  for (size_t token = 0; token < document.length; ++token)
    walk.places.push_back(std::lower_bound(words.begin(), words.end(), document.ids[token]) -
                          words.begin());
  float* embedded = scratch.embedded.reserve(words.size() * embedding_size_);
  for (size_t row = 0; row < words.size(); ++row)
    std::copy_n(embedding_ + words[row] * embedding_size_, embedding_size_,
                embedded + row * embedding_size_);
}

const Explainer::Walk& Explainer::walk(const Document& document, Scratch& scratch) const {
  const size_t tokens = document.length;
  const size_t layers = layers_.size() / directions_;
  if (scratch.walks.size() < layers) scratch.walks.resize(layers);
  const std::shared_ptr<const Baseline> unknown = baseline(tokens, scratch);
  const float* still = Scratch::zeros(scratch.still, 2 * width_);
  float* recurrent = scratch.recurrent.reserve(2 * gates_);
  for (size_t layer = 0; layer < layers; ++layer) {
    Walk& walk = scratch.walks[layer];
    walk.tokens = tokens;
    walk.first = layer == 0;
    walk.hidden.reserve(tokens * 2 * width_);
    if (walk.first) embed(document, walk, scratch);
    const size_t rows = walk.first ? walk.words.size() : 2 * tokens;
    const size_t columns = walk.first ? embedding_size_ : width_;
    const float* input =
        walk.first ? scratch.embedded.data() : scratch.walks[layer - 1].hidden.data();
    for (size_t place = 0; place < directions_; ++place) {
      const Direction& direction = layers_[layer * directions_ + place];
      float* gates = walk.gates[place].reserve(rows * gates_);
      float* factors = walk.factors[place].reserve(tokens * factors_ * units_);
      kernels_.dense({rows, panels(gates_), columns, direction.input.real.data(),
                      direction.input_bias.data(), 0, input, columns, gates, gates_});
      float* memory = Scratch::zeros(scratch.memory, 2 * units_);
      const float* before = still;
      for (size_t step = 0; step < tokens; ++step) {
        const size_t token = place == 0 ? step : tokens - 1 - step;
        recur(direction, before, recurrent, scratch);
        if (!walk.first) recur(direction, before + width_, recurrent + gates_, scratch);
        float* hidden = walk.hidden.data() + token * 2 * width_ + place * units_;
        kernels_.step[static_cast<int>(cell_)](
            {units_,
             {gates + walk.text_row(token) * gates_, gates + walk.baseline_row(token) * gates_},
             {recurrent, walk.first ? unknown->recurrent[place].data() + step * gates_
                                    : recurrent + gates_},
             {memory, memory + units_},
             {hidden, hidden + width_},
             factors + token * factors_ * units_});
        before = hidden;
      }
    }
  }
  return scratch.walks[layers - 1];
}

// The backward pass of one direction of a layer. From the multipliers (tokens, width) of the
// layer's states it computes the multipliers of the layer below and adds them to `below`. In the
// first layer it computes contributions instead and adds them to `contributions`.
void Explainer::walk_back(const Direction& direction, size_t place, Walk& walk,
                          const float* multipliers, float* below, float* contributions,
                          Scratch& scratch) const {
  const size_t tokens = walk.tokens;
  float* gates = walk.gates[place].data();
  float* hidden = Scratch::zeros(scratch.hidden_back, units_);
  float* memory = Scratch::zeros(scratch.memory_back, units_);
  float* of_input = scratch.of_input.reserve(gates_);
  float* of_recurrent = scratch.of_recurrent.reserve(gates_);
  int16_t* digits = scratch.digits.reserve(2 * gates_);
  for (size_t step = 0; step < tokens; ++step) {
    const size_t token = place == 0 ? tokens - 1 - step : step;
    kernels_.step_back[static_cast<int>(cell_)](
        {units_, walk.factors[place].data() + token * factors_ * units_,
         multipliers + token * width_ + place * units_, hidden, memory, of_input, of_recurrent});
    const float* passed = cell_ == Cell::gru ? of_recurrent : of_input;
    kernels_.recur({panels(units_), gates_, direction.recurrent_back.data(), direction.scale,
                    hidden, passed, hidden, digits});
    float* text = gates + walk.text_row(token) * gates_;
    if (walk.first)
      contributions[token] +=
          kernels_.weigh(of_input, text, gates + walk.baseline_row(token) * gates_, gates_);
    else
      std::copy_n(of_input, gates_, text);
  }
  if (!walk.first)
    kernels_.dense({tokens, panels(width_), gates_, direction.input_back.real.data(), below, width_,
                    gates, 2 * gates_, below, width_});
}

// `pooled` is (2, pooled): text, then baseline. `multipliers` is (tokens, width).
void Explainer::pool(const Walk& top, const float* weights, float* pooled, float* multipliers,
                     Scratch& scratch) const {
  const size_t tokens = top.tokens;
  const auto state = [&](size_t token, size_t row) {
    return top.hidden.data() + (token * 2 + row) * width_;
  };
  if (pool_ & kPoolLast)
    for (size_t place = 0; place < directions_; ++place) {
      const size_t token = place == 0 ? tokens - 1 : 0;
      for (size_t row = 0; row < 2; ++row)
        std::copy_n(state(token, row) + place * units_, units_,
                    pooled + row * pooled_ + place * units_);
      std::copy_n(weights + place * units_, units_, multipliers + token * width_ + place * units_);
    }
  if (pool_ & kPoolMax) {
    const size_t lanes = static_cast<size_t>(kernels_.lanes);
    float* lines = scratch.lines.reserve(tokens * 2 * lanes);
    for (size_t unit = 0; unit < width_; unit += lanes)
      kernels_.envelope({tokens, state(0, 0) + unit, width_, weights + unit, lines,
                         {pooled + unit, pooled + pooled_ + unit}, multipliers + unit});
  }
  if (pool_ & kPoolSum) {
    const size_t part = pooled_ - width_;
    const float share = 1.0f / static_cast<float>(tokens);
    for (size_t token = 0; token < tokens; ++token)
      for (size_t unit = 0; unit < width_; ++unit) {
        multipliers[token * width_ + unit] += weights[part + unit] * share;
        for (size_t row = 0; row < 2; ++row)
          pooled[row * pooled_ + part + unit] += state(token, row)[unit] * share;
      }
  }
}

void Explainer::attend(const Walk& top, const float* weights, float* pooled, float* multipliers,
                       Scratch& scratch) const {
  const size_t tokens = top.tokens;
  std::vector<double> shares[2] = {std::vector<double>(tokens), std::vector<double>(tokens)};
  std::vector<double> logs[2] = {std::vector<double>(tokens), std::vector<double>(tokens)};
  std::vector<double> of_share(tokens), between(tokens);
  float* squashed = scratch.squashed.reserve(2 * width_);
  float* secants = scratch.secants.reserve(tokens * width_);
  for (size_t token = 0; token < tokens; ++token) {
    const float* text = top.hidden.data() + token * 2 * width_;
    kernels_.squash(text, text + width_, width_, squashed, squashed + width_,
                    secants + token * width_);
    double scores[2] = {}, values = 0.0;
    for (size_t unit = 0; unit < width_; ++unit) {
      scores[0] += attention_.data()[unit] * squashed[unit];
      scores[1] += attention_.data()[unit] * squashed[width_ + unit];
      values += 0.5 * weights[unit] * (text[unit] + text[width_ + unit]);
    }
    logs[0][token] = scores[0];
    logs[1][token] = scores[1];
    of_share[token] = values;
  }
  for (size_t row = 0; row < 2; ++row) {
    const double highest = *std::max_element(logs[row].begin(), logs[row].end());
    double sum = 0.0;
    for (const double score : logs[row]) sum += std::exp(score - highest);
    for (size_t token = 0; token < tokens; ++token) {
      logs[row][token] -= highest + std::log(sum);
      shares[row][token] = std::exp(logs[row][token]);
    }
  }
  double total = 0.0, weighted = 0.0;
  for (size_t token = 0; token < tokens; ++token) {
    const double d = logs[0][token] - logs[1][token];
    const double p = shares[0][token], p0 = shares[1][token];
    between[token] = std::fabs(d) < 1e-3 ? std::sqrt(p * p0) * (1.0 + d * d / 24.0) : (p - p0) / d;
    total += between[token];
    weighted += between[token] * of_share[token];
  }
  for (size_t token = 0; token < tokens; ++token) {
    const float of_score =
        static_cast<float>(between[token] * (of_share[token] - weighted / total));
    const float share = static_cast<float>(0.5 * (shares[0][token] + shares[1][token]));
    const float* text = top.hidden.data() + token * 2 * width_;
    for (size_t unit = 0; unit < width_; ++unit) {
      multipliers[token * width_ + unit] =
          share * weights[unit] +
          of_score * attention_.data()[unit] * secants[token * width_ + unit];
      for (size_t row = 0; row < 2; ++row)
        pooled[row * pooled_ + unit] +=
            static_cast<float>(shares[row][token]) * text[row * width_ + unit];
    }
  }
}

Contributions Explainer::attribute(const Document& document, size_t label,
                                   float* contributions) const {
  Scratch& scratch = own_scratch();
  const Walk& top = walk(document, scratch);
  const float* weights = output_.data() + label * pooled_;
  float* pooled = Scratch::zeros(scratch.pooled, 2 * pooled_);
  Scratch::zeros(scratch.multipliers, document.length * width_);
  if (pool_ == kPoolNone)
    attend(top, weights, pooled, scratch.multipliers.data(), scratch);
  else
    pool(top, weights, pooled, scratch.multipliers.data(), scratch);
  std::fill_n(contributions, document.length, 0.0f);
  for (size_t layer = layers_.size() / directions_; layer-- > 0;) {
    if (layer > 0) Scratch::zeros(scratch.below, document.length * width_);
    for (size_t place = 0; place < directions_; ++place)
      walk_back(layers_[layer * directions_ + place], place, scratch.walks[layer],
                scratch.multipliers.data(), scratch.below.data(), contributions, scratch);
    if (layer > 0) std::swap(scratch.multipliers, scratch.below);
  }
  double logits[2] = {output_bias_[label], output_bias_[label]};
  for (size_t row = 0; row < 2; ++row)
    for (size_t i = 0; i < pooled_; ++i)
      logits[row] += static_cast<double>(weights[i]) * pooled[row * pooled_ + i];
  return {static_cast<float>(logits[0]), static_cast<float>(logits[1])};
}

void Explainer::activations(const Document& document, float* states) const {
  const float* hidden = walk(document, own_scratch()).hidden.data();
  for (size_t token = 0; token < document.length; ++token)
    for (size_t place = 0; place < directions_; ++place)
      std::copy_n(hidden + token * 2 * width_ + place * units_, hidden_,
                  states + (token * directions_ + place) * hidden_);
}

}  // namespace valence
