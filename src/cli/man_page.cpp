#include "cli/man_page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <sstream>

#include "cli/option_table.h"
#include "fusekit/error.h"

namespace fusekit::cli {

const char* const kExitCodes =
    "0 done; 1 done, and the answer is no (not equal, a regression); 2 the input or the call is wrong; 130 interrupted "
    "(Ctrl-C)";
const char* const kEnvironment =
    "NO_COLOR: no colours (nor with TERM=dumb); COLUMNS: the terminal's width, instead of what it says itself";

namespace {

/// Text for troff: backslashes and dashes as they are, no line that begins as a request.
std::string roff(const std::string& text) {
  std::string out;
  for (std::size_t k = 0; k < text.size(); ++k) {
    const bool begins_line = k == 0 || text[k - 1] == '\n';
    if (begins_line && (text[k] == '.' || text[k] == '\'')) out += "\\&";
    if (text[k] == '\\') {
      out += "\\e";
    } else if (text[k] == '-') {
      out += "\\-";
    } else {
      out += text[k];
    }
  }
  return out;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

std::string header(const std::string& name, const std::string& summary) {
  return fmt::format(".TH {} 1 \"\" \"fusekit {}\" \"FuseKit\"\n.SH NAME\n{} \\- {}\n", upper(name), FUSEKIT_VERSION,
                     roff(name), roff(summary));
}

std::string options_section(const CLI::App& app) {
  std::string text;
  std::string group;
  for (const OptionRow& row : option_table(app)) {
    if (row.group != group) text += fmt::format(".SH {}\n", roff(upper(row.group)));
    group = row.group;
    std::string head;
    for (const std::string& flag : row.flags) head += (head.empty() ? "" : ", ") + flag;
    if (!row.value.empty()) head += (head.empty() ? "" : " ") + row.value;
    text += fmt::format(".TP\n.B {}\n{}\n", roff(head), roff(row.description));
  }
  return text;
}

std::string ending() {
  return fmt::format(".SH EXIT STATUS\n{}\n.SH ENVIRONMENT\n{}\n", roff(kExitCodes), roff(kEnvironment));
}

std::string page_of_program(const CLI::App& app) {
  std::string text = header("fusekit", app.get_description());
  text += ".SH SYNOPSIS\n.B fusekit\nCOMMAND [OPTIONS]\n.SH COMMANDS\n";
  for (const CLI::App* command : visible_commands(app))
    text += fmt::format(".TP\n.BR fusekit\\-{} (1)\n{}\n", command->get_name(), roff(command->get_description()));
  return text + options_section(app) + ending();
}

std::string page_of_command(const CLI::App& command) {
  const std::string name = "fusekit-" + command.get_name();
  std::string text = header(name, command.get_description());
  text += fmt::format(".SH SYNOPSIS\n.B fusekit {}\n[OPTIONS]", command.get_name());
  for (const OptionRow& row : option_table(command))
    if (row.flags.empty()) text += " " + roff(row.value);
  text += "\n" + options_section(command);
  std::istringstream footer(command.get_footer());
  std::string line;
  std::getline(footer, line);  // "Example:"
  text += ".SH EXAMPLES\n.nf\n";
  while (std::getline(footer, line)) text += roff(line) + "\n";
  return text + ".fi\n" + ending() + ".SH SEE ALSO\n.BR fusekit (1)\n";
}

}  // namespace

std::string man_page(const CLI::App& app, const std::string& command) {
  if (command == app.get_name()) return page_of_program(app);
  for (const CLI::App* each : visible_commands(app))
    if (each->get_name() == command) return page_of_command(*each);
  throw Error(ErrorKind::usage, fmt::format("there is no command {}", command), "see `fusekit --help`");
}

}  // namespace fusekit::cli
