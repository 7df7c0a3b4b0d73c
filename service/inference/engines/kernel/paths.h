// Which dispatch paths this module was compiled with and this processor runs.
#pragma once

#include <vector>

#include "attributor.h"
#include "kernels.h"

namespace valence {

// Best first; never empty, since the portable path runs everywhere.
std::vector<const Path*> available_paths();

// Those that compute attributions, the best first.
struct AttributionPath {
  const char* name;
  const AttributionKernels* kernels;
};
std::vector<AttributionPath> attribution_paths();

// Operations a second (1e9) of one core that only multiplies and adds, on registers, in the number
// format of the path.
double peak_gflops(const Path& path);

}  // namespace valence
