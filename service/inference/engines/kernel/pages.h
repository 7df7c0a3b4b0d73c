// The memory of a gate table. It is not zeroed, and lies on huge pages: rows are read at random, and
// with small pages they would miss the translation cache.
//
// A service that loads one version after the other frees one table and fills another. A system hands
// out memory page by page, and stops the whole core while it finds one. So a few blocks that are freed
// stay here for the next tables. The system may take them back at any moment (MADV_FREE).
#pragma once

#include <cstddef>
#include <utility>

namespace valence {

class Pages {
 public:
  Pages() = default;
  explicit Pages(size_t bytes);
  Pages(Pages&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Pages& operator=(Pages&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~Pages();

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace valence
