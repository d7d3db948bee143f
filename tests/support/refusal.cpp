#include "support/refusal.h"

#include "support/text.h"

namespace fusekit::test {

testing::AssertionResult refuses(ErrorKind kind, const std::string& part, const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    if (error.kind() == kind && has(error.message(), part)) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "another Error, of kind " << static_cast<int>(error.kind()) << ": "
                                       << error.message();
  }
  return testing::AssertionFailure() << "no Error";
}

}  // namespace fusekit::test
