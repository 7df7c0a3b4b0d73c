// The Python interface of the kernel. It checks its arguments, then computes without the
// interpreter's lock.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "explain.h"
#include "modules.h"
#include "network.h"
#include "paths.h"

namespace py = pybind11;

namespace {

using Floats = py::array_t<float, py::array::c_style>;
using Ids = py::array_t<int32_t, py::array::c_style>;

const valence::Path& path_named(const std::string& name) {
  std::string known;
  for (const valence::Path* path : valence::available_paths()) {
    if (name == path->name) return *path;
    known += (known.empty() ? "" : ", ") + std::string(path->name);
  }
  throw py::value_error("no dispatch path " + name + " on this processor, only " + known);
}

std::vector<std::string> path_names() {
  std::vector<std::string> names;
  for (const valence::Path* path : valence::available_paths()) names.emplace_back(path->name);
  return names;
}

// Checks the shape of an array and returns its memory, which the kernel reads without bounds
// checks.
const float* values(const Floats& array, std::vector<size_t> shape, const char* name) {
  if (static_cast<size_t>(array.ndim()) != shape.size() ||
      !std::equal(shape.begin(), shape.end(), array.shape(), [](size_t a, py::ssize_t b) {
        return static_cast<py::ssize_t>(a) == b;
      }))
    throw py::value_error(std::string(name) + " has a shape other than its architecture's");
  return array.data();
}

// Checks that the shapes of all arrays belong to one architecture. The result points into the
// arrays.
valence::Description described(const std::string& cell, const std::string& pooling,
                               size_t directions, const Floats& embedding,
                               const std::vector<Floats>& tensors, const Floats& attention,
                               const Floats& output, const Floats& output_bias,
                               size_t most_table_bytes = 0) {
  using namespace valence;
  Description d = {};
  d.most_table_bytes = most_table_bytes;
  const auto cells = {"lstm", "gru", "rnn"};
  const auto poolings = {"attention", "last", "max", "mean", "max_mean"};
  const unsigned pools[] = {kPoolNone, kPoolLast, kPoolMax, kPoolSum, kPoolMax | kPoolSum};
  const auto cell_at = std::find(cells.begin(), cells.end(), cell);
  const auto pool_at = std::find(poolings.begin(), poolings.end(), pooling);
  if (cell_at == cells.end() || pool_at == poolings.end())
    throw py::value_error("the kernel knows no " + cell + " cell with " + pooling + " pooling");
  d.cell = static_cast<Cell>(cell_at - cells.begin());
  d.pool = pools[pool_at - poolings.begin()];
  d.directions = directions;
  if (directions < 1 || directions > 2 || tensors.empty() ||
      tensors.size() % (4 * directions) != 0)
    throw py::value_error("four tensors a layer and direction are expected");
  if (embedding.ndim() != 2 || tensors[1].ndim() != 2 || output.ndim() != 2)
    throw py::value_error("weights are matrices");
  d.vocabulary = embedding.shape(0);
  d.embedding_size = embedding.shape(1);
  d.hidden = tensors[1].shape(1);
  d.labels = output.shape(0);
  const size_t width = d.directions * d.hidden;
  const size_t rows = gate_count(d.cell) * d.hidden;
  d.embedding = embedding.data();
  for (size_t i = 0; i < tensors.size(); i += 4) {
    const size_t columns = i < 4 * directions ? d.embedding_size : width;
    d.layers.push_back({values(tensors[i], {rows, columns}, "weight_ih"),
                          values(tensors[i + 1], {rows, d.hidden}, "weight_hh"),
                          values(tensors[i + 2], {rows}, "bias_ih"),
                          values(tensors[i + 3], {rows}, "bias_hh")});
  }
  d.attention = d.pool == kPoolNone ? values(attention, {width}, "attention") : nullptr;
  d.output = values(output, {d.labels, width * (pooling == "max_mean" ? 2 : 1)}, "output");
  d.output_bias = values(output_bias, {d.labels}, "output bias");
  return d;
}

class PyNetwork {
 public:
  PyNetwork(const std::string& path, const std::string& cell, const std::string& pooling,
            size_t directions, const Floats& embedding, const std::vector<Floats>& tensors,
            const Floats& attention, const Floats& output, const Floats& output_bias,
            size_t most_table_bytes, bool spare)
      : network_(build(path, described(cell, pooling, directions, embedding, tensors, attention,
                                       output, output_bias, most_table_bytes),
                       spare)) {}

  py::array_t<float> logits(const py::sequence& sequence) const {
    const size_t count = sequence.size();
    // Copy the ids while checking them: another thread may write to the arrays while the lock is
    // released.
    std::vector<int32_t> ids;
    std::vector<valence::Document> documents(count);
    for (size_t i = 0; i < count; ++i) {
      const py::object item = sequence[i];
      if (!py::array_t<int32_t, py::array::c_style>::check_(item))
        throw py::type_error("document " + std::to_string(i) +
                             " is not a contiguous int32 array of word ids");
      const auto array = py::reinterpret_borrow<py::array>(item);
      if (array.ndim() != 1)
        throw py::value_error("document " + std::to_string(i) + " has " +
                              std::to_string(array.ndim()) + " dimensions, word ids have 1");
      documents[i].length = static_cast<size_t>(array.size());
      const size_t first = ids.size();
      ids.resize(first + documents[i].length);
      if (documents[i].length > 0)
        std::memcpy(&ids[first], array.data(), documents[i].length * sizeof(int32_t));
      for (size_t token = first; token < ids.size(); ++token)
        if (ids[token] < 0 || static_cast<size_t>(ids[token]) >= network_.vocabulary())
          throw py::value_error("document " + std::to_string(i) + " holds word id " +
                                std::to_string(ids[token]) + ", the vocabulary has 0 to " +
                                std::to_string(network_.vocabulary() - 1));
    }
    const int32_t* next = ids.data();
    for (valence::Document& document : documents) {
      document.ids = next;
      next += document.length;
    }
    py::array_t<float> result({count, network_.labels()});
    float* data = result.mutable_data();
    {
      py::gil_scoped_release release;
      network_.logits(documents, data);
    }
    return result;
  }

  size_t table_bytes() const { return network_.table_bytes(); }

 private:
  static valence::Network build(const std::string& path, const valence::Description& description,
                                bool spare) {
    const valence::Path& chosen = path_named(path);
    py::gil_scoped_release release;
    return valence::Network(chosen, description, spare);
  }

  valence::Network network_;
};

class PyExplainer {
 public:
  PyExplainer(const std::string& path, const std::string& cell, const std::string& pooling,
              size_t directions, const Floats& embedding, const std::vector<Floats>& tensors,
              const Floats& attention, const Floats& output, const Floats& output_bias)
      : embedding_(embedding),
        explainer_(kernels_named(path), described(cell, pooling, directions, embedding, tensors,
                                                  attention, output, output_bias)) {}

  py::tuple attribute(const Ids& ids, size_t label) const {
    if (label >= explainer_.labels())
      throw py::value_error("label " + std::to_string(label) + " of " +
                            std::to_string(explainer_.labels()));
    const std::vector<int32_t> own = checked(ids);
    py::array_t<float> contributions(own.size());
    float* data = contributions.mutable_data();
    valence::Contributions found;
    {
      py::gil_scoped_release release;
      found = explainer_.attribute({own.data(), own.size()}, label, data);
    }
    return py::make_tuple(contributions, found.logit, found.baseline_logit);
  }

  py::array_t<float> activations(const Ids& ids) const {
    const std::vector<int32_t> own = checked(ids);
    py::array_t<float> states({own.size(), explainer_.directions(), explainer_.hidden()});
    float* data = states.mutable_data();
    py::gil_scoped_release release;
    explainer_.activations({own.data(), own.size()}, data);
    return states;
  }

 private:
  static const valence::AttributionKernels& kernels_named(const std::string& name) {
    for (const valence::AttributionPath& path : valence::attribution_paths())
      if (name == path.name) return *path.kernels;
    throw py::value_error("no path " + name + " computes attributions on this processor");
  }

  // Returns a copy: another thread may write to the array while the lock is released.
  std::vector<int32_t> checked(const Ids& ids) const {
    if (ids.ndim() != 1 || ids.size() == 0)
      throw py::value_error("a document is a row of word ids");
    std::vector<int32_t> own(ids.data(), ids.data() + ids.size());
    for (const int32_t id : own)
      if (id < 0 || static_cast<size_t>(id) >= explainer_.vocabulary())
        throw py::value_error("word id " + std::to_string(id) + ", the vocabulary has 0 to " +
                              std::to_string(explainer_.vocabulary() - 1));
    return own;
  }

  Floats embedding_;  // keeps the memory alive that the explainer reads without a copy
  valence::Explainer explainer_;
};

}  // namespace

PYBIND11_MODULE(_kernel, module) {
  module.doc() = "Valence's recurrent kernel; see service/inference/engines/native.py.";
  module.def("available_paths", path_names, "Dispatch paths of this processor, best first.");
  module.def(
      "peak_gflops",
      [](const std::string& path) {
        const valence::Path& chosen = path_named(path);
        py::gil_scoped_release release;
        return valence::peak_gflops(chosen);
      },
      "GFLOP/s of one core that only multiplies and adds, on registers.", py::arg("path"));
  module.def(
      "attribution_paths",
      [] {
        std::vector<std::string> names;
        for (const valence::AttributionPath& path : valence::attribution_paths())
          names.emplace_back(path.name);
        return names;
      },
      "Paths that compute attributions on this processor, best first.");
  valence::define_texts(module);
  valence::define_results(module);
  py::class_<PyExplainer>(module, "Explainer")
      .def(py::init<const std::string&, const std::string&, const std::string&, size_t,
                    const Floats&, const std::vector<Floats>&, const Floats&, const Floats&,
                    const Floats&>(),
           py::kw_only(), py::arg("path"), py::arg("cell"), py::arg("pooling"),
           py::arg("directions"), py::arg("embedding"), py::arg("recurrent"),
           py::arg("attention"), py::arg("output"), py::arg("output_bias"))
      .def("attribute", &PyExplainer::attribute, py::arg("ids").noconvert(), py::arg("label"))
      .def("activations", &PyExplainer::activations, py::arg("ids").noconvert());
  // To free a table of many megabytes takes milliseconds, so the interpreter's lock is released. The
  // network reads rare words from the embedding, argument 6.
  py::class_<PyNetwork>(module, "Network", py::release_gil_before_calling_cpp_dtor())
      .def(py::init<const std::string&, const std::string&, const std::string&, size_t,
                    const Floats&, const std::vector<Floats>&, const Floats&, const Floats&,
                    const Floats&, size_t, bool>(),
           py::keep_alive<1, 6>(), py::kw_only(), py::arg("path"), py::arg("cell"),
           py::arg("pooling"), py::arg("directions"), py::arg("embedding").noconvert(),
           py::arg("recurrent"), py::arg("attention"), py::arg("output"), py::arg("output_bias"),
           py::arg("most_table_bytes"), py::arg("spare") = false)
      .def("logits", &PyNetwork::logits)
      .def_property_readonly("table_bytes", &PyNetwork::table_bytes);
}
