#include "sandbox/native/identity.h"

#include <fmt/format.h>

#include "sandbox/native/setup_spec.h"

namespace slipway::sandbox::native {

namespace {

constexpr std::uint32_t kFirstHostId = 0x70000000;  // far above what people and /etc/subuid use

}  // namespace

std::uint32_t Identity::outside(std::uint32_t inside) const {
  if (runner_outside_ != 0 && inside == kRunnerId) return runner_outside_;
  switch (kind_) {
    case Kind::root: return kFirstHostId + static_cast<std::uint32_t>(slot_) * kIdsPerSlot + inside;
    case Kind::range:  // 0 is the caller, 1.. are its subordinate ids
      if (inside == kRunnerId) return 0;
      return inside < kRunnerId ? inside + 1 : inside;
    case Kind::single: return 0;
  }
  return 0;
}

std::uint32_t Identity::init_id() const { return kind_ == Kind::single ? kRunnerId : kInitId; }

os::IdMap Identity::map() const {
  std::string text;
  switch (kind_) {
    case Kind::root:
      text = fmt::format("0 {} {}\n", outside(0), runner_outside_ == 0 ? kIdsPerSlot : kRunnerId);
      if (runner_outside_ != 0) {
        text += fmt::format("{} {} 1\n{} {} {}\n", kRunnerId, runner_outside_, kRunnerId + 1, outside(kRunnerId + 1),
                            kIdsPerSlot - kRunnerId - 1);
      }
      break;
    case Kind::range:
      text = fmt::format("0 1 {0}\n{0} 0 1\n{1} {1} {2}\n", kRunnerId, kRunnerId + 1, kNobodyId - kRunnerId);
      break;
    case Kind::single: text = fmt::format("{} 0 1\n", kRunnerId); break;
  }
  return {text, text};
}

os::IdMap Identity::map_for_root_steps() const {
  // A line may not span two of the parent's. `nobody` is there: package managers give up their power to it.
  std::string text = kind_ == Kind::range ? fmt::format("0 0 {0}\n{0} {0} 1\n{1} {1} {2}\n", kRunnerId, kRunnerId + 1,
                                                        kInitId - kRunnerId - 1)
                                          : fmt::format("0 0 {}\n", kInitId);
  text += fmt::format("{0} {0} 1\n", kNobodyId);
  return {text, text};
}

os::IdMap Identity::showing(std::uint32_t owner, std::uint32_t group, std::uint32_t appears) const {
  // Identity for the others, so that their files keep valid owners: an overlay could not copy them up otherwise.
  const auto lines = [&](std::uint32_t shown) {
    std::string text;
    if (shown > 0) text += fmt::format("0 0 {}\n", shown);
    text += fmt::format("{} {} 1\n", shown, outside(appears));
    text += fmt::format("{0} {0} {1}\n", shown + 1, kFirstHostId - shown - 1);
    return text;
  };
  return {lines(owner), lines(group)};
}

os::IdMap Identity::showing_shared(std::uint32_t owner) const {
  const std::string text = fmt::format("{} {} 1\n", owner, outside(kRunnerId));
  return {text, text};
}

}  // namespace slipway::sandbox::native
