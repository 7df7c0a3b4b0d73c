#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "modules.h"
#include "number.h"

namespace py = pybind11;

namespace valence {
namespace {

[[noreturn]] void raise() { throw py::error_already_set(); }

// The fields of a Prediction and of a Usage, which are tuples (service/classifier/classifier.py).
enum PredictionField { kLabel, kProbabilities, kPolarity, kLabels, kOutside };
enum UsageField { kCharacters, kTokens, kTokensUsed, kUnknownTokens, kWindows };

py::handle field(py::handle tuple, Py_ssize_t index) {
  if (!PyTuple_Check(tuple.ptr()) || index >= PyTuple_GET_SIZE(tuple.ptr()))
    throw py::type_error("a result has a prediction and a usage, which are tuples");
  return PyTuple_GET_ITEM(tuple.ptr(), index);
}

double number(py::handle value) {
  const double result = PyFloat_AsDouble(value.ptr());
  if (result == -1.0 && PyErr_Occurred()) raise();
  return result;
}

long long integer(py::handle value) {
  const long long result = PyLong_AsLongLong(value.ptr());
  if (result == -1 && PyErr_Occurred()) raise();
  return result;
}

// Writes results as JSON. `labels` are the labels of the model as JSON, in order; `names` maps each
// label, and the label of a text without one, to its JSON.
class ResultWriter {
 public:
  ResultWriter(std::vector<std::string> labels, py::dict names)
      : labels_(std::move(labels)), names_(std::move(names)) {}

  // Results of `answers`, pairs of a prediction and its usage, with commas between them. A reason is
  // None where the text has a label. 0 scores are all.
  py::bytes write(const py::list& answers, const py::list& reasons, size_t top_k,
                  const py::str& uncertain) const {
    if (reasons.size() != answers.size()) throw py::value_error("each answer has one reason");
    std::string json;
    json.reserve(answers.size() * (256 + 64 * labels_.size()));
    for (size_t i = 0; i < answers.size(); ++i) {
      if (i > 0) json += ',';
      const py::handle prediction = field(answers[i], 0), usage = field(answers[i], 1);
      append_judgement(json, prediction, reasons[i], top_k, uncertain);
      append_usage(json, usage);
    }
    return py::bytes(json);
  }

 private:
  void append_name(std::string& json, py::handle label) const {
    PyObject* name = PyDict_GetItemWithError(names_.ptr(), label.ptr());
    if (name == nullptr || !PyBytes_Check(name)) throw py::key_error("a label of another model");
    json.append(PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name));
  }

  void append_judgement(std::string& json, py::handle prediction, py::handle reason, size_t top_k,
                        const py::str& uncertain) const {
    const bool sure = reason.is_none();
    json += "{\"label\":";
    append_name(json, sure ? field(prediction, kLabel) : py::handle(uncertain));
    if (!sure) {
      json += ",\"reason\":\"";
      json += py::cast<std::string>(reason);  // a word of letters
      json += '"';
    }
    json += ",\"labels\":[";
    if (sure) {
      const py::handle given = field(prediction, kLabels);
      for (Py_ssize_t i = 0; i < PyTuple_Size(given.ptr()); ++i) {
        if (i > 0) json += ',';
        append_name(json, field(given, i));
      }
    }
    json += "],\"scores\":[";
    append_scores(json, field(prediction, kProbabilities), top_k);
    json += "],\"polarity\":";
    const py::handle polarity = field(prediction, kPolarity), outside = field(prediction, kOutside);
    if (polarity.is_none())
      json += "null";
    else
      append_number(json, number(polarity));
    if (!outside.is_none()) {
      json += ",\"outside\":";
      append_number(json, number(outside));
    }
  }

  void append_scores(std::string& json, py::handle probabilities, size_t top_k) const {
    std::vector<double> scores(labels_.size());
    for (size_t i = 0; i < scores.size(); ++i)
      scores[i] = number(field(probabilities, static_cast<Py_ssize_t>(i)));
    std::vector<size_t> order(scores.size());
    std::iota(order.begin(), order.end(), size_t{0});
    // Ties keep the order of the labels.
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return scores[a] > scores[b]; });
    if (top_k > 0 && top_k < order.size()) order.resize(top_k);
    for (size_t i = 0; i < order.size(); ++i) {
      json += i > 0 ? ",{\"label\":" : "{\"label\":";
      json += labels_[order[i]];
      json += ",\"score\":";
      append_number(json, scores[order[i]]);
      json += '}';
    }
  }

  static void append_usage(std::string& json, py::handle usage) {
    const long long tokens = integer(field(usage, kTokens));
    const long long used = integer(field(usage, kTokensUsed));
    json += ",\"usage\":{\"characters\":";
    append_number(json, integer(field(usage, kCharacters)));
    json += ",\"tokens\":";
    append_number(json, tokens);
    json += ",\"tokens_used\":";
    append_number(json, used);
    json += ",\"unknown_tokens\":";
    append_number(json, integer(field(usage, kUnknownTokens)));
    json += used < tokens ? ",\"truncated\":true" : ",\"truncated\":false";
    json += ",\"windows\":";
    append_number(json, integer(field(usage, kWindows)));
    json += "}}";
  }

  std::vector<std::string> labels_;
  py::dict names_;
};

}  // namespace

void define_results(py::module_& module) {
  py::class_<ResultWriter>(module, "ResultWriter")
      .def(py::init<std::vector<std::string>, py::dict>(), py::arg("labels"), py::arg("names"))
      .def("write", &ResultWriter::write, py::arg("answers"), py::arg("reasons"),
           py::arg("top_k"), py::arg("uncertain"));
}

}  // namespace valence
