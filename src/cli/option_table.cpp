#include "cli/option_table.h"

#include <CLI/CLI.hpp>

namespace fusekit::cli {

std::vector<OptionRow> option_table(const CLI::App& command) {
  std::vector<OptionRow> rows;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_group().empty()) continue;
    OptionRow row{option->get_group(), {}, "", option->get_description()};
    for (const std::string& name : option->get_snames()) row.flags.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) row.flags.push_back("--" + name);
    if (row.flags.empty()) row.value = option->get_name(/*positional=*/true);
    if (!row.flags.empty() && option->get_type_size_max() != 0)
      row.value = option->get_type_name().empty() ? "VALUE" : option->get_type_name();
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<const CLI::App*> visible_commands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
}

}  // namespace fusekit::cli
