// Every dispatch path against the portable one over random shapes, without Python, so that the
// kernel can run under sanitizers and emulated processors. `make sanitize` and `make kernel-arm`
// build and run it; see paths.sh.
//
//   paths_agree [ROUNDS]                every path against the portable one
//   paths_agree ROUNDS write FILE       and the numbers of the portable path go into FILE
//   paths_agree ROUNDS compare FILE     every path against the numbers in FILE: those of another
//                                       processor, whose portable path is compiled for other
//                                       instructions
//
// The numbers a path must reach against torch are in test_native.py; here the question is whether
// any shape makes it read or write where it must not, or compute what C++ leaves undefined.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "explain.h"
#include "network.h"
#include "paths.h"

using namespace valence;

namespace {

using Random = std::mt19937;

// Exactly as large as asked: one read beyond it is one that the sanitizer sees.
std::vector<float> uniform(Random& random, size_t count, float bound) {
  std::uniform_real_distribution<float> values(-bound, bound);
  std::vector<float> result(count);
  for (float& value : result) value = values(random);
  return result;
}

size_t between(Random& random, size_t low, size_t high) {
  return std::uniform_int_distribution<size_t>(low, high)(random);
}

struct Model {
  Description description = {};
  std::vector<std::vector<float>> tensors;

  const float* tensor(Random& random, size_t count, float bound) {
    tensors.push_back(uniform(random, count, bound));
    return tensors.back().data();
  }

  Model(Random& random, Cell cell, unsigned pool) {
    Description& d = description;
    d.cell = cell;
    d.pool = pool;
    d.vocabulary = between(random, 1, 40);
    d.embedding_size = between(random, 1, 20);
    d.hidden = between(random, 1, 70);
    d.directions = between(random, 1, 2);
    d.labels = between(random, 2, 5);
    const size_t depth = between(random, 1, 3);
    const size_t rows = gate_count(cell) * d.hidden;
    const size_t width = d.directions * d.hidden;
    const float bound = 1.0f / std::sqrt(static_cast<float>(d.hidden));
    d.embedding = tensor(random, d.vocabulary * d.embedding_size, 1.0f);
    for (size_t layer = 0; layer < depth; ++layer)
      for (size_t direction = 0; direction < d.directions; ++direction) {
        const size_t columns = layer == 0 ? d.embedding_size : width;
        d.layers.push_back({tensor(random, rows * columns, bound),
                            tensor(random, rows * d.hidden, bound), tensor(random, rows, bound),
                            tensor(random, rows, bound)});
      }
    d.attention = pool == kPoolNone ? tensor(random, width, 1.0f) : nullptr;
    d.output = tensor(random, d.labels * width * (pool == (kPoolMax | kPoolSum) ? 2 : 1), bound);
    d.output_bias = tensor(random, d.labels, 1.0f);
    // no words, some or all of them in the table
    d.most_table_bytes = between(random, 0, 2) * 20 * rows * d.directions * sizeof(float);
  }
};

struct Batch {
  std::vector<std::vector<int32_t>> ids;
  std::vector<Document> documents;

  Batch(Random& random, size_t vocabulary) : ids(between(random, 1, 60)) {
    for (std::vector<int32_t>& document : ids) {
      const size_t kind = between(random, 0, 9);
      document.resize(kind == 0 ? 0 : kind == 1 ? 1 : kind == 2 ? between(random, 1, 400)
                                                                 : between(random, 1, 30));
      for (int32_t& id : document) id = static_cast<int32_t>(between(random, 0, vocabulary - 1));
      documents.push_back({document.data(), document.size()});
    }
  }
};

// The numbers of another processor, in the order in which they are computed.
class Record {
 public:
  Record(const char* mode, const char* path)
      : writes_(mode != nullptr && std::strcmp(mode, "write") == 0),
        file_(mode == nullptr ? nullptr : std::fopen(path, writes_ ? "wb" : "rb")) {
    if (mode != nullptr && file_ == nullptr) {
      std::printf("%s cannot be opened\n", path);
      std::exit(1);
    }
  }
  ~Record() {
    if (file_ != nullptr) std::fclose(file_);
  }
  // Writes the numbers, or replaces them by those of the file; a file that is too short ends the
  // program.
  void exchange(std::vector<float>& numbers) {
    if (file_ == nullptr || numbers.empty()) return;
    const size_t done = writes_
                            ? std::fwrite(numbers.data(), sizeof(float), numbers.size(), file_)
                            : std::fread(numbers.data(), sizeof(float), numbers.size(), file_);
    if (done == numbers.size()) return;
    std::printf("the file of numbers is too short\n");
    std::exit(1);
  }

 private:
  bool writes_;
  std::FILE* file_;
};

// Attributions of every path beside the portable one's, two threads at once. Of shapes drawn at
// random a maximum may be shared by tokens, so the sum of contributions is held to what it is for.
size_t explained(const Model& model, const Batch& batch, unsigned seed, Record& record) {
  const Description& description = model.description;
  size_t compared = 0;
  for (const AttributionPath& path : attribution_paths()) {
    const Explainer explainer(*path.kernels, description);
    for (const Document& document : batch.documents) {
      if (document.length == 0 || document.length > 60) continue;
      const size_t label = document.length % description.labels;
      std::vector<float> first(document.length), second(document.length);
      std::vector<float> states(document.length * description.directions * description.hidden);
      Contributions found = {}, again = {};
      std::thread other([&] {
        again = explainer.attribute(document, label, second.data());
      });
      found = explainer.attribute(document, label, first.data());
      explainer.activations(document, states.data());
      other.join();
      double sum = 0.0;
      for (const float contribution : first) sum += contribution;
      std::vector<float> logits(description.labels);
      Network(kPortable, description).logits({document}, logits.data());
      // once for each document: the list of paths differs from processor to processor
      if (path.kernels == &kPortableAttribution) record.exchange(logits);
      if (first != second || found.logit != again.logit ||
          !(std::fabs(found.logit - logits[label]) <= 1e-3f) ||
          !(std::fabs(sum - (found.logit - found.baseline_logit)) <= 1e-2)) {
        std::printf("%s: seed %u, %zu tokens add %g to %g, not %g\n", path.name, seed,
                    document.length, sum, found.baseline_logit, logits[label]);
        return 0;
      }
      compared += document.length;
    }
  }
  return compared;
}

}  // namespace

int main(int count, char** arguments) {
  const int rounds = count > 1 ? std::atoi(arguments[1]) : 8;
  Record record(count > 3 ? arguments[2] : nullptr, count > 3 ? arguments[3] : nullptr);
  const std::vector<const Path*> paths = available_paths();
  size_t compared = 0, tokens = 0;
  for (int round = 0; round < rounds; ++round)
    for (const Cell cell : {Cell::lstm, Cell::gru, Cell::rnn})
      for (const unsigned pool :
           {unsigned{kPoolNone}, unsigned{kPoolLast}, unsigned{kPoolMax}, unsigned{kPoolSum},
            kPoolMax | kPoolSum}) {
        const unsigned seed = static_cast<unsigned>(round * 100 + static_cast<int>(cell) * 10) + pool;
        Random random(seed);
        const Model model(random, cell, pool);
        const Batch batch(random, model.description.vocabulary);
        const size_t numbers = batch.documents.size() * model.description.labels;
        std::vector<float> expected(numbers);
        Network(kPortable, model.description).logits(batch.documents, expected.data());
        record.exchange(expected);
        for (const Path* path : paths) {
          const Network network(*path, model.description);
          std::vector<float> first(numbers), second(numbers);
          std::thread other([&] { network.logits(batch.documents, second.data()); });
          network.logits(batch.documents, first.data());
          other.join();
          const float limit = path->format == Format::fp32 ? 1e-4f : 0.1f;
          for (size_t i = 0; i < numbers; ++i)
            if (!(std::fabs(first[i] - expected[i]) <= limit) || first[i] != second[i]) {
              std::printf("%s differs: seed %u, logit %zu: %g and %g, not %g\n",
                          path->name, seed, i, first[i], second[i], expected[i]);
              return 1;
            }
          compared += numbers;
        }
        if (round > 0) continue;
        const size_t agreed = explained(model, batch, seed, record);
        if (agreed == 0) return 1;
        tokens += agreed;
      }
  for (const Path* path : paths) path->spin(10);
  std::printf("%zu logits of", compared);
  for (const Path* path : paths) std::printf(" %s", path->name);
  std::printf(" agree, contributions of %zu tokens sum to their logits\n", tokens);
  return compared > 0 ? 0 : 1;
}
