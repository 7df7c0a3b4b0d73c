#include "paths.h"

#include <algorithm>
#include <chrono>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace valence {
namespace {

bool always() { return true; }

// These checks are here and not in the files of the paths, because they must run on any processor.
#if defined(__x86_64__)

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool has_f16c() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return has_avx2() && __get_cpuid(1, &a, &b, &c, &d) && (c >> 29 & 1u);
}

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && has_avx2();
}

bool has_bf16() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return has_avx512() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1u);
}

// Linux allows a process to use the tile registers only after a request.
bool has_amx_bf16() {
#if defined(__linux__) && defined(SYS_arch_prctl)
  constexpr unsigned long request_permission = 0x1023, tile_data = 18;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!has_bf16() || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  const bool tiles = (d >> 24 & 1u) && (d >> 22 & 1u);
  return tiles && syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}

#endif

struct Candidate {
  const Path* path;
  bool (*supported)();
};

constexpr Candidate kCandidates[] = {
#if defined(__x86_64__)
    {&kAmxBf16, has_amx_bf16},
    {&kAvx512Bf16, has_bf16},
    {&kAvx512, has_avx512},
    {&kAvx2Int16, has_f16c},
    {&kAvx2, has_avx2},
#endif
    {&kPortable, always},
};

}  // namespace

std::vector<const Path*> available_paths() {
  std::vector<const Path*> found;
  for (const Candidate& candidate : kCandidates)
    if (candidate.supported()) found.push_back(candidate.path);
  return found;
}

std::vector<AttributionPath> attribution_paths() {
  std::vector<AttributionPath> found;
#if defined(__x86_64__)
  if (has_avx512()) found.push_back({kAvx512.name, &kAvx512Attribution});
  if (has_f16c()) found.push_back({kAvx2Int16.name, &kAvx2Int16Attribution});
  if (has_avx2()) found.push_back({kAvx2.name, &kAvx2Attribution});
#endif
  found.push_back({kPortable.name, &kPortableAttribution});
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
