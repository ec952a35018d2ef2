#include <fmt/format.h>

#include "base/text.h"
#include "cli/command_table.h"

/// Of command_table.h: what `--help` says.
namespace slipway::cli {

namespace {

std::string option_line(const OptionRow& row) {
  std::string left =
      row.short_name().empty() ? "    " : std::string(row.short_name()) + (row.is_positional() ? "" : ", ");
  if (row.is_positional()) left.clear();
  left += row.key();
  if (!row.is_positional() && !row.value.empty()) left += fmt::format(" {}", row.value);
  // A name too long for its column pushes the text to the next line.
  const bool wide = left.size() > 24;
  std::string line = fmt::format("  {:<24}  ", left);
  if (wide) line = fmt::format("  {}\n  {:<24}  ", left, "");
  line += row.doc;
  if (!row.choices.empty() && row.doc.find(row.choices.substr(0, row.choices.find('|'))) == std::string_view::npos) {
    line += fmt::format(" ({})", row.choices);
  }
  return line + '\n';
}

std::string usage_line(const CommandRow& command) {
  std::string line = fmt::format("usage: slipway {} [OPTIONS]", command.name);
  for (const auto& group : command.options) {
    for (const OptionRow& row : group) {
      if (!row.is_positional()) continue;
      const std::string dots = row.arity == Arity::many ? "..." : "";
      if (row.names == kCommandBehindDashes) {
        line += fmt::format(" [-- {}{}]", row.names, dots);
        continue;
      }
      line += row.required ? fmt::format(" {}{}", row.names, dots) : fmt::format(" [{}{}]", row.names, dots);
    }
  }
  return line;
}

}  // namespace

std::string root_help() {
  std::string text =
      "Slipway runs CI jobs: here in sandboxes, or on your own machines.\n\n"
      "usage: slipway COMMAND [OPTIONS]\n\ncommands:\n";
  for (const CommandRow& row : command_rows()) text += fmt::format("  {:<16}  {}\n", row.name, row.doc);
  text += "\noptions:\n";
  for (const OptionRow& row : root_options()) text += option_line(row);
  for (const OptionRow& row : common_options()) text += option_line(row);
  text +=
      "\nexit codes: 0 succeeded, 1 failed or out of memory, 2 usage, definition or rejected, 3 cancelled by someone\n"
      "else, 4 not allowed, 5 infrastructure, 124 timed out, 130 interrupted, 143 terminated\n"
      "\n`slipway COMMAND --help` says more of each.\n";
  return text;
}

std::string command_help(const CommandRow& command) {
  std::string text = fmt::format("slipway {}: {}\n\n{}\n", command.name, command.doc, usage_line(command));
  std::string positionals, options;
  for (const auto& group : command.options) {
    for (const OptionRow& row : group) (row.is_positional() ? positionals : options) += option_line(row);
  }
  if (!positionals.empty()) text += "\narguments:\n" + positionals;
  if (!options.empty()) text += "\noptions:\n" + options;
  text += "\nof every command:\n";
  for (const OptionRow& row : common_options()) text += option_line(row);
  if (!command.examples.empty()) {
    text += "\nexamples:\n";
    for (const std::string_view line : split(command.examples, '\n')) text += fmt::format("  {}\n", line);
  }
  return text;
}

}  // namespace slipway::cli
