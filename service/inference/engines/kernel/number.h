// Numbers as JSON has them.
#pragma once

#include <string>

namespace valence {

// Adds the shortest decimal number that reads as `value`, which is finite. Its form is pydantic's:
// 1.0, 0.00001, 1e-6, 1e+16.
void append_number(std::string& json, double value);
void append_number(std::string& json, long long value);

}  // namespace valence
