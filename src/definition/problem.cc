#include "definition/problem.h"

#include <tuple>

#include <fmt/format.h>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/text.h"

namespace slipway::definition {

namespace {

constexpr std::size_t kMaxExcerpt = 120;  // bytes of a line that are shown
constexpr std::size_t kBeforeCaret = 60;  // of these, when the line is cut in front

std::optional<std::string_view> line_of(std::string_view source, int line) {
  if (line < 1) return std::nullopt;
  std::size_t begin = 0;
  for (int i = 1; i < line; ++i) {
    begin = source.find('\n', begin);
    if (begin == std::string_view::npos) return std::nullopt;
    ++begin;
  }
  std::string_view text = source.substr(begin, source.find('\n', begin) - begin);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

std::size_t columns(std::string_view shown) {
  return static_cast<std::size_t>(std::ranges::count_if(shown, [](char c) { return !is_continuation(c); }));
}

// The bytes of the word that begins `text`: what to underline when the problem does not say.
std::size_t word_length(std::string_view text) {
  if (text.empty()) return 1;
  if (text[0] == '"' || text[0] == '\'') {
    const std::size_t close = text.find(text[0], 1);
    return close == std::string_view::npos ? text.size() : close + 1;
  }
  if (text.starts_with("{{")) {
    const std::size_t close = text.find("}}");
    return close == std::string_view::npos ? 2 : close + 2;
  }
  const std::size_t end = text.find_first_of(" \t:,]}#\"'()");
  return std::max<std::size_t>(1, std::min(end, text.size()));
}

}  // namespace

std::string render(const Problem& problem, std::string_view source) {
  if (source.starts_with("\xEF\xBB\xBF")) source.remove_prefix(3);
  std::string text = printable(problem.place.file, Colour::strip);
  if (problem.place.line > 0) text += fmt::format(":{}:{}", problem.place.line, problem.place.column);
  text += fmt::format(": {}{}\n", problem.severity == Severity::note ? "note: " : "",
                      printable(problem.message, Colour::strip));
  const std::string hint = printable(problem.hint, Colour::strip);
  const auto line = line_of(source, problem.place.line);
  const auto column = static_cast<std::size_t>(std::max(problem.place.column, 1)) - 1;
  if (!line || column > line->size() || problem.hides_line)
    return hint.empty() ? text : text + fmt::format("      {}\n", hint);

  std::size_t begin = 0;
  if (line->size() > kMaxExcerpt && column > kBeforeCaret) {
    begin = column - kBeforeCaret;
    while (begin > 0 && is_continuation((*line)[begin])) --begin;
  }
  std::size_t end = std::min(line->size(), begin + kMaxExcerpt);
  while (end < line->size() && is_continuation((*line)[end])) ++end;
  const auto shown = [&](std::size_t from, std::size_t to) {
    return printable(line->substr(from, to - from), Colour::strip);
  };
  const std::string lead = begin > 0 ? "..." : "";

  // Tabs stay tabs in front of the caret, so that it stands below what it means at any tab width.
  std::string padding(lead.size(), ' ');
  for (const char c : shown(begin, column)) {
    if (!is_continuation(c)) padding += c == '\t' ? '\t' : ' ';
  }
  const std::size_t wanted =
      problem.length > 0 ? static_cast<std::size_t>(problem.length) : word_length(line->substr(column));
  const std::size_t underlined = std::max<std::size_t>(1, columns(shown(column, std::min(end, column + wanted))));
  text += fmt::format("{:>5} | {}{}{}\n", problem.place.line, lead, shown(begin, end), end < line->size() ? "..." : "");
  text += fmt::format("      | {}^{}{}{}\n", padding, std::string(underlined - 1, '~'), hint.empty() ? "" : " ", hint);
  return text;
}

std::string to_json(const Problem& problem) {
  boost::json::object object;
  object["type"] = "problem";
  object["code"] = problem.code;
  object["severity"] = problem.severity == Severity::error ? "error" : "note";
  object["file"] = printable(problem.place.file, Colour::strip);
  object["line"] = problem.place.line;
  object["column"] = problem.place.column;
  object["message"] = printable(problem.message, Colour::strip);
  object["hint"] = printable(problem.hint, Colour::strip);
  return boost::json::serialize(object);
}

void sort_problems(std::vector<Problem>& problems) {
  const auto key = [](const Problem& p) {
    return std::tie(p.place.file, p.place.line, p.place.column, p.code, p.message);
  };
  std::ranges::stable_sort(problems, [&](const Problem& a, const Problem& b) { return key(a) < key(b); });
  const auto repeated =
      std::ranges::unique(problems, [&](const Problem& a, const Problem& b) { return key(a) == key(b); });
  problems.erase(repeated.begin(), repeated.end());
}

bool has_errors(const std::vector<Problem>& problems) {
  return std::ranges::any_of(problems, [](const Problem& problem) { return problem.severity == Severity::error; });
}

}  // namespace slipway::definition
