#include "secrets/plain_text.h"

#include <algorithm>
#include <optional>

namespace slipway::secrets {
namespace {

constexpr char kEscape = '\x1b';
constexpr std::size_t kLongestSequence = 128;  // what goes on longer is text

bool within(char c, char low, char high) { return c >= low && c <= high; }

/// How long the sequence at the front of `text`, an ESC, is: 0 if it is none, nothing if more must come to know.
std::optional<std::size_t> sequence_length(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  const bool csi = text[1] == '[';
  std::size_t at = csi ? 2 : 1;
  while (at < text.size() && at < kLongestSequence && within(text[at], ' ', csi ? '?' : '/')) ++at;
  if (at == kLongestSequence) return 0;
  if (at == text.size()) return std::nullopt;
  constexpr std::string_view kStrings = "PX]^_";  // DCS, SOS, OSC, PM, APC
  if (at == 1 && kStrings.find(text[1]) != std::string_view::npos) return 0;
  return within(text[at], csi ? '@' : '0', '~') ? at + 1 : 0;
}

}  // namespace

PlainText::PlainText(std::string_view text) : text_(text), complete_(text.size()) {
  plain_.reserve(text.size());
  std::size_t run_begin = 0;  // of the sequences that stand one behind the other
  std::size_t copied = 0;
  for (std::size_t at = text.find(kEscape); at < text.size();) {
    const std::optional<std::size_t> length = sequence_length(text.substr(at));
    if (!length) {
      complete_ = at;
      break;
    }
    if (*length == 0) {
      at = text.find(kEscape, at + 1);
      continue;
    }
    if (copied < at || sequences_.empty()) {
      plain_.append(text, copied, at - copied);
      run_begin = at;
    }
    copied = at + *length;
    sequences_.push_back({at, copied, plain_.size()});
    const bool parted = !parted_.empty() && parted_.back() == plain_.size();
    if (copied - run_begin > kLongestEscapes && !parted) parted_.push_back(plain_.size());
    at = copied < text.size() && text[copied] == kEscape ? copied : text.find(kEscape, copied);
  }
  plain_.append(text, copied, complete_ - copied);
}

/// Where the byte of `plain_` stands in the text.
std::size_t PlainText::place_of(std::size_t plain) const {
  const auto behind = std::upper_bound(sequences_.begin(), sequences_.end(), plain,
                                       [](std::size_t at, const Sequence& sequence) { return at < sequence.at; });
  return behind == sequences_.begin() ? plain : std::prev(behind)->end + (plain - std::prev(behind)->at);
}

void PlainText::find(const Matcher& matcher, std::vector<Matcher::Match>& matches) const {
  find_in_pieces(matcher, matches);
  if (matcher.has_escape() || !parted_.empty()) {
    matcher.find(text_, matches);
    return;
  }
  // What else the text has begins within a sequence: every other needle in it has been found above.
  for (const Sequence& sequence : sequences_) matcher.find_within(text_, sequence.begin + 1, sequence.end, matches);
  matcher.find_within(text_, complete_, text_.size(), matches);
}

void PlainText::find_in_pieces(const Matcher& matcher, std::vector<Matcher::Match>& matches) const {
  const std::string_view plain = plain_;
  std::size_t from = 0;
  for (std::size_t i = 0; i <= parted_.size(); ++i) {
    const std::size_t to = i < parted_.size() ? parted_[i] : plain.size();
    std::size_t next = matches.size();
    matcher.find(plain.substr(from, to - from), matches);
    for (; next < matches.size(); ++next) {
      Matcher::Match& match = matches[next];
      match = {place_of(from + match.begin), place_of(from + match.end - 1) + 1};
    }
    from = to;
  }
}

std::size_t PlainText::first_open(const Matcher& matcher) const {
  const std::size_t from = parted_.empty() ? 0 : parted_.back();
  const std::string_view last = std::string_view(plain_).substr(from);
  const std::size_t open = matcher.first_open(last);
  return open == last.size() ? complete_ : place_of(from + open);
}

std::size_t PlainText::outside_sequence(std::size_t at) const {
  const auto behind =
      std::upper_bound(sequences_.begin(), sequences_.end(), at,
                       [](std::size_t value, const Sequence& sequence) { return value < sequence.begin; });
  return behind != sequences_.begin() && at < std::prev(behind)->end ? std::prev(behind)->begin : at;
}

}  // namespace slipway::secrets
