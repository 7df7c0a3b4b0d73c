// The parts of the Python interface, each in a file of its own.
#pragma once

#include <pybind11/pybind11.h>

namespace valence {

void define_texts(pybind11::module_& module);
void define_results(pybind11::module_& module);

}  // namespace valence
