#include "cli/arguments.h"

#include <deque>

#include <CLI/CLI.hpp>

#include "base/text.h"

namespace slipway::cli {

std::string Arguments::one(std::string_view key) const {
  const auto found = values.find(key);
  return found == values.end() || found->second.empty() ? std::string() : found->second.back();
}

std::vector<std::string> Arguments::all(std::string_view key) const {
  const auto found = values.find(key);
  return found == values.end() ? std::vector<std::string>() : found->second;
}

namespace {

// CLI11 writes into these; a deque so that they stay where they are.
struct Slot {
  const OptionRow* row = nullptr;
  CLI::Option* option = nullptr;
  std::vector<std::string> values;
};

void add_row(CLI::App& app, const OptionRow& row, std::deque<Slot>& slots) {
  if (row.names == kCommandBehindDashes) return;
  Slot& slot = slots.emplace_back();
  slot.row = &row;
  if (row.arity == Arity::flag) {
    slot.option = app.add_flag(std::string(row.names));
    return;
  }
  slot.option = app.add_option(std::string(row.names), slot.values);
  const bool many_words = row.is_positional() && row.arity == Arity::many;
  // A flag takes one word each time it is written; only the last of an `Arity::one` counts.
  if (!many_words) slot.option->expected(1)->allow_extra_args(false);
  if (row.arity == Arity::many && !many_words) slot.option->take_all();
  if (row.arity == Arity::one && !row.is_positional())
    slot.option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  if (row.required) slot.option->required();
}

std::vector<std::string> flag_names(const CommandRow* command) {
  std::vector<std::string> names;
  const auto add = [&](std::span<const OptionRow> rows) {
    for (const OptionRow& row : rows) {
      if (!row.is_positional()) names.emplace_back(row.key());
    }
  };
  if (command == nullptr) {
    add(root_options());
  } else {
    for (const auto& group : command->options) add(group);
  }
  add(common_options());
  return names;
}

std::string see_help(const CommandRow* command) {
  return command == nullptr ? "see `slipway --help`" : fmt::format("see `slipway {} --help`", command->name);
}

std::unexpected<Error> unknown_word(const std::string& word, const CommandRow* command) {
  if (!word.starts_with('-')) {
    return fail(ErrorKind::invalid, fmt::format("unexpected argument `{}`; {}", word, see_help(command)));
  }
  const std::string name = word.substr(0, word.find('='));
  const auto near = nearest(name, flag_names(command));
  return fail(ErrorKind::invalid,
              fmt::format("unknown option `{}`{}; {}", name, near ? fmt::format(", did you mean `{}`?", *near) : "",
                          see_help(command)));
}

Result<void> check_choice(const OptionRow& row, const std::string& value) {
  if (row.choices.empty() || row.completes != Completes::choices) return {};
  std::vector<std::string> choices;
  for (const std::string_view choice : split(row.choices, '|')) choices.emplace_back(choice);
  if (std::ranges::find(choices, value) != choices.end()) return {};
  const auto near = nearest(value, choices);
  return fail(ErrorKind::invalid, fmt::format("{}: `{}` is not one of {}{}", row.key(), value, fmt::join(choices, ", "),
                                              near ? fmt::format("; did you mean `{}`?", *near) : ""));
}

bool takes_command(const CommandRow* command) {
  if (command == nullptr) return false;
  return std::ranges::any_of(command->options, [](std::span<const OptionRow> rows) {
    return std::ranges::any_of(rows, [](const OptionRow& row) { return row.names == kCommandBehindDashes; });
  });
}

Result<void> parse_into(Arguments& arguments, std::vector<std::string> words) {
  CLI::App app;
  app.set_help_flag();  // --help is a row like others
  app.allow_extras();
  std::deque<Slot> slots;
  const auto add = [&](std::span<const OptionRow> rows) {
    for (const OptionRow& row : rows) add_row(app, row, slots);
  };
  if (arguments.command == nullptr) {
    add(root_options());
  } else {
    for (const auto& group : arguments.command->options) add(group);
  }
  add(common_options());
  // `--help` must not be kept from answering by an argument that is missing.
  const auto end_of_options = std::ranges::find(words, "--");
  const bool wants_help = std::any_of(words.begin(), end_of_options,
                                      [](const std::string& word) { return word == "--help" || word == "-h"; });
  if (wants_help) {
    arguments.values["--help"] = {};
    return {};
  }
  if (takes_command(arguments.command) && end_of_options != words.end()) {
    arguments.values[std::string(kCommandBehindDashes)].assign(end_of_options + 1, words.end());
    words.erase(end_of_options, words.end());
    if (arguments.values[std::string(kCommandBehindDashes)].empty()) {
      return fail(ErrorKind::invalid, fmt::format("nothing stands behind `--`; {}", see_help(arguments.command)));
    }
  }
  std::ranges::reverse(words);  // CLI11 takes them from the back
  try {
    app.parse(words);
  } catch (const CLI::RequiredError&) {
    for (const Slot& slot : slots) {
      if (slot.row->required && slot.option->count() == 0) {
        return fail(ErrorKind::invalid, fmt::format("{} is missing; {}", slot.row->key(), see_help(arguments.command)));
      }
    }
    return fail(ErrorKind::invalid, see_help(arguments.command));
  } catch (const CLI::Error& error) {
    return fail(ErrorKind::invalid, fmt::format("{}; {}", error.what(), see_help(arguments.command)));
  }
  if (const auto extra = app.remaining(); !extra.empty()) return unknown_word(extra.front(), arguments.command);
  for (Slot& slot : slots) {
    if (slot.option->count() == 0) continue;
    for (const std::string& value : slot.values) SW_CHECK(check_choice(*slot.row, value));
    arguments.values[std::string(slot.row->key())] = std::move(slot.values);
  }
  return {};
}

bool takes_value(std::string_view word) {
  if (word.find('=') != std::string_view::npos) return false;
  return std::ranges::any_of(common_options(), [&](const OptionRow& row) {
    return row.arity != Arity::flag && (row.key() == word || row.short_name() == word);
  });
}

// The index of the first word that is no flag and no flag's value, from `from` on; words.size() if there is none.
std::size_t find_word(const std::vector<std::string>& words, std::size_t from) {
  std::size_t at = from;
  while (at < words.size() && words[at].starts_with('-') && words[at] != "--") at += takes_value(words[at]) ? 2 : 1;
  return std::min(at, words.size());
}

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const CommandRow& row : command_rows()) {
    const std::string first(row.name.substr(0, row.name.find(' ')));
    if (names.empty() || names.back() != first) names.push_back(first);
  }
  return names;
}

// `runs` alone lists them.
Result<const CommandRow*> find_group_command(std::vector<std::string>& words, std::size_t at) {
  const std::string group = words[at];
  const std::size_t second = find_word(words, at + 1);
  words.erase(words.begin() + static_cast<std::ptrdiff_t>(at));
  if (second > words.size() || second - 1 >= words.size()) return find_command(group + " ls");
  const std::string word = words[second - 1];
  if (const CommandRow* row = find_command(group + " " + word); row != nullptr) {
    words.erase(words.begin() + static_cast<std::ptrdiff_t>(second - 1));
    return row;
  }
  std::vector<std::string> names;
  for (const CommandRow& row : command_rows()) {
    if (row.name.starts_with(group + " ")) names.emplace_back(row.name.substr(group.size() + 1));
  }
  const auto near = nearest(word, names);
  return fail(ErrorKind::invalid,
              fmt::format("unknown command `{} {}`{}; there are: {}", group, word,
                          near ? fmt::format(", did you mean `{} {}`?", group, *near) : "", fmt::join(names, ", ")));
}

}  // namespace

std::string job_command_hint(std::string_view name) {
  constexpr std::string_view kCommands[] = {"output", "var",     "mask",  "trigger",       "annotate", "artifact",
                                            "group",  "sandbox", "state", "changed-files", "git-info"};
  if (std::ranges::find(kCommands, name) == std::ranges::end(kCommands)) return {};
  return fmt::format(
      "`slipway {0}` is a command inside a job, for its steps to call: see docs/{1}, or `slipway {0} --help` there",
      name, name == "sandbox" ? "siblings.md" : "first-job.md");
}

Result<Arguments> read_arguments(const std::vector<std::string>& given) {
  Arguments arguments;
  std::vector<std::string> words = given;
  const std::size_t at = find_word(words, 0);
  if (at < words.size()) {
    const std::string name = words[at];
    if (std::ranges::any_of(command_groups(), [&](const GroupRow& group) { return group.name == name; })) {
      if (find_word(words, at + 1) >= words.size()) arguments.group = name;
      SW_TRY(arguments.command, find_group_command(words, at));
    } else if (arguments.command = find_command(name); arguments.command != nullptr) {
      words.erase(words.begin() + static_cast<std::ptrdiff_t>(at));
    } else {
      if (name.ends_with(".yaml") || name.ends_with(".yml")) {
        return fail(ErrorKind::invalid, fmt::format("`{}` is no command, did you mean `slipway run {}`?", name, name));
      }
      if (const std::string hint = job_command_hint(name); !hint.empty()) return fail(ErrorKind::invalid, hint);
      const auto near = nearest(name, command_names());
      return fail(ErrorKind::invalid, fmt::format("unknown command `{}`{}; see `slipway --help`", name,
                                                  near ? fmt::format(", did you mean `{}`?", *near) : ""));
    }
  }
  SW_CHECK(parse_into(arguments, std::move(words)));
  return arguments;
}

}  // namespace slipway::cli
