#include "file/modules_in_training.h"

#include <algorithm>

namespace fusekit::file {

std::string listed(const std::vector<std::string>& modules) {
  constexpr std::size_t most = 4;
  std::string text;
  for (std::size_t i = 0; i < std::min(most, modules.size()); ++i)
    text += fmt::format("{}{}", i == 0 ? "" : ", ", modules[i].empty() ? "the root module" : modules[i]);
  return modules.size() <= most ? text : fmt::format("{} and {} more", text, modules.size() - most);
}

}  // namespace fusekit::file
