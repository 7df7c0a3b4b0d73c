#include "network.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <iterator>
#include <limits>
#include <mutex>
#include <system_error>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace valence {
namespace {

// Documents are run in chunks of at most this many tokens. A longer document is a chunk of its own.
// So the chunk or the longest document bounds the scratch memory.
constexpr size_t kChunkTokens = 2048;
// A thread keeps at most this much scratch memory after a call; more is freed.
constexpr size_t kKeptBytes = size_t{16} << 20;
// A thread folds words for about so many gates at a time: some tenths of a millisecond.
constexpr size_t kFoldedNumbers = size_t{1} << 16;
constexpr std::chrono::seconds kSpareTime{1};
// Linux owes a thread that changes its class to SCHED_IDLE the time that it waited for before. Until
// the thread has had that time, only the tick takes the processor from it. So the thread pauses.
constexpr std::chrono::steady_clock::duration kLongestPause = std::chrono::milliseconds{2};

// Leaves the processor to any other thread that wants it.
void leave_processor() {
#if defined(__linux__)
  const sched_param none = {};
  sched_setscheduler(0, SCHED_IDLE, &none);
#endif
}

}  // namespace

// The working memory of a thread, reused from call to call.
struct Network::Scratch {
  Buffer<std::byte> state;
  Buffer<std::byte> next_state;
  Buffer<float> memory;
  std::vector<int32_t> rare;       // the words of the chunk that the table leaves out, each once
  Buffer<float> embedded;          // (rare words, embedding)
  Buffer<std::byte> gates;         // (rare words, gates); second layer and later: (tokens, gates)
  Buffer<std::byte> sequence;      // (tokens, directions, state): input of a layer
  Buffer<std::byte> next_sequence; // output of the layer, same shape
  Buffer<float> pooled;            // (documents, pooled)
  Buffer<float> scores;            // (tokens)
  std::vector<Document> documents; // the non-empty documents, longest first
  std::vector<size_t> order;       // index of each of them in the caller's list

  size_t bytes() const {
    return state.size() + next_state.size() + gates.size() + sequence.size() +
           next_sequence.size() +
           4 * (memory.size() + pooled.size() + scores.size() + rare.capacity() + embedded.size());
  }
};

// Documents laid end to end on the slots that advance together. When a document ends, the next one
// takes its row, so rows stay full. The fullest slot comes first, so the rows in use at any step
// are always the first ones.
struct Network::Slots {
  struct Slot {
    size_t load = 0;
    std::vector<uint32_t> documents;
    // position of the next token: index of the document in this slot, and offset in the document
    size_t turn = 0;
    size_t position = 0;

    uint32_t document() const { return documents[turn]; }
    void advance(size_t length) {
      if (++position < length) return;
      position = 0;
      ++turn;
    }
  };
  std::vector<Slot> slots;
  std::vector<size_t> starts;  // offset of the first token of each document in the chunk

  Slots(const Document* documents, size_t count, size_t most) : slots(std::min(count, most)) {
    starts.reserve(count);
    size_t tokens = 0;
    for (size_t i = 0; i < count; ++i) {
      auto slot = std::min_element(slots.begin(), slots.end(),
                                   [](const Slot& a, const Slot& b) { return a.load < b.load; });
      slot->documents.push_back(static_cast<uint32_t>(i));
      slot->load += documents[i].length;
      starts.push_back(tokens);
      tokens += documents[i].length;
    }
    std::sort(slots.begin(), slots.end(),
              [](const Slot& a, const Slot& b) { return a.load > b.load; });
  }

  void rewind() {
    for (Slot& slot : slots) slot.turn = slot.position = 0;
  }
};

Network::Network(const Path& path, const Description& d, bool spare)
    : path_(path),
      cell_(d.cell),
      pool_(d.pool),
      gates_(gate_count(d.cell)),
      vocabulary_(d.vocabulary),
      embedding_size_(d.embedding_size),
      embedding_(d.embedding),
      hidden_(d.hidden),
      directions_(d.directions),
      labels_(d.labels),
      blocks_(round_up(d.hidden, path.lanes) / path.lanes),
      units_(blocks_ * path.lanes),
      state_(round_up(units_, path.tile)),
      folded_(std::min(vocabulary_, d.most_table_bytes / (directions_ * gate_bytes()))),
      part_(directions_ * (pool_ == kPoolNone ? state_ : units_)),
      pooled_(part_ * (pool_ == (kPoolMax | kPoolSum) ? 2 : 1)),
      output_bias_(d.output_bias, d.output_bias + d.labels) {
  const Columns one = {1, hidden_, state_};
  const Columns words = {1, embedding_size_, embedding_size_};
  const Columns all = {directions_, hidden_, state_};
  for (size_t i = 0; i < d.layers.size(); ++i) {
    const LayerWeights& weights = d.layers[i];
    Layer layer;
    layer.recurrent = pack(cell_, hidden_, weights.recurrent, one, path.lanes, path.pair,
                           path.tile, path.format);
    layer.bias = pack_bias(cell_, hidden_, weights.input_bias, weights.recurrent_bias, path.lanes);
    layer.hidden_bias = pack_hidden_bias(cell_, hidden_, weights.recurrent_bias, path.lanes);
    if (i < directions_) {
      layer.input = pack(cell_, hidden_, weights.input, words, path.lanes, 1, 1, Format::fp32);
      fold(layer, spare);
      if (folded_ == vocabulary_) layer.input = Packed();
    } else {
      layer.input = pack(cell_, hidden_, weights.input, all, path.lanes, path.pair, path.tile,
                         path.format);
    }
    layers_.push_back(std::move(layer));
  }
  const size_t width = part_ / directions_;
  if (pool_ == kPoolNone) {
    attention_ = Buffer<float>(part_);
    for (size_t direction = 0; direction < directions_; ++direction)
      std::copy_n(d.attention + direction * hidden_, hidden_,
                  attention_.data() + direction * width);
  }
  output_ = Buffer<float>(labels_ * pooled_);
  const size_t vectors = pooled_ / width;
  for (size_t i = 0; i < labels_ * vectors; ++i)
    std::copy_n(d.output + i * hidden_, hidden_, output_.data() + i * width);
}

// table[word] = weights x embedding[word] + biases. The start of the service waits for this, so it
// may use a few threads. Each takes some rows at a time.
void Network::fold(Layer& layer, bool spare) const {
  layer.table = Pages(folded_ * gate_bytes());
  const size_t work = folded_ * gates_ * hidden_ * embedding_size_;
  const size_t threads = std::clamp<size_t>(
      work >> 26, 1, std::clamp<size_t>(std::thread::hardware_concurrency(), 1, 4));
  const size_t share = std::max<size_t>(kFoldedNumbers / (gates_ * units_), 1);
  std::atomic<size_t> next{0};
  const auto rows = [&] {
    for (size_t first; (first = next.fetch_add(share)) < folded_;) {
      const auto begun = std::chrono::steady_clock::now();
      path_.fold[static_cast<int>(cell_)](
          {std::min(share, folded_ - first), blocks_, embedding_size_, layer.input.weights.data(),
           nullptr, layer.bias.data(), embedding_ + first * embedding_size_, embedding_size_,
           layer.table.data() + first * gate_bytes()});
      if (spare)
        std::this_thread::sleep_for(
            std::min(std::chrono::steady_clock::now() - begun, kLongestPause));
    }
  };
  std::mutex mutex;
  std::condition_variable ended;
  size_t finished = 0;
  std::vector<std::thread> others;
  for (size_t i = spare ? 0 : 1; i < threads; ++i) {
    try {
      others.emplace_back([&] {
        if (spare) leave_processor();
        rows();
        const std::lock_guard<std::mutex> lock(mutex);
        ++finished;
        ended.notify_one();
      });
    } catch (const std::system_error&) {  // the system allows no more threads
      break;
    }
  }
  if (spare) {
    // On a busy processor no time is left. Then this thread, whose priority is higher, helps.
    std::unique_lock<std::mutex> lock(mutex);
    ended.wait_for(lock, kSpareTime, [&] { return finished == others.size(); });
  }
  rows();
  for (std::thread& other : others) other.join();
}

// Collects the words of a chunk that the table leaves out, each once, with their embeddings.
void Network::gather(const Document* documents, size_t count, Scratch& scratch) const {
  std::vector<int32_t>& rare = scratch.rare;
  rare.clear();
  if (folded_ == vocabulary_) return;
  for (size_t i = 0; i < count; ++i)
    std::copy_if(documents[i].ids, documents[i].ids + documents[i].length,
                 std::back_inserter(rare),
                 [&](int32_t word) { return static_cast<size_t>(word) >= folded_; });
  if (rare.empty()) return;
  std::sort(rare.begin(), rare.end());
  rare.erase(std::unique(rare.begin(), rare.end()), rare.end());
  float* row = scratch.embedded.reserve(rare.size() * embedding_size_);
  for (const int32_t word : rare)
    row = std::copy_n(embedding_ + word * embedding_size_, embedding_size_, row);
}

// The gates of a word in the first layer, from its table or from those of rare words.
const std::byte* Network::gates(const Layer& layer, int32_t word, const Scratch& scratch) const {
  if (static_cast<size_t>(word) < folded_) return layer.table.data() + word * gate_bytes();
  const auto place = std::lower_bound(scratch.rare.begin(), scratch.rare.end(), word);
  return scratch.gates.data() + (place - scratch.rare.begin()) * gate_bytes();
}

size_t Network::table_bytes() const {
  size_t bytes = 0;
  for (const Layer& layer : layers_) bytes += layer.table.size();
  return bytes;
}

void Network::logits(const std::vector<Document>& documents, float* result) const {
  static thread_local Scratch scratch;
  std::vector<size_t>& order = scratch.order;
  order.clear();
  for (size_t i = 0; i < documents.size(); ++i) {
    std::copy_n(output_bias_.data(), labels_, result + i * labels_);
    if (documents[i].length > 0) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return documents[a].length > documents[b].length;
  });
  scratch.documents.clear();
  for (const size_t i : order) scratch.documents.push_back(documents[i]);

  for (size_t first = 0; first < order.size();) {
    size_t end = first;
    for (size_t tokens = 0; end < order.size(); ++end) {
      tokens += scratch.documents[end].length;
      if (tokens > kChunkTokens && end > first) break;
    }
    float* pooled = scratch.pooled.reserve((end - first) * pooled_);
    run(scratch.documents.data() + first, end - first, pooled, scratch);
    for (size_t i = first; i < end; ++i)
      for (size_t label = 0; label < labels_; ++label)
        result[order[i] * labels_ + label] += path_.dot(
            pooled + (i - first) * pooled_, output_.data() + label * pooled_, pooled_);
    first = end;
  }
  if (scratch.bytes() > kKeptBytes) scratch = Scratch();
}

void Network::run(const Document* documents, size_t count, float* pooled, Scratch& scratch) const {
  Slots slots(documents, count, path_.slots);
  const size_t tokens = slots.starts.back() + documents[count - 1].length;
  const size_t last = layers_.size() / directions_ - 1;
  gather(documents, count, scratch);
  const size_t rare = scratch.rare.size();
  for (size_t layer = 0; layer <= last; ++layer) {
    const bool keep = layer < last || pool_ == kPoolNone;
    if (keep)
      scratch.next_sequence.reserve(round_up(tokens, path_.spare_rows) * sequence_bytes());
    for (size_t direction = 0; direction < directions_; ++direction) {
      const Layer& part = layers_[layer * directions_ + direction];
      if (layer == 0 && rare > 0)
        path_.fold[static_cast<int>(cell_)](
            {rare, blocks_, embedding_size_, part.input.weights.data(), nullptr, part.bias.data(),
             scratch.embedded.data(), embedding_size_, scratch.gates.reserve(rare * gate_bytes())});
      if (layer > 0)
        path_.product[static_cast<int>(cell_)](
            {tokens, blocks_, directions_ * state_ / path_.pair, part.input.weights.data(),
             part.input.scales.data(), part.bias.data(), scratch.sequence.data(),
             directions_ * state_,
             scratch.gates.reserve(tokens * gate_bytes())});
      slots.rewind();
      recur(part, direction, documents, slots, layer == 0, keep, layer == last ? pooled : nullptr,
            scratch);
    }
    std::swap(scratch.sequence, scratch.next_sequence);
  }
  for (size_t i = 0; i < count; ++i) {
    float* vector = pooled + i * pooled_;
    if (pool_ == kPoolNone)
      path_.attend({documents[i].length, part_,
                    scratch.sequence.data() + slots.starts[i] * sequence_bytes(),
                    attention_.data(), scratch.scores.reserve(documents[i].length), vector});
    if (pool_ & kPoolSum) {
      float* sum = vector + pooled_ - part_;
      const float share = 1.0f / static_cast<float>(documents[i].length);
      for (size_t unit = 0; unit < part_; ++unit) sum[unit] *= share;
    }
  }
}

// Runs one layer and direction over a whole chunk.
void Network::recur(const Layer& layer, size_t direction, const Document* documents, Slots& slots,
                    bool first, bool keep, float* pooled, Scratch& scratch) const {
  const size_t rows = slots.slots.size();
  const size_t state_bytes = state_ * element();
  const size_t allocated = round_up(rows, path_.spare_rows);
  scratch.state.reserve(allocated * state_bytes);
  scratch.next_state.reserve(allocated * state_bytes);
  // A buffer may hold rows of another model, and the padding of a row to whole tiles must be zero.
  std::memset(scratch.state.data(), 0, rows * state_bytes);
  std::memset(scratch.next_state.data(), 0, rows * state_bytes);
  scratch.memory.reserve(rows * units_);

  // The current token of a slot, in the reading order of this direction, and the gates of this
  // token.
  const auto token = [&](const Slots::Slot& slot) {
    const uint32_t document = slot.document();
    const size_t last = documents[document].length - 1;
    return slots.starts[document] + (direction == 0 ? slot.position : last - slot.position);
  };
  const auto token_gates = [&](const Slots::Slot& slot) -> const std::byte* {
    const uint32_t document = slot.document();
    const size_t at = token(slot);
    return first ? gates(layer, documents[document].ids[at - slots.starts[document]], scratch)
                 : scratch.gates.data() + at * gate_bytes();
  };
  std::vector<const void*> inputs(rows);
  std::vector<const void*> upcoming(rows);
  std::vector<std::byte*> kept(rows);
  // Without pooling, a row still needs a valid address.
  std::vector<float*> running(rows, scratch.memory.data());
  for (size_t row = 0; row < rows; ++row) upcoming[row] = token_gates(slots.slots[row]);

  const unsigned pool = pooled == nullptr ? unsigned{kPoolNone} : pool_;
  const size_t steps = slots.slots.front().load;
  size_t active = rows;
  for (size_t step = 0; step < steps; ++step) {
    while (slots.slots[active - 1].load <= step) --active;
    bool fresh = true;
    for (size_t row = 0; row < active; ++row) {
      Slots::Slot& slot = slots.slots[row];
      const uint32_t document = slot.document();
      fresh = fresh && slot.position == 0;
      if (slot.position == 0) {
        std::memset(scratch.state.data() + row * state_bytes, 0, state_bytes);
        std::fill_n(scratch.memory.data() + row * units_, units_, 0.0f);
        if (pool != kPoolNone) {
          running[row] = pooled + document * pooled_ + direction * units_;
          if (pool & kPoolMax)
            std::fill_n(running[row], units_, -std::numeric_limits<float>::infinity());
          if (pool & kPoolSum) std::fill_n(running[row] + pooled_ - part_, units_, 0.0f);
        }
      }
      inputs[row] = upcoming[row];
      if (keep)
        kept[row] = scratch.next_sequence.data() + token(slot) * sequence_bytes() +
                    direction * state_bytes;
      slot.advance(documents[document].length);
      if (step + 1 < slot.load) upcoming[row] = token_gates(slot);
    }
    path_.step[static_cast<int>(cell_)](
        {active, blocks_, state_ / path_.pair, fresh, step % 2 == 1, layer.recurrent.weights.data(),
         layer.recurrent.scales.data(), layer.hidden_bias.data(),
         inputs.data(), upcoming.data(), scratch.state.data(), scratch.next_state.data(), state_,
         scratch.memory.data(), running.data(), pooled_ - part_, pool});
    if (keep)
      for (size_t row = 0; row < active; ++row)
        std::memcpy(kept[row], scratch.next_state.data() + row * state_bytes, state_bytes);
    std::swap(scratch.state, scratch.next_state);
  }
}

}  // namespace valence
