// Zeroed memory, aligned for vector loads. Large buffers ask for huge pages.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace valence {

template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t count) : count_(count) {
    constexpr size_t huge = size_t{1} << 21;
    if (count > (SIZE_MAX - huge) / sizeof(T)) throw std::bad_alloc();
    const size_t bytes = count * sizeof(T);
    const size_t alignment = bytes >= 2 * huge ? huge : 64;
    const size_t rounded = (bytes + 63) / 64 * 64 + 64;
    if (posix_memalign(reinterpret_cast<void**>(&data_), alignment, rounded) != 0)
      throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
    if (alignment == huge) madvise(data_, bytes, MADV_HUGEPAGE);
#endif
    std::memset(static_cast<void*>(data_), 0, rounded);
  }
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), count_(std::exchange(other.count_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(count_, other.count_);
    return *this;
  }
  ~Buffer() { std::free(data_); }

  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return count_; }
  T& operator[](size_t index) { return data_[index]; }

  // Makes room for at least `count` elements. New memory is zeroed; reused memory keeps its
  // content.
  T* reserve(size_t count) {
    if (count > count_) *this = Buffer(count);
    return data_;
  }

 private:
  T* data_ = nullptr;
  size_t count_ = 0;
};

}  // namespace valence
