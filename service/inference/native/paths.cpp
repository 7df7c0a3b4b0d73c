#include "paths.h"

#include <algorithm>
#include <chrono>

namespace valence {

std::vector<const Path*> available_paths() {
  const Path* const all[] = {
#if defined(__x86_64__)
      &kAvx512Bf16, &kAvx512, &kAvx2,
#endif
      &kPortable};
  std::vector<const Path*> found;
  for (const Path* path : all)
    if (path->supported()) found.push_back(path);
  return found;
}

double peak_gflops(const Path& path) {
  using Clock = std::chrono::steady_clock;
  double best = 0.0;
  for (int trial = 0; trial < 20; ++trial) {
    const auto start = Clock::now();
    const double operations = path.spin(20000);
    const std::chrono::duration<double> seconds = Clock::now() - start;
    best = std::max(best, operations / seconds.count() / 1e9);
  }
  return best;
}

}  // namespace valence
