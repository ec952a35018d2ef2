#include <cctype>
#include <deque>

#include "cli/log_line.h"
#include "cli/summary.h"
#include "cli/terminal_text.h"
#include "journal/lines.h"
#include "journal/seal.h"

namespace slipway::cli {

namespace {

constexpr std::uint64_t kMaxBytes = 256U << 20U;
constexpr std::size_t kLongestShown = 300;

// In lower case. What compilers, test runners and shells say when something is wrong.
constexpr std::string_view kPatterns[] = {"error:",
                                          "error[",
                                          " error ",
                                          "fatal",
                                          "failed",
                                          "failure",
                                          "fail:",
                                          "assert",
                                          "panic",
                                          "exception",
                                          "traceback",
                                          "undefined reference",
                                          "segmentation fault",
                                          "not ok ",
                                          "no such file",
                                          "permission denied",
                                          "not found",
                                          "aborted",
                                          "core dumped",
                                          "cannot ",
                                          "unable to "};
// ... and what they say when nothing is.
constexpr std::string_view kHarmless[] = {"0 failed", "0 errors", "no errors", "0 failures",  "fail: 0",
                                          "fail:  0", "error: 0", "failed: 0", "failures: 0", "tests passed, 0"};

std::string shown(std::string_view line) {
  std::string text;
  std::string drawn;
  append_printable(text, visible_line(line, drawn).substr(0, kLongestShown), Colour::strip);
  return text;
}

bool has(std::string_view text, std::string_view part) {
  return ::memmem(text.data(), text.size(), part.data(), part.size()) != nullptr;
}

// `make: *** [all] Error 1`, `x.mk:3: *** missing separator.  Stop.`: three stars alone are a masked secret.
bool is_makes(std::string_view lower) {
  const bool of_make = lower.starts_with("make") || lower.starts_with("gmake") || lower.ends_with("stop.");
  return of_make && has(lower, ": *** ");
}

// What the control command says of itself, above its usage.
bool is_control_commands(std::string_view lower) { return lower.starts_with("slipway: "); }

}  // namespace

bool looks_like_error(std::string_view line) {
  thread_local std::string lower;  // no allocation a line
  line = line.substr(0, 1000);
  lower.resize(line.size());
  std::ranges::transform(line, lower.begin(),
                         [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
  const auto within = [&](std::string_view part) { return has(lower, part); };
  const bool worded = std::ranges::any_of(kPatterns, within) && std::ranges::none_of(kHarmless, within);
  return worded || is_makes(lower) || is_control_commands(lower);
}

std::vector<std::string> error_lines(const std::string& journal_path, std::uint16_t step, std::size_t most) {
  auto source = journal::open_source(journal_path);
  if (!source) return {};
  auto reader = journal::LineReader::open(std::move(*source), {.step = step});
  if (!reader) return {};
  std::vector<std::string> errors;
  std::deque<std::string> last;
  std::uint64_t read = 0;
  wire::Folds folds;
  const auto take = [&](std::string_view text, bool from_source) {
    read += text.size() + 1;
    if (trim(text).empty()) return;
    if (wire::may_be_mark(text)) {
      const wire::LogMark mark = folds.see(text, from_source);
      if (mark.kind == wire::LogMark::Kind::annotation) {
        const bool is_error = mark.annotation.level == wire::payload::Annotation::Level::error;
        if (is_error) errors.push_back(shown(*mark_text(mark, text, false)));
        return;
      }
      if (mark.kind != wire::LogMark::Kind::none) return;
    }
    if (looks_like_error(text)) errors.push_back(shown(text));
    if (last.size() == most) last.pop_front();
    last.emplace_back(text.substr(0, 2 * kLongestShown));
  };
  while (errors.size() < most && read < kMaxBytes) {
    const auto next = reader->next();
    if (!next || next->what == journal::LineReader::Next::What::end) break;
    if (next->what == journal::LineReader::Next::What::line && next->line.lost_bytes == 0) {
      take(next->line.text, next->line.from_source);
    }
  }
  while (const auto open = reader->take_open_line()) take(open->text, open->from_source);
  if (!errors.empty()) {
    errors.resize(std::min(errors.size(), most));
    return errors;
  }
  std::vector<std::string> lines;
  for (const std::string& text : last) lines.push_back(shown(text));
  return lines;
}

}  // namespace slipway::cli
