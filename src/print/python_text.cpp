#include "print/python_text.h"

#include <fmt/format.h>

#include <cmath>

namespace fusekit::print {

namespace {

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

}  // namespace

std::string python_text(const c10::IValue& value) {
  if (value.isNone()) return "None";
  if (value.isBool()) return value.toBool() ? "True" : "False";
  if (value.isInt()) return std::to_string(value.toInt());
  if (value.isDouble()) return float_text(value.toDouble());
  if (value.isString()) return value.toStringRef();
  if (!value.isTuple() && !value.isList()) return "...";
  std::string text;
  const auto elements = value.isTuple() ? value.toTupleRef().elements().vec() : value.toListRef().vec();
  for (const c10::IValue& element : elements) text += (text.empty() ? "" : ", ") + python_text(element);
  return elements.size() == 1 ? "(" + text + ",)" : "(" + text + ")";
}

}  // namespace fusekit::print
