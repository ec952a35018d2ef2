#include "definition/dialects/command.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace slipway::definition {

namespace {

bool begins_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool holds_variable(std::string_view text) {
  for (std::size_t at = text.find('$'); at != std::string_view::npos; at = text.find('$', at + 1)) {
    if (at + 1 < text.size() && (text[at + 1] == '{' || begins_name(text[at + 1]))) return true;
  }
  return false;
}

std::string sign_of_shell(const std::vector<std::string>& words) {
  constexpr std::array<std::string_view, 10> kSigns = {"&&", "||", "|", ";", ">", ">>", "<", "&", "2>&1", "2>"};
  for (const std::string& word : words) {
    if (std::ranges::find(kSigns, word) != kSigns.end()) return word;
    if (word.find("$(") != std::string::npos || word.find('`') != std::string::npos) return word;
    if (word.size() > 1 && word.back() == ';') return word;
  }
  return {};
}

}  // namespace

CommandWords split_words(std::string_view line) {
  CommandWords made;
  std::string word;
  bool in_word = false;
  char quote = '\0';
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote == '\'') {
      if (c == quote)
        quote = '\0';
      else
        word += c;
    } else if (c == '\\' && i + 1 < line.size() && (quote == '\0' || line[i + 1] == '"' || line[i + 1] == '\\')) {
      word += line[++i];
      in_word = true;
    } else if (quote == '"') {
      if (c == quote)
        quote = '\0';
      else
        word += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
      in_word = true;
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      if (in_word) made.words.push_back(std::move(word));
      word.clear();
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (in_word) made.words.push_back(std::move(word));
  made.quote_is_open = quote != '\0';
  return made;
}

CommandWords command_words(std::string_view command, std::string_view prefix) {
  const bool several_lines = command.find('\n') != std::string_view::npos;
  if (several_lines || holds_variable(command)) {
    CommandWords made;
    if (several_lines && !trim(prefix).empty()) made = split_words(prefix);
    if (made.words.empty()) made.words = {"sh", "-c"};
    made.words.emplace_back(command);
    made.by_shell = true;
    return made;
  }
  CommandWords made = split_words(command);
  made.shell_sign = sign_of_shell(made.words);
  return made;
}

std::optional<std::string> unwrapped_script(const std::vector<std::string>& words) {
  constexpr std::array<std::string_view, 2> kPythons = {"python", "python3"};
  std::size_t at = 0;
  if (words.size() > 3 && std::ranges::find(kPythons, words[0]) != kPythons.end() && words[1] == "-m" &&
      (words[2] == "runnerlib" || words[2] == "runnerlib.cli")) {
    at = 3;
  } else if (words.size() > 1 && words[0] == "runnerlib") {
    at = 1;
  }
  if (at == 0 || words[at] != "run") return std::nullopt;
  constexpr std::string_view kFlag = "--job-command";
  if (words.size() == at + 3 && words[at + 1] == kFlag) return words[at + 2];
  if (words.size() == at + 2 && words[at + 1].starts_with("--job-command=")) {
    return words[at + 1].substr(kFlag.size() + 1);
  }
  return std::nullopt;
}

}  // namespace slipway::definition
