#include "number.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace valence {
namespace {

// The decimal point of a number without an exponent is at most so far from its first digit.
constexpr int kMaxWhole = 16;
constexpr int kMaxZeros = 5;
// a sign, 17 digits, a point, an exponent of 3 digits with its sign
constexpr size_t kMaxCharacters = 32;

struct Decimal {
  char digits[kMaxCharacters];
  int length;    // of the digits, which begin and end with another digit than 0
  int position;  // of the decimal point, after so many digits
};

// Writes d.ddde+xx into `scientific`, which it ends with 0.
void write_shortest(double value, char* scientific) {
#if defined(__cpp_lib_to_chars)
  *std::to_chars(scientific, scientific + kMaxCharacters, value, std::chars_format::scientific)
       .ptr = 0;
#else
  // The standard library of this compiler lacks the function: the first precision that reads back.
  for (int precision = 0; precision < 17; ++precision) {
    std::snprintf(scientific, kMaxCharacters, "%.*e", precision, value);
    if (std::strtod(scientific, nullptr) == value) return;
  }
#endif
}

Decimal shortest(double value) {
  char scientific[kMaxCharacters + 1];
  write_shortest(value, scientific);
  Decimal decimal = {};
  const char* next = scientific;
  for (; *next != 'e'; ++next)
    if (*next >= '0' && *next <= '9') decimal.digits[decimal.length++] = *next;
  decimal.position = std::atoi(next + 1) + 1;
  while (decimal.length > 1 && decimal.digits[decimal.length - 1] == '0') --decimal.length;
  return decimal;
}

}  // namespace

void append_number(std::string& json, double value) {
  if (value < 0 || (value == 0 && std::signbit(value))) {
    json += '-';
    value = -value;
  }
  if (value == 0) {
    json += "0.0";
    return;
  }
  const Decimal decimal = shortest(value);
  const int length = decimal.length, position = decimal.position;
  if (position > kMaxWhole || position <= -kMaxZeros) {
    json += decimal.digits[0];
    if (length > 1) json.append(".").append(decimal.digits + 1, length - 1);
    json += position > 0 ? "e+" : "e";
    append_number(json, static_cast<long long>(position - 1));
  } else if (position <= 0) {
    json.append("0.").append(-position, '0').append(decimal.digits, length);
  } else if (position >= length) {
    json.append(decimal.digits, length).append(position - length, '0').append(".0");
  } else {
    json.append(decimal.digits, position).append(".").append(decimal.digits + position,
                                                              length - position);
  }
}

void append_number(std::string& json, long long value) {
  char digits[kMaxCharacters];
  json.append(digits, std::to_chars(digits, digits + kMaxCharacters, value).ptr);
}

}  // namespace valence
