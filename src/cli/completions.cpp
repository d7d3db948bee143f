#include "cli/completions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>

#include "cli/option_table.h"
#include "fusekit/error.h"

namespace fusekit::cli {
namespace {

/// `text` with a backslash before each of `special`.
std::string escaped(const std::string& text, const char* special) {
  std::string out;
  for (const char c : text) {
    if (std::string_view(special).find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

/// In single quotes, in which zsh and bash have no escape.
std::string single_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::vector<std::string> flags_of(const CLI::App& command) {
  std::vector<std::string> flags;
  for (const OptionRow& row : option_table(command)) flags.insert(flags.end(), row.flags.begin(), row.flags.end());
  return flags;
}

std::vector<std::string> names_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : visible_commands(app)) names.push_back(command->get_name());
  return names;
}

std::string for_bash(const CLI::App& app) {
  std::string cases;
  for (const CLI::App* command : visible_commands(app))
    cases += fmt::format("    {}) words=\"{}\" ;;\n", command->get_name(), fmt::join(flags_of(*command), " "));
  return fmt::format(
      R"(# Completes fusekit in bash: source this file, or keep it in ~/.local/share/bash-completion/completions/fusekit.
_fusekit() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} command= word words=
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    [[ $word == -* ]] || {{ command=$word; break; }}
  done
  case $command in
    "" | help) words="{} {}" ;;
{}  esac
  COMPREPLY=()
  [[ -n $command && $command != help && $current != -* ]] || COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -o bashdefault -F _fusekit fusekit
)",
      fmt::join(names_of(app), " "), fmt::join(flags_of(app), " "), cases);
}

std::string zsh_spec(const OptionRow& row) {
  const std::string description = escaped(row.description, "[]:\\");
  if (row.flags.empty()) return {};
  std::string specs;
  for (const std::string& flag : row.flags) {
    std::string spec = "*" + flag;
    if (!row.value.empty()) spec += flag.starts_with("--") ? "=" : "+";
    spec += "[" + description + "]";
    if (!row.value.empty()) spec += ":" + escaped(row.value, ":\\") + ":_files";
    specs += " \\\n        " + single_quoted(spec);
  }
  return specs;
}

std::string for_zsh(const CLI::App& app) {
  std::string commands;
  std::string cases;
  for (const CLI::App* command : visible_commands(app)) {
    commands +=
        fmt::format("    {}\n", single_quoted(command->get_name() + ":" + escaped(command->get_description(), ":\\")));
    std::string specs;
    for (const OptionRow& row : option_table(*command)) specs += zsh_spec(row);
    cases += fmt::format("    {})\n      _arguments{} \\\n        '*:file:_files' ;;\n", command->get_name(), specs);
  }
  return fmt::format(R"(#compdef fusekit
# Completes fusekit in zsh: keep this file as _fusekit in a folder of $fpath.
_fusekit() {{
  local -a commands=(
{}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
{}  esac
}}
_fusekit "$@"
)",
                     commands, cases);
}

std::string for_fish(const CLI::App& app) {
  std::string text = "# Completes fusekit in fish: keep this file as ~/.config/fish/completions/fusekit.fish.\n";
  for (const CLI::App* command : visible_commands(app)) {
    const std::string& name = command->get_name();
    text += fmt::format("complete -c fusekit -n __fish_use_subcommand -f -a {} -d '{}'\n", name,
                        escaped(command->get_description(), "'\\"));
    for (const OptionRow& row : option_table(*command)) {
      if (row.flags.empty()) continue;
      std::string line = fmt::format("complete -c fusekit -n '__fish_seen_subcommand_from {}'", name);
      for (const std::string& flag : row.flags)
        line += flag.starts_with("--") ? " -l " + flag.substr(2) : " -s " + flag.substr(1);
      if (!row.value.empty()) line += " -r";
      text += fmt::format("{} -d '{}'\n", line, escaped(row.description, "'\\"));
    }
  }
  return text;
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell) {
  if (shell == "bash") return for_bash(app);
  if (shell == "zsh") return for_zsh(app);
  if (shell == "fish") return for_fish(app);
  throw Error(ErrorKind::usage, fmt::format("--completion {}: there are none for this shell", shell),
              "use one of bash, zsh, fish");
}

}  // namespace fusekit::cli
