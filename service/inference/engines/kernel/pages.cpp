#include "pages.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace valence {
namespace {

constexpr size_t kHuge = size_t{1} << 21;
// A kernel reads whole vectors, the last one beyond the end.
constexpr size_t kSpareBytes = 64;
// The tables of both directions of two versions.
constexpr size_t kMostBlocks = 4;

struct Block {
  void* data;
  size_t capacity;
};

// Never destroyed: a thread may free a table while the process ends.
struct Kept {
  std::mutex mutex;
  std::vector<Block> blocks;
};

Kept& kept() {
  static Kept* all = new Kept();
  return *all;
}

// Takes a block of which at most half would be idle.
Block take(size_t bytes) {
  Kept& all = kept();
  const std::lock_guard<std::mutex> lock(all.mutex);
  for (size_t i = 0; i < all.blocks.size(); ++i) {
    const Block block = all.blocks[i];
    if (block.capacity < bytes || block.capacity / 2 > bytes) continue;
    all.blocks.erase(all.blocks.begin() + static_cast<ptrdiff_t>(i));
    return block;
  }
  return {nullptr, 0};
}

// Keeps a block that the system may take back; says whether it does.
bool keep(Block block) {
#if defined(MADV_FREE)
  if (block.capacity < 2 * kHuge) return false;
  Kept& all = kept();
  const std::lock_guard<std::mutex> lock(all.mutex);
  if (all.blocks.size() == kMostBlocks || madvise(block.data, block.capacity, MADV_FREE) != 0)
    return false;
  all.blocks.push_back(block);
  return true;
#else
  return false;
#endif
}

}  // namespace

Pages::Pages(size_t bytes) : size_(bytes) {
  if (bytes > SIZE_MAX - 2 * kHuge) throw std::bad_alloc();
  const size_t wanted = bytes + kSpareBytes;
  const size_t alignment = wanted >= 2 * kHuge ? kHuge : 64;
  capacity_ = (wanted + alignment - 1) / alignment * alignment;
  const Block block = take(capacity_);
  if (block.data != nullptr) {
    data_ = static_cast<std::byte*>(block.data);
    capacity_ = block.capacity;
  } else {
    void* fresh = nullptr;
    if (posix_memalign(&fresh, alignment, capacity_) != 0) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
    if (alignment == kHuge) madvise(fresh, capacity_, MADV_HUGEPAGE);
#endif
    data_ = static_cast<std::byte*>(fresh);
  }
  std::memset(data_ + size_, 0, kSpareBytes);
}

Pages::~Pages() {
  if (data_ != nullptr && !keep({data_, capacity_})) std::free(data_);
}

}  // namespace valence
