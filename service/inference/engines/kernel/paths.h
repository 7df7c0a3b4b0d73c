// The dispatch paths that were compiled into this module and that this processor can run.
#pragma once

#include <vector>

#include "attributor.h"
#include "kernels.h"

namespace valence {

// Best first. Never empty, because the portable path runs everywhere.
std::vector<const Path*> available_paths();

// The paths that compute attributions, best first.
struct AttributionPath {
  const char* name;
  const AttributionKernels* kernels;
};
std::vector<AttributionPath> attribution_paths();

// GFLOP/s of one core that only multiplies and adds, on registers, in the number format of the
// path.
double peak_gflops(const Path& path);

}  // namespace valence
