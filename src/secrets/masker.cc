#include "secrets/masker.h"

#include <algorithm>
#include <vector>

#include "secrets/matcher.h"
#include "secrets/needles.h"
#include "secrets/plain_text.h"

namespace slipway::secrets {
namespace {

constexpr std::size_t kSlice = 128U << 10U;  // scanned at once: bounds what matches can take, stays in the cache

}  // namespace

SecretSet::SecretSet() : matcher_(std::make_unique<Matcher>()) {}
SecretSet::~SecretSet() = default;
SecretSet::SecretSet(SecretSet&&) noexcept = default;
SecretSet& SecretSet::operator=(SecretSet&&) noexcept = default;

Weakness SecretSet::add(std::string_view value) {
  const std::string_view secret = trimmed(value);
  if (const Weakness weakness = weakness_of(secret); weakness != Weakness::none) return weakness;
  std::vector<std::string> needles = derive_needles(secret);
  std::size_t bytes = 0;
  for (const std::string& needle : needles) bytes += needle.size();
  if (matcher_->needle_bytes() + bytes > kMostNeedleBytes) return Weakness::too_many;
  bool is_new = false;
  for (std::string& needle : needles) is_new = matcher_->add(std::move(needle)) || is_new;
  if (is_new) ++size_;
  return Weakness::none;
}

std::size_t SecretSet::needle_count() const { return matcher_->needle_count(); }

MaskingStream::MaskingStream(const SecretSet& secrets) : matcher_(secrets.matcher_.get()) {}

void MaskingStream::feed(std::string_view bytes, std::string& out) {
  if (matcher_->needle_count() == 0) {
    out.append(bytes);  // nothing can be held without needles
    return;
  }
  while (!bytes.empty()) {
    if (!held_.empty()) {
      bytes.remove_prefix(join_held(bytes, out));
      continue;
    }
    // Nothing is held: the rest is scanned where it lies, not copied.
    const std::string_view slice = bytes.substr(0, std::max(kSlice, 2 * matcher_->longest()));
    const std::size_t decided = decide(slice, Ended::no, out);
    // Held is also what hardly moves on: that grows before it is looked at again.
    const bool hold = slice.size() == bytes.size() || decided < slice.size() / 2;
    if (hold) held_ = slice.substr(decided);
    bytes.remove_prefix(hold ? slice.size() : decided);
  }
}

/// Decides what is held together with so much of `bytes` as can matter to it; returns how many of `bytes` are dealt
/// with. Afterwards nothing is held, or all that was taken is.
std::size_t MaskingStream::join_held(std::string_view bytes, std::string& out) {
  const std::size_t before = held_.size();
  const std::size_t taken = std::min(bytes.size(), std::max(before, matcher_->longest()));
  held_.append(bytes.substr(0, taken));
  const std::size_t decided = decide(held_, Ended::no, out);
  if (decided < before) {
    // A needle may still grow from within what was held: it is longer than that and all that was taken.
    held_.erase(0, decided);
    return taken;
  }
  held_.clear();
  return decided - before;
}

void MaskingStream::finish(std::string& out) {
  (void)decide(held_, Ended::yes, out);  // all of it
  held_.clear();
}

std::size_t MaskingStream::held_bytes() const { return held_.size(); }

/// Everything before the first place where a needle may still be growing is decided: no later byte changes which
/// needles lie there. A mask may reach over that place; then `covered_` remembers how far. Returns that place.
std::size_t MaskingStream::decide(std::string_view text, Ended ended, std::string& out) {
  std::size_t decided = ended == Ended::yes ? text.size() : matcher_->first_open(text);
  std::vector<Matcher::Match> matches;
  if (!PlainText::has_escapes(text)) {
    matcher_->find(text, matches);
  } else {
    const PlainText plain(text);
    plain.find(*matcher_, matches);
    if (ended == Ended::no) decided = plain.outside_sequence(std::min(decided, plain.first_open(*matcher_)));
  }
  std::sort(matches.begin(), matches.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  std::size_t masked_to = covered_;  // behind the mask that was put last
  for (const Matcher::Match& match : matches) {
    if (match.begin >= decided) break;
    if (match.begin >= masked_to) {
      out.append(text.substr(masked_to, match.begin - masked_to));
      out.append(kMask);
      ++masked_;
    }
    masked_to = std::max(masked_to, match.end);
  }
  if (masked_to < decided) out.append(text.substr(masked_to, decided - masked_to));
  covered_ = masked_to > decided ? masked_to - decided : 0;
  return decided;
}

}  // namespace slipway::secrets
