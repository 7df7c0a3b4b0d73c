#include "modules.h"

#include <pybind11/numpy.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "word_table.h"

namespace py = pybind11;

namespace valence {
namespace {

// White space as str.split() sees it in ASCII.
bool is_white(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f); }
bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

[[noreturn]] void raise() { throw py::error_already_set(); }

// The plain pieces of a text are read here; Python reads each other piece. A piece is what stands
// between white space. A plain one is a known word of letters a to z, a number of digits, or the name
// of a user, alone or before one of `signs`. The tokenizer cuts each of them into the same tokens.
class Encoder {
 public:
  // `pieces` maps each other piece to the ids of its tokens, negative for corrected words. `hashed`
  // has the ids of some more by the hash and the length of the piece. `number` is the id of numbers
  // that the vocabulary lacks, `user` that of names of users. So many `words` may be added.
  Encoder(py::dict pieces, py::dict hashed, size_t words, const py::dict& signs, int32_t number,
          int32_t user)
      : pieces_(std::move(pieces)),
        hashed_(std::move(hashed)),
        left_(words),
        table_(words),
        number_(number),
        user_(user) {
    std::fill(std::begin(signs_), std::end(signs_), kNoSign);
    for (const auto& [sign, id] : signs)
      signs_[static_cast<unsigned char>(py::cast<std::string>(sign).at(0))] = py::cast<int32_t>(id);
  }

  // Adds the next words of the vocabulary, of which the first one has the id `first`.
  void add(const py::tuple& words, int32_t first) {
    if (words.size() > left_) throw py::value_error("more words than were announced");
    left_ -= words.size();
    for (const auto& item : words) {
      const std::string word = py::cast<std::string>(item);
      if (word.size() <= WordTable::kMaxLetters &&
          (std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; }) ||
           std::all_of(word.begin(), word.end(), is_digit)))
        table_.add(word.data(), word.size(), first);
      ++first;
    }
  }

  // The ids of the first tokens, how many of them are unknown, and the number of all tokens; None
  // for a text that is not of ASCII, or has more pieces than `max_tokens`.
  py::object encode(const py::str& text, size_t max_tokens) const {
    if (!PyUnicode_IS_COMPACT_ASCII(text.ptr())) return py::none();
    const char* next = reinterpret_cast<const char*>(PyUnicode_1BYTE_DATA(text.ptr()));
    const char* const end = next + PyUnicode_GET_LENGTH(text.ptr());
    std::vector<int32_t> ids;
    ids.reserve(static_cast<size_t>(end - next) / 4 + 1);
    for (size_t pieces = 0;; ++pieces) {
      while (next != end && is_white(*next)) ++next;
      if (next == end) break;
      if (pieces == max_tokens) return py::none();
      if (!read_plain(next, end, ids)) read_other(next, end, ids);
    }
    const size_t used = std::min(ids.size(), max_tokens);
    py::array_t<int32_t> result(used);
    int32_t* out = result.mutable_data();
    size_t unknown = 0;
    for (size_t i = 0; i < used; ++i) {
      unknown += ids[i] <= 0;
      out[i] = std::abs(ids[i]);
    }
    return py::make_tuple(std::move(result), unknown, ids.size());
  }

 private:
  static constexpr int32_t kNoSign = -1;

  // Reads a plain piece and moves `next` behind it; false if the piece is another.
  bool read_plain(const char*& next, const char* end, std::vector<int32_t>& ids) const {
    const char* at = next;
    const int32_t id = is_digit(*at) ? read_number(at, end)
                       : *at == '@'  ? read_user(at, end)
                                     : read_word(at, end);
    if (id == WordTable::kNone) return false;
    int32_t sign = kNoSign;
    if (at != end && !is_white(*at)) {
      sign = signs_[static_cast<unsigned char>(*at)];
      if (sign == kNoSign || (++at != end && !is_white(*at))) return false;
    }
    ids.push_back(id);
    if (sign != kNoSign) ids.push_back(sign);
    next = at;
    return true;
  }

  // Each of these moves `at` behind what it reads, and returns an id or WordTable::kNone.
  int32_t read_word(const char*& at, const char* end) const {
    char word[WordTable::kMaxLetters];
    size_t length = 0, run = 0;
    uint32_t code = WordTable::kStart;
    for (; at != end && is_letter(*at); ++at) {
      if (length == WordTable::kMaxLetters) return WordTable::kNone;
      const char letter = static_cast<char>(*at | 0x20);
      run = length > 0 && word[length - 1] == letter ? run + 1 : 1;
      if (run == 3) return WordTable::kNone;  // the tokenizer shortens the word
      word[length++] = letter;
      code = WordTable::mix(code, letter);
    }
    return length > 0 ? table_.find(word, length, code) : WordTable::kNone;
  }

  int32_t read_number(const char*& at, const char* end) const {
    const char* const first = at;
    at = std::find_if_not(at, end, is_digit);
    const size_t length = static_cast<size_t>(at - first);
    if (length > WordTable::kMaxLetters) return WordTable::kNone;
    const int32_t id = table_.find(first, length, WordTable::hash(first, length));
    return id == WordTable::kNone ? number_ : id;
  }

  int32_t read_user(const char*& at, const char* end) const {
    const char* const first = ++at;
    at = std::find_if_not(at, end, [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
    return at == first ? WordTable::kNone : user_;
  }

  void read_other(const char*& next, const char* end, std::vector<int32_t>& ids) const {
    const char* const last = std::find_if(next, end, is_white);
    const auto piece =
        py::reinterpret_steal<py::object>(PyUnicode_FromStringAndSize(next, last - next));
    if (!piece) raise();
    next = last;
    const py::object found = find_other(piece);
    if (!PyTuple_Check(found.ptr())) throw py::type_error("the ids of a piece are a tuple");
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(found.ptr()); ++i) {
      const long id = PyLong_AsLong(PyTuple_GET_ITEM(found.ptr(), i));
      if (id == -1 && PyErr_Occurred()) raise();
      ids.push_back(static_cast<int32_t>(id));
    }
  }

  // As `pieces` finds it, without the steps of Python for a piece that is known by its hash.
  py::object find_other(const py::object& piece) const {
    PyObject* known = PyDict_GetItemWithError(pieces_.ptr(), piece.ptr());
    if (known == nullptr && PyErr_Occurred()) raise();
    if (known == nullptr) {
      const auto key = py::make_tuple(py::hash(piece), PyUnicode_GET_LENGTH(piece.ptr()));
      known = PyDict_GetItemWithError(hashed_.ptr(), key.ptr());
      if (known == nullptr && PyErr_Occurred()) raise();
    }
    if (known != nullptr) return py::reinterpret_borrow<py::object>(known);
    auto found = py::reinterpret_steal<py::object>(PyObject_GetItem(pieces_.ptr(), piece.ptr()));
    if (!found) raise();
    return found;
  }

  py::dict pieces_;
  py::dict hashed_;
  size_t left_;
  WordTable table_;
  int32_t number_;
  int32_t user_;
  int32_t signs_[256];
};

}  // namespace

void define_texts(py::module_& module) {
  py::class_<Encoder>(module, "Encoder")
      .def(py::init<py::dict, py::dict, size_t, const py::dict&, int32_t, int32_t>(),
           py::arg("pieces"), py::arg("hashed"), py::arg("words"), py::arg("signs"),
           py::arg("number"), py::arg("user"))
      .def("add", &Encoder::add, py::arg("words"), py::arg("first"))
      .def("encode", &Encoder::encode, py::arg("text"), py::arg("max_tokens"));
}

}  // namespace valence
