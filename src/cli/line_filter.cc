#include "cli/line_filter.h"

#include <regex.h>

namespace slipway::cli {

struct LineFilter::Expression {
  regex_t compiled{};
  bool is_compiled = false;
  ~Expression() {
    if (is_compiled) ::regfree(&compiled);
  }
};

LineFilter::LineFilter() = default;
LineFilter::LineFilter(LineFilter&&) noexcept = default;
LineFilter& LineFilter::operator=(LineFilter&&) noexcept = default;
LineFilter::~LineFilter() = default;

Result<LineFilter> LineFilter::make(const std::string& pattern, Case letters) {
  constexpr std::size_t kLongestPattern = 4096;
  if (pattern.size() > kLongestPattern) return fail(ErrorKind::invalid, "--grep: the pattern is too long");
  LineFilter filter;
  if (letters == Case::exact && pattern.find_first_of("\\^$.[]|()?*+{}") == std::string::npos) {
    filter.literal_ = pattern;
    return filter;
  }
  filter.expression_ = std::make_unique<Expression>();
  const int flags = REG_EXTENDED | REG_NOSUB | (letters == Case::ignore ? REG_ICASE : 0);
  if (const int problem = ::regcomp(&filter.expression_->compiled, pattern.c_str(), flags); problem != 0) {
    std::string text(200, '\0');
    text.resize(std::min(text.size(), ::regerror(problem, &filter.expression_->compiled, text.data(), text.size())) -
                1);
    return fail(ErrorKind::invalid, fmt::format("--grep: {}", text));
  }
  filter.expression_->is_compiled = true;
  return filter;
}

bool LineFilter::matches(std::string_view line) const {
  if (!expression_)
    return literal_.empty() || ::memmem(line.data(), line.size(), literal_.data(), literal_.size()) != nullptr;
  // REG_STARTEND: the text needs no NUL behind it, so that no line is copied.
  regmatch_t range{.rm_so = 0, .rm_eo = static_cast<regoff_t>(line.size())};
  return ::regexec(&expression_->compiled, line.data(), 0, &range, REG_STARTEND) == 0;
}

}  // namespace slipway::cli
