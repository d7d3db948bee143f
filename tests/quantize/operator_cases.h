#pragma once

#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

namespace fusekit::test {

using Shape = std::vector<std::int64_t>;

/// With 128 levels over the whole range, as here (so that no engine saturates on any CPU), a tensor of normal numbers is
/// kept with about 36 dB, and each of the roundings on the way (input, weights, output) costs up to 3 dB of it.
inline constexpr double kOperatorBound = 25;

/// A small network around one operator that has an int8 form.
struct OperatorCase {
  std::string name;
  std::string body;  ///< of forward(self, x); "CONV" stands for a convolution that makes its input int8
  Shape shape;
  std::map<std::string, Shape> weights;
  std::vector<std::string> operators;  ///< that the int8 graph has
  double bound = kOperatorBound;       ///< the least SQNR in dB
};

/// One for each operator and way to spell it.
std::vector<OperatorCase> operator_cases();

/// GoogleTest prints a case that failed with this.
void PrintTo(const OperatorCase& each, std::ostream* out);

/// TorchScript of `OperatorCase::body`, a line a statement.
std::string source_of(std::string body);

}  // namespace fusekit::test
