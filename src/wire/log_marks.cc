#include "wire/log_marks.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace slipway::wire {

namespace {

// `%25 %0D %0A`, and within a property `%3A %2C`. Upper or lower case, as their runner does.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      int value = 0;
      const auto [end, error] = std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
      const bool is_theirs = value == 0x25 || value == 0x0D || value == 0x0A || value == 0x3A || value == 0x2C;
      if (error == std::errc() && end == text.data() + i + 3 && is_theirs) {
        out += static_cast<char>(value);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

int number_of(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number > 0 ? number : 0;
}

void set_property(payload::Annotation& annotation, std::string_view key, const std::string& value) {
  if (key == "file") annotation.file = value.substr(0, kMostName);
  if (key == "title") annotation.title = value.substr(0, kMostName);
  if (key == "line") annotation.line = number_of(value);
  if (key == "endLine") annotation.end_line = number_of(value);
  if (key == "col") annotation.column = number_of(value);
}

LogMark of_kind(LogMark::Kind kind, std::string text = {}) {
  LogMark mark;
  mark.kind = kind;
  mark.text = std::move(text);
  return mark;
}

LogMark annotation_of(payload::Annotation::Level level, std::string_view properties, std::string_view message) {
  LogMark mark = of_kind(LogMark::Kind::annotation);
  mark.annotation.level = level;
  mark.annotation.printed = true;
  for (const std::string_view property : split(properties, ',')) {
    const std::size_t equals = property.find('=');
    if (equals == std::string_view::npos) continue;
    set_property(mark.annotation, trim(property.substr(0, equals)), unescaped(property.substr(equals + 1)));
  }
  mark.annotation.message = unescaped(message).substr(0, kMostMessage);
  return mark;
}

// `::COMMAND PROPERTIES::TEXT`, the leading colons cut off.
LogMark read_github(std::string_view line) {
  const std::size_t end = line.find("::");
  if (end == std::string_view::npos) return {};
  const std::string_view head = line.substr(0, end), rest = line.substr(end + 2);
  const std::size_t space = head.find(' ');
  const std::string_view command = head.substr(0, space);
  const std::string_view properties = space == std::string_view::npos ? std::string_view() : head.substr(space + 1);
  using Kind = LogMark::Kind;
  if (command == "group") return of_kind(Kind::open, unescaped(rest.substr(0, kMostName)));
  if (command == "endgroup") return of_kind(Kind::close);
  if (const auto level = payload::annotation_level_of(command)) return annotation_of(*level, properties, rest);
  if (command == "debug") return of_kind(Kind::debug, unescaped(rest.substr(0, kMostMessage)));
  if (command == "add-mask") return of_kind(Kind::mask, unescaped(rest));
  if (command == "stop-commands") return of_kind(Kind::stop, std::string(trim(rest)));
  if (rest.empty() && !command.empty()) return of_kind(Kind::resume, std::string(head));
  return {};
}

// `section_start:SECONDS:NAME[OPTIONS]\r\e[0KHEADER`; what stands before it is `\e[0K` or nothing.
LogMark read_gitlab(std::string_view line) {
  constexpr std::string_view kStart = "section_start:", kEnd = "section_end:";
  const std::size_t at = line.find("section_");
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at);
  const bool starts = line.starts_with(kStart);
  if (!starts && !line.starts_with(kEnd)) return {};
  line.remove_prefix(starts ? kStart.size() : kEnd.size());
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0 ||
      line.substr(0, colon).find_first_not_of("0123456789") != std::string_view::npos)
    return {};
  line.remove_prefix(colon + 1);
  const std::size_t stop = std::min(line.find('\r'), line.size());
  std::string_view name = line.substr(0, stop);
  std::string_view header = line.substr(std::min(stop + 1, line.size()));
  if (header.starts_with("\x1b[0K")) header.remove_prefix(4);
  LogMark mark = of_kind(starts ? LogMark::Kind::open : LogMark::Kind::close);
  if (const std::size_t options = name.find('['); options != std::string_view::npos) {
    if (name.substr(options).find("collapsed=true") != std::string_view::npos) mark.shown = LogMark::Shown::closed;
    name = name.substr(0, options);
  }
  mark.name = name.substr(0, kMostName);
  mark.text = trim(header).empty() ? mark.name : std::string(header.substr(0, kMostName));
  return mark;
}

bool is_of_diff_or_go(std::string_view text) {
  if (text.find('\t') != std::string_view::npos) return true;
  for (const std::string_view begin : {"a/", "b/", "/dev/null", "PASS: ", "FAIL: ", "SKIP: ", "BENCH: "}) {
    if (text.starts_with(begin)) return true;
  }
  return false;
}

LogMark read_buildkite(std::string_view line) {
  if (trim(line) == "^^^ +++") return of_kind(LogMark::Kind::expand);
  const char sign = line[0];
  if (sign == '^' || line.size() < 5 || line[3] != ' ') return {};
  const std::string_view text = trim(line.substr(4));
  if (text.empty() || (sign != '~' && is_of_diff_or_go(text))) return {};
  LogMark mark = of_kind(LogMark::Kind::open, std::string(text.substr(0, kMostName)));
  mark.shown = sign == '+' ? LogMark::Shown::open : sign == '~' ? LogMark::Shown::closed : LogMark::Shown::automatic;
  mark.is_flat = true;
  return mark;
}

}  // namespace

LogMark read_mark(std::string_view line) {
  if (!may_be_mark(line)) return {};
  if (line[0] == ':') return read_github(line.substr(2, line.ends_with('\r') ? line.size() - 3 : line.size() - 2));
  if (line[0] == 's' || line[0] == '\x1b' || line[0] == '\r') return read_gitlab(line);
  return read_buildkite(line);
}

LogMark Folds::see(std::string_view line, bool from_source) {
  using Kind = LogMark::Kind;
  if (!from_source) end_siblings();
  if (!may_be_mark(line)) return {};
  LogMark mark = read_mark(line);
  if (!stopped_until_.empty()) {
    if (mark.kind == Kind::resume && mark.text == stopped_until_ && !from_source) stopped_until_.clear();
    return {};
  }
  const auto first = from_source ? groups_.end() - static_cast<std::ptrdiff_t>(siblings_) : groups_.begin();
  switch (mark.kind) {
    case Kind::open:
      if (mark.is_flat && first != groups_.end() && groups_.back().is_flat) cut(names_.size() - 1);
      push(mark.text, {mark.name, mark.is_flat}, from_source);
      return mark;
    case Kind::close: {
      if (first == groups_.end()) return mark;
      const auto named =
          mark.name.empty() ? groups_.end() - 1 : std::ranges::find(first, groups_.end(), mark.name, &Group::key);
      if (named != groups_.end()) cut(static_cast<std::size_t>(named - groups_.begin()));
      return mark;
    }
    case Kind::expand: return mark;
    case Kind::stop:
      if (from_source || mark.text.empty()) return {};
      stopped_until_ = mark.text;
      return {};
    case Kind::annotation:
    case Kind::debug:
    case Kind::mask:
      if (!from_source) return mark;
      break;
    case Kind::resume:
    case Kind::none: break;
  }
  return {};
}

void Folds::open(std::string name) {
  end_siblings();
  push(std::move(name), {}, false);
}

void Folds::close() {
  end_siblings();
  if (!names_.empty()) cut(names_.size() - 1);
}

void Folds::push(std::string name, Group group, bool from_source) {
  if (names_.size() >= kDeepest) return;
  names_.push_back(std::move(name));
  groups_.push_back(std::move(group));
  if (from_source) ++siblings_;
  path_ = join(names_, " / ");
}

// Always true.
bool Folds::cut(std::size_t depth) {
  siblings_ -= std::min(siblings_, names_.size() - depth);
  names_.resize(depth);
  groups_.resize(depth);
  path_ = join(names_, " / ");
  return true;
}

}  // namespace slipway::wire
