// A table from words of letters a to z, and from numbers, to their ids.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace valence {

class WordTable {
 public:
  // Longer words are not in the table: they are rare.
  static constexpr size_t kMaxLetters = 24;
  static constexpr int32_t kNone = -1;

  explicit WordTable(size_t words) {
    size_t places = 16;
    while (places < 2 * words) places *= 2;
    entries_.resize(places);
  }

  static uint32_t hash(const char* word, size_t length) {
    uint32_t code = kStart;
    for (size_t i = 0; i < length; ++i) code = mix(code, word[i]);
    return code;
  }
  static uint32_t mix(uint32_t code, char letter) {
    return (code ^ static_cast<unsigned char>(letter)) * kPrime;
  }
  static constexpr uint32_t kStart = 2166136261u;

  // The caller adds at most as many words as it has announced, each once.
  void add(const char* word, size_t length, int32_t id) {
    const uint32_t code = hash(word, length);
    size_t place = first_place(code);
    while (entries_[place].id != kNone) place = next_place(place);
    entries_[place] = {code, static_cast<uint32_t>(letters_.size()),
                       static_cast<uint32_t>(length), id};
    letters_.append(word, length);
  }

  // The id of a word whose `code` is its hash, or kNone.
  int32_t find(const char* word, size_t length, uint32_t code) const {
    for (size_t place = first_place(code); entries_[place].id != kNone;
         place = next_place(place)) {
      const Entry& entry = entries_[place];
      if (entry.code == code && entry.length == length &&
          std::memcmp(letters_.data() + entry.start, word, length) == 0)
        return entry.id;
    }
    return kNone;
  }

 private:
  struct Entry {
    uint32_t code = 0;
    uint32_t start = 0;
    uint32_t length = 0;
    int32_t id = kNone;
  };
  static constexpr uint32_t kPrime = 16777619u;

  // The high bits of the product are mixed best.
  size_t first_place(uint32_t code) const { return (code ^ code >> 15) & (entries_.size() - 1); }
  size_t next_place(size_t place) const { return (place + 1) & (entries_.size() - 1); }

  std::vector<Entry> entries_;  // at most half is taken, so that a search ends soon
  std::string letters_;
};

}  // namespace valence
