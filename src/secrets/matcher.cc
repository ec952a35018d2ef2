#include "secrets/matcher.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace slipway::secrets {
namespace {

constexpr unsigned kFirstBitmapBits = 18;  // 32 KiB: in the first-level cache
constexpr unsigned kMostBitmapBits = 23;
constexpr std::size_t kGramsPerBit = 32;  // the bitmap grows when more than one bit in this many is set
constexpr std::size_t kStretchesTried = 256;
constexpr std::size_t kUnroll = 8;

[[gnu::always_inline]] inline std::uint32_t load(const char* at) {
  std::uint32_t gram;
  std::memcpy(&gram, at, sizeof gram);
  return gram;
}
[[gnu::always_inline]] inline std::uint32_t hash(std::uint32_t gram) { return gram * 0x9E3779B1U; }

/// A gram has two bits in one word of the bitmap: the word by the hash's upper bits, the bits by those below.
struct Place {
  std::size_t word;
  unsigned first, second;
};
[[gnu::always_inline]] inline Place place(std::uint32_t gram, unsigned word_shift) {
  const std::uint32_t hashed = hash(gram);
  return {hashed >> word_shift, hashed >> (word_shift - 6) & 63U, hashed >> (word_shift - 12) & 63U};
}

std::uint32_t three(std::string_view text) {
  return static_cast<std::uint32_t>(static_cast<unsigned char>(text[0])) |
         static_cast<std::uint32_t>(static_cast<unsigned char>(text[1])) << 8U |
         static_cast<std::uint32_t>(static_cast<unsigned char>(text[2])) << 16U;
}
std::size_t two(std::string_view text) {
  return static_cast<std::size_t>(static_cast<unsigned char>(text[0])) << 8U | static_cast<unsigned char>(text[1]);
}

/// Roughly -log2 of how often a byte stands in build logs.
double rarity(char c) {
  constexpr std::string_view kCommon = "etaoinsrlcd ";
  if (kCommon.find(c) != std::string_view::npos) return 4;
  if (c >= 'a' && c <= 'z') return 6;
  if (c >= '0' && c <= '9') return 6;
  if (c == '/' || c == '.' || c == '-' || c == '_' || c == '\n' || c == ':') return 6;
  if (c >= 'A' && c <= 'Z') return 8;
  return 9;
}

/// What the inner loop needs.
struct Windows {
  std::string_view text;
  const std::uint64_t* bitmap;
  unsigned word_shift;
  std::size_t stride;
};

/// Calls `hit` for the windows whose gram may be in the table, eight looked up at a time without a branch between
/// them; returns where fewer than eight are left. Inlined, so that each caller compiles it for its own processor.
template <class F>
[[gnu::always_inline]] inline std::size_t scan(const Windows& windows, const F& hit) {
  const char* const data = windows.text.data();
  const std::size_t stride = windows.stride;
  const std::size_t last = windows.text.size() - sizeof(std::uint32_t);
  std::size_t at = 0;
  for (; at + (kUnroll - 1) * stride <= last; at += kUnroll * stride) {
    std::uint64_t hits = 0;
    for (std::size_t k = 0; k < kUnroll; ++k) {
      const Place bits = place(load(data + at + k * stride), windows.word_shift);
      const std::uint64_t word = windows.bitmap[bits.word];
      hits |= (word >> bits.first & word >> bits.second & 1U) << k;
    }
    for (; hits != 0; hits &= hits - 1) hit(at + static_cast<std::size_t>(std::countr_zero(hits)) * stride);
  }
  return at;
}

#if defined(__x86_64__)
/// BMI2's shifts by a variable cost a third of the older ones: 9 GB/s instead of 5.6 with few secrets.
template <class F>
__attribute__((target("bmi,bmi2"))) std::size_t scan_with_fast_shifts(const Windows& windows, const F& hit) {
  return scan(windows, hit);
}

bool has_fast_shifts() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("bmi2") != 0 && __builtin_cpu_supports("bmi") != 0;
}
#endif

}  // namespace

Matcher::Matcher() : first_two_(65'536) { rebuild(kFirstBitmapBits); }

bool Matcher::add(std::string needle) {
  if (known_.contains(needle)) return false;
  const auto id = static_cast<std::uint32_t>(needles_.size());
  const std::string& stored = needles_.emplace_back(std::move(needle));
  known_.insert(stored);
  needle_bytes_ += stored.size();
  longest_ = std::max(longest_, stored.size());
  has_escape_ = has_escape_ || stored.find('\x1b') != std::string::npos;
  first_byte_[static_cast<unsigned char>(stored[0])] = true;
  first_two_[two(stored)] = true;
  by_three_[three(stored)].push_back(id);

  const std::size_t stride = std::min(stride_, stored.size() - (kGram - 1));
  const bool crowded = used_slots_ * kGramsPerBit > (std::size_t{1} << bitmap_bits_) && bitmap_bits_ < kMostBitmapBits;
  if (stride < stride_ || crowded) {
    stride_ = stride;
    rebuild(crowded ? bitmap_bits_ + 1 : bitmap_bits_);
  } else {
    insert(id);
  }
  return true;
}

void Matcher::rebuild(unsigned bitmap_bits) {
  bitmap_bits_ = bitmap_bits;
  bitmap_.assign((std::size_t{1} << bitmap_bits) / 64, 0);
  slots_.assign(std::max<std::size_t>(1024, slots_.size()), Slot{});
  used_slots_ = 0;
  entries_.clear();
  for (std::uint32_t id = 0; id < needles_.size(); ++id) insert(id);
}

void Matcher::insert(std::uint32_t needle) {
  const std::string_view text = needles_[needle];
  const std::size_t from = rarest_stretch(text);
  for (std::size_t i = from; i < from + stride_; ++i) {
    insert_gram(load(text.data() + i), Entry{needle, static_cast<std::uint32_t>(i), kNone});
  }
}

void Matcher::insert_gram(std::uint32_t gram, Entry entry) {
  if ((used_slots_ + 1) * 2 > slots_.size()) grow_slots();
  const Place at_bits = place(gram, 32 - (bitmap_bits_ - 6));
  bitmap_[at_bits.word] |= std::uint64_t{1} << at_bits.first | std::uint64_t{1} << at_bits.second;
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = (hash(gram) >> 7U) & mask;
  while (slots_[at].first != kNone && slots_[at].gram != gram) at = (at + 1) & mask;
  if (slots_[at].first == kNone) ++used_slots_;
  entry.next = slots_[at].first;
  slots_[at] = {gram, static_cast<std::uint32_t>(entries_.size())};
  entries_.push_back(entry);
}

void Matcher::grow_slots() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  const std::size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.first == kNone) continue;
    std::size_t at = (hash(slot.gram) >> 7U) & mask;
    while (slots_[at].first != kNone) at = (at + 1) & mask;
    slots_[at] = slot;
  }
}

/// Where the needle's grams hit other text least often: its own guess at logs, and what other needles have (tokens
/// of one issuer begin alike).
std::size_t Matcher::rarest_stretch(std::string_view needle) const {
  const std::size_t grams = std::min(needle.size() - (kGram - 1), kStretchesTried + stride_);
  std::vector<double> cost(grams);
  for (std::size_t i = 0; i < grams; ++i) {
    double bits = 0;
    for (std::size_t k = 0; k < kGram; ++k) bits += rarity(needle[i + k]);
    cost[i] = std::exp2(-bits) + (first_entry(load(needle.data() + i)) != kNone ? 1e-6 : 0);
  }
  std::size_t best = 0;
  double least = INFINITY;
  for (std::size_t from = 0; from + stride_ <= grams; ++from) {
    double sum = 0;
    for (std::size_t i = from; i < from + stride_; ++i) sum += cost[i];
    if (sum < least) {
      least = sum;
      best = from;
    }
  }
  return best;
}

std::uint32_t Matcher::first_entry(std::uint32_t gram) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = (hash(gram) >> 7U) & mask;
  while (slots_[at].first != kNone && slots_[at].gram != gram) at = (at + 1) & mask;
  return slots_[at].first;
}

void Matcher::find(std::string_view text, std::vector<Match>& matches) const {
  if (needles_.empty() || text.size() < kGram) return;
  const Windows windows{text, bitmap_.data(), 32 - (bitmap_bits_ - 6), stride_};
  const auto hit = [&](std::size_t at) { check(text, at, matches); };
#if defined(__x86_64__)
  static const bool fast = has_fast_shifts();
  std::size_t at = fast ? scan_with_fast_shifts(windows, hit) : scan(windows, hit);
#else
  std::size_t at = scan(windows, hit);
#endif
  for (; at + kGram <= text.size(); at += stride_) check(text, at, matches);
}

void Matcher::check(std::string_view text, std::size_t at, std::vector<Match>& matches) const {
  for (std::uint32_t i = first_entry(load(text.data() + at)); i != kNone; i = entries_[i].next) {
    const Entry& entry = entries_[i];
    const std::string_view needle = needles_[entry.needle];
    if (entry.offset > at) continue;
    const std::size_t begin = at - entry.offset;
    if (text.size() - begin < needle.size()) continue;
    if (std::memcmp(text.data() + begin, needle.data(), needle.size()) == 0) {
      matches.push_back({begin, begin + needle.size()});
    }
  }
}

void Matcher::find_within(std::string_view text, std::size_t from, std::size_t to, std::vector<Match>& matches) const {
  for (std::size_t at = from; at < to && text.size() - at >= kGram; ++at) {
    const std::string_view rest = text.substr(at);
    if (!first_byte_[static_cast<unsigned char>(rest[0])] || !first_two_[two(rest)]) continue;
    const auto found = by_three_.find(three(rest));
    if (found == by_three_.end()) continue;
    for (const std::uint32_t id : found->second) {
      if (rest.starts_with(needles_[id])) matches.push_back({at, at + needles_[id].size()});
    }
  }
}

std::size_t Matcher::first_open(std::string_view text) const {
  const std::size_t reach = std::min(text.size(), longest_ == 0 ? 0 : longest_ - 1);
  for (std::size_t at = text.size() - reach; at < text.size(); ++at) {
    const std::string_view rest = text.substr(at);
    if (!first_byte_[static_cast<unsigned char>(rest[0])]) continue;
    if (rest.size() == 1) return at;
    if (!first_two_[two(rest)]) continue;
    if (rest.size() == 2) return at;
    const auto found = by_three_.find(three(rest));
    if (found == by_three_.end()) continue;
    for (const std::uint32_t id : found->second) {
      const std::string& needle = needles_[id];
      if (needle.size() > rest.size() && std::memcmp(needle.data(), rest.data(), rest.size()) == 0) return at;
    }
  }
  return text.size();
}

}  // namespace slipway::secrets
