#include "cli/log_line.h"

#include "cli/plain_view.h"

namespace slipway::cli {

namespace {

// Text with newlines (`%0A`) stays one line.
std::string on_one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  std::ranges::replace(text, '\r', ' ');
  return text;
}

}  // namespace

std::string group_text(std::string_view name, bool colour) {
  return fmt::format("{}▸ {}{}", bold(colour), on_one_line(std::string(name)), reset(colour));
}

std::optional<std::string> mark_text(const wire::LogMark& mark, std::string_view printed, bool colour) {
  using Kind = wire::LogMark::Kind;
  switch (mark.kind) {
    case Kind::open: return group_text(mark.text, colour);
    case Kind::close:
    case Kind::expand: return std::nullopt;
    case Kind::annotation: {
      const auto level = mark_of(mark.annotation.level);
      return fmt::format("{}{}{}", level ? colour_of(*level, colour) : bold(colour),
                         on_one_line(annotation_text(mark.annotation)), reset(colour));
    }
    case Kind::debug: return fmt::format("{}debug: {}{}", dim(colour), on_one_line(mark.text), reset(colour));
    case Kind::none:
    case Kind::mask:
    case Kind::stop:
    case Kind::resume: return std::string(printed);
  }
  return std::string(printed);
}

std::optional<std::string> take_group(std::string_view payload, wire::Folds& folds, bool colour) {
  const auto group = wire::payload::decode<wire::payload::Group>(payload);
  if (!group) return std::nullopt;
  if (!group->start) {
    folds.close();
    return std::nullopt;
  }
  folds.open(group->name);
  return group_text(group->name, colour);
}

}  // namespace slipway::cli
