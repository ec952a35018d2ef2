#include "cli/completion.h"

#include <set>

#include "base/text.h"
#include "cli/command_table.h"
#include "cli/definitions.h"
#include "definition/codes.h"

namespace slipway::cli {

namespace {

// Every flag of a command, common ones behind.
std::vector<const OptionRow*> rows_of(const CommandRow* command) {
  std::vector<const OptionRow*> rows;
  const auto add = [&](std::span<const OptionRow> more) {
    for (const OptionRow& row : more) rows.push_back(&row);
  };
  if (command == nullptr) {
    add(root_options());
  } else {
    for (const auto& group : command->options) add(group);
  }
  add(common_options());
  return rows;
}

std::string words_of(std::string_view choices) {
  std::string words(choices);
  std::ranges::replace(words, '|', ' ');
  return words;
}

std::vector<std::string> subcommands_of(std::string_view group) {
  std::vector<std::string> names;
  for (const CommandRow& row : command_rows()) {
    if (row.name.starts_with(fmt::format("{} ", group))) names.emplace_back(row.name.substr(group.size() + 1));
  }
  return names;
}

std::vector<std::string> first_words() {
  std::vector<std::string> names;
  for (const CommandRow& row : command_rows()) {
    const std::string first(row.name.substr(0, row.name.find(' ')));
    if (std::ranges::find(names, first) == names.end()) names.push_back(first);
  }
  return names;
}

/// As a pattern of bash.
std::string group_pattern() {
  std::string pattern;
  for (const GroupRow& group : command_groups()) pattern += fmt::format("{}{}", pattern.empty() ? "" : "|", group.name);
  return "@(" + pattern + ")";
}

std::string_view doc_of_group(std::string_view name) {
  for (const GroupRow& group : command_groups()) {
    if (group.name == name) return group.doc;
  }
  return {};
}

/// What `slipway completion --words` is asked for.
std::string_view words_kind(Completes completes) {
  switch (completes) {
    case Completes::run: return "runs";
    case Completes::job: return "jobs";
    case Completes::image: return "images";
    case Completes::step: return "steps";
    case Completes::breakpoint: return "breaks";
    case Completes::live: return "live";
    default: return "codes";
  }
}

// --- bash ---

std::string bash_action(const OptionRow& row) {
  switch (row.completes) {
    case Completes::choices: return fmt::format("COMPREPLY=($(compgen -W '{}' -- \"$cur\"))", words_of(row.choices));
    case Completes::file: return "compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\"))";
    case Completes::directory: return "compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- \"$cur\"))";
    case Completes::run:
    case Completes::job:
    case Completes::image:
    case Completes::step:
    case Completes::breakpoint:
    case Completes::live:
    case Completes::code: return fmt::format("_slipway_words {}", words_kind(row.completes));
    case Completes::nothing: return "COMPREPLY=()";
  }
  return "";
}

std::string bash_case(const CommandRow* command) {
  std::string flags, values;
  std::vector<std::string> positionals;
  for (const OptionRow* row : rows_of(command)) {
    if (row->is_positional()) {
      positionals.push_back(bash_action(*row));
      continue;
    }
    flags += std::string(flags.empty() ? "" : " ") + std::string(row->key());
    if (!row->short_name().empty()) flags += fmt::format(" {}", row->short_name());
    if (row->arity == Arity::flag) continue;
    const std::string names =
        row->short_name().empty() ? std::string(row->key()) : fmt::format("{}|{}", row->short_name(), row->key());
    values += fmt::format("        {}) {}; return ;;\n", names, bash_action(*row));
  }
  std::string text = fmt::format("    '{}')\n      case \"$prev\" in\n{}      esac\n",
                                 command == nullptr ? "" : command->name, values);
  text +=
      fmt::format("      if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '{}' -- \"$cur\")); return; fi\n", flags);
  // The last one stands for all behind it: a flag's value counts too.
  for (std::size_t i = 0; i < positionals.size(); ++i) {
    text += i + 1 < positionals.size()
                ? fmt::format("      if ((seen == {})); then {}; return; fi\n", i, positionals[i])
                : fmt::format("      {}\n", positionals[i]);
  }
  return text + "      ;;\n";
}

std::string bash_script() {
  std::string text =
      "# Completion of slipway for bash. Made by `slipway completion bash`.\n"
      "_slipway_words() {\n"
      "  local word file=''\n"
      "  for word in \"${COMP_WORDS[@]}\"; do [[ $word == *.yaml || $word == *.yml ]] && file=\"$word\"; done\n"
      // Not by `compgen -W`, which would run a command that stands in a word; nor is a word to be one on the line.
      "  local quoted\n  COMPREPLY=()\n"
      "  while IFS= read -r word; do\n"
      "    printf -v quoted %q \"$word\"\n"
      "    [[ $word == \"$cur\"* || $quoted == \"$cur\"* ]] && COMPREPLY+=(\"$quoted\")\n"
      "  done < <(slipway completion --words \"$1\" ${file:+--workflow-file \"$file\"} 2>/dev/null)\n"
      "}\n"
      "_slipway() {\n"
      "  local cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\" command='' word i seen=0\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    word=\"${COMP_WORDS[i]}\"\n";
  std::string skips;
  for (const OptionRow& row : common_options()) {
    if (row.arity != Arity::flag)
      skips += fmt::format("{}{}{}", skips.empty() ? "" : "|",
                           row.short_name().empty() ? "" : fmt::format("{}|", row.short_name()), row.key());
  }
  text += fmt::format("    case \"$word\" in {}) ((i++)); continue ;; -*) continue ;; esac\n", skips);
  text += "    if [[ -z $command ]]; then command=\"$word\"\n";
  text += fmt::format("    elif [[ $command == {} ]]; then command=\"$command $word\"\n", group_pattern());
  text += "    else ((seen++)); fi\n  done\n";
  text +=
      fmt::format("  if [[ -z $command && $cur != -* ]]; then COMPREPLY=($(compgen -W '{}' -- \"$cur\")); return; fi\n",
                  join(first_words(), " "));
  for (const GroupRow& group : command_groups()) {
    text += fmt::format("  if [[ $command == {} ]]; then COMPREPLY=($(compgen -W '{}' -- \"$cur\")); return; fi\n",
                        group.name, join(subcommands_of(group.name), " "));
  }
  text += "  case \"$command\" in\n" + bash_case(nullptr);
  for (const CommandRow& row : command_rows()) text += bash_case(&row);
  return text + "  esac\n}\ncomplete -F _slipway slipway\n";
}

// --- zsh ---

std::string zsh_text(std::string_view text) {
  std::string quoted;
  for (const char c : text) {
    if (c == '\'')
      quoted += "'\\''";
    else if (c == '[' || c == ']' || c == ':')
      quoted += std::string("\\") + c;
    else
      quoted += c;
  }
  return quoted;
}

std::string zsh_action(const OptionRow& row) {
  switch (row.completes) {
    case Completes::choices: return fmt::format("({})", words_of(row.choices));
    case Completes::file: return "_files";
    case Completes::directory: return "_files -/";
    // The blank in front keeps _arguments from adding words of its own.
    case Completes::run:
    case Completes::job:
    case Completes::image:
    case Completes::step:
    case Completes::breakpoint:
    case Completes::live:
    case Completes::code: return fmt::format(" _slipway_words {}", words_kind(row.completes));
    case Completes::nothing: return "";
  }
  return "";
}

std::string zsh_arguments(const CommandRow* command) {
  std::string text = "_arguments -s";
  for (const OptionRow* row : rows_of(command)) {
    if (row->is_positional()) {
      text += fmt::format(" \\\n        '{}:{}:{}'", row->arity == Arity::many ? "*" : "", zsh_text(row->value),
                          zsh_action(*row));
      continue;
    }
    const std::string value =
        row->arity == Arity::flag ? "" : fmt::format(":{}:{}", zsh_text(row->value), zsh_action(*row));
    for (const std::string_view name : {row->short_name(), row->key()}) {
      if (name.empty()) continue;
      text += fmt::format(" \\\n        '{}{}[{}]{}'", row->arity == Arity::many ? "*" : "", name, zsh_text(row->doc),
                          value);
    }
  }
  return text;
}

std::string zsh_script() {
  std::string text =
      "#compdef slipway\n# Completion of slipway for zsh. Made by `slipway completion zsh`.\n"
      "_slipway_words() {\n  local file=${words[(r)*.(yaml|yml)]}\n"
      "  compadd -- ${(f)\"$(slipway completion --words $1 ${file:+--workflow-file} ${file:+$file} 2>/dev/null)\"}\n}\n"
      "_slipway() {\n  local command=\"${words[2]}\"\n";
  for (const GroupRow& group : command_groups()) {
    text += fmt::format("  [[ $command == {0} ]] && command=\"{0} ${{words[3]}}\"\n", group.name);
  }
  text += "  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then\n    local -a commands=(\n";
  for (const std::string& name : first_words()) {
    const CommandRow* row = find_command(name);
    text += fmt::format("      '{}:{}'\n", name, zsh_text(row == nullptr ? doc_of_group(name) : row->doc));
  }
  text += "    )\n    _describe command commands\n    return\n  fi\n";
  for (const GroupRow& group : command_groups()) {
    text +=
        fmt::format("  if (( CURRENT == 3 )) && [[ $words[2] == {} ]]; then\n    local -a commands=(\n", group.name);
    for (const std::string& name : subcommands_of(group.name)) {
      text += fmt::format("      '{}:{}'\n", name, zsh_text(find_command(fmt::format("{} {}", group.name, name))->doc));
    }
    text += "    )\n    _describe command commands\n    return\n  fi\n";
  }
  text += "  case \"$command\" in\n";
  for (const CommandRow& row : command_rows()) {
    const bool has_group = row.name.find(' ') != std::string_view::npos;
    text += fmt::format("    '{}')\n      shift {} words; (( CURRENT -= {} ))\n      {} ;;\n", row.name,
                        has_group ? 2 : 1, has_group ? 2 : 1, zsh_arguments(&row));
  }
  return text + fmt::format("    *)\n      {} ;;\n  esac\n}}\ncompdef _slipway slipway\n", zsh_arguments(nullptr));
}

// --- fish ---

std::string fish_quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

std::string fish_options(const std::string& condition, const OptionRow& row) {
  std::string value;
  if (row.arity != Arity::flag || row.is_positional()) {
    switch (row.completes) {
      case Completes::choices: value = fmt::format(" -xa {}", fish_quoted(words_of(row.choices))); break;
      case Completes::file: value = " -rF"; break;
      case Completes::directory: value = " -xa '(__fish_complete_directories)'"; break;
      case Completes::run:
      case Completes::job:
      case Completes::image:
      case Completes::step:
      case Completes::breakpoint:
      case Completes::live:
      case Completes::code:
        value = fmt::format(" -xa '(slipway completion --words {} 2>/dev/null)'", words_kind(row.completes));
        break;
      case Completes::nothing: value = " -x"; break;
    }
  }
  const std::string when = condition.empty() ? "" : fmt::format(" -n {}", fish_quoted(condition));
  if (row.is_positional()) {
    if (row.completes == Completes::nothing) return "";
    // Behind a condition alone, `-r` would ask for a flag's value.
    return fmt::format("complete -c slipway{}{}\n", when, row.completes == Completes::file ? " -F" : value);
  }
  const std::string brief = row.short_name().empty() ? "" : fmt::format(" -s {}", row.short_name().substr(1));
  return fmt::format("complete -c slipway{}{} -l {}{} -d {}\n", when, brief, row.key().substr(2), value,
                     fish_quoted(row.doc));
}

std::string fish_script() {
  std::string text = "# Completion of slipway for fish. Made by `slipway completion fish`.\ncomplete -c slipway -f\n";
  for (const std::string& name : first_words()) {
    const CommandRow* row = find_command(name);
    text += fmt::format("complete -c slipway -n __fish_use_subcommand -a {} -d {}\n", name,
                        fish_quoted(row == nullptr ? doc_of_group(name) : row->doc));
  }
  for (const OptionRow& row : root_options()) text += fish_options("__fish_use_subcommand", row);
  for (const OptionRow& row : common_options()) text += fish_options("", row);
  for (const CommandRow& row : command_rows()) {
    std::string condition = fmt::format("__fish_seen_subcommand_from {}", row.name);
    if (const std::size_t space = row.name.find(' '); space != std::string_view::npos) {
      const std::string_view first = row.name.substr(0, space), name = row.name.substr(space + 1);
      const std::string only = fmt::format("__fish_seen_subcommand_from {}; and not __fish_seen_subcommand_from {}",
                                           first, join(subcommands_of(first), " "));
      text += fmt::format("complete -c slipway -n {} -a {} -d {}\n", fish_quoted(only), name, fish_quoted(row.doc));
      condition = fmt::format("__fish_seen_subcommand_from {}; and __fish_seen_subcommand_from {}", first, name);
    }
    for (const auto& group : row.options) {
      for (const OptionRow& option : group) text += fish_options(condition, option);
    }
  }
  return text;
}

std::string one_a_line(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += printable(word, Colour::strip) + "\n";
  return text;
}

}  // namespace

Result<std::string> job_words(const std::string& file, const std::filesystem::path& working_dir,
                              const std::filesystem::path& project) {
  std::vector<std::string> files;
  if (!file.empty()) files.push_back(file);
  SW_TRY(const std::vector<DefinitionFile> read, read_definitions(files, working_dir, project));
  std::vector<std::string> names;
  for (const DefinitionFile& definition : read) {
    if (!definition.workflow) continue;
    for (const model::JobDefinition& job : definition.workflow->jobs) names.push_back(job.name);
  }
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return one_a_line(names);
}

Result<std::string> step_words(Completes what, const std::string& file, const std::filesystem::path& working_dir,
                               const std::filesystem::path& project) {
  std::vector<std::string> files;
  if (!file.empty()) files.push_back(file);
  SW_TRY(const std::vector<DefinitionFile> read, read_definitions(files, working_dir, project));
  const bool are_breaks = what == Completes::breakpoint;
  std::set<std::string> names;
  if (are_breaks) names.insert("on-failure");
  for (const DefinitionFile& definition : read) {
    if (!definition.workflow) continue;
    for (const model::JobDefinition& job : definition.workflow->jobs) {
      for (const model::StepDefinition& step : job.steps) {
        names.insert(step.name);
        if (are_breaks) names.insert("before:" + step.name);
      }
    }
  }
  return one_a_line({names.begin(), names.end()});
}

std::string help_words() {
  std::vector<std::string> words;
  for (const definition::Code& code : definition::codes()) words.emplace_back(code.code);
  for (const CommandRow& row : command_rows()) words.emplace_back(row.name);
  return one_a_line(words);
}

Result<std::string> run_words(RunHistory& history) {
  constexpr std::size_t kMostRuns = 50;
  SW_TRY(const std::vector<RunEntry> runs, history.list(kMostRuns, {}));
  std::vector<std::string> words = {"latest"};
  for (const RunEntry& run : runs) words.push_back(run.id.value);
  return one_a_line(words);
}

std::string image_words(const std::vector<ImageEntry>& images) {
  std::vector<std::string> words;
  for (const ImageEntry& image : images) {
    words.push_back(image.id);
    for (const auto& [name, digest] : image.names) words.push_back(name);
  }
  return one_a_line(words);
}

Result<std::string> completion_script(const std::string& shell) {
  if (shell == "bash") return bash_script();
  if (shell == "zsh") return zsh_script();
  if (shell == "fish") return fish_script();
  return fail(ErrorKind::invalid, fmt::format("no completion for `{}`: bash, zsh or fish", shell));
}

}  // namespace slipway::cli
