#pragma once

#include <compare>
#include <functional>
#include <string>
#include <utility>

namespace slipway {

/// An opaque text id of one kind of thing; ids of different kinds do not mix.
template <class Tag>
struct Id {
  std::string value;

  Id() = default;
  explicit Id(std::string text) : value(std::move(text)) {}
  bool empty() const { return value.empty(); }
  auto operator<=>(const Id&) const = default;
};

using RunId = Id<struct RunIdTag>;
using AttemptId = Id<struct AttemptIdTag>;
using SandboxId = Id<struct SandboxIdTag>;

/// A new sortable id: 10 characters of time (ms), 10 of randomness, in lower-case Crockford base32.
/// Any thread. Ids made later in the same process sort later.
std::string new_id();

}  // namespace slipway

template <class Tag>
struct std::hash<slipway::Id<Tag>> {
  std::size_t operator()(const slipway::Id<Tag>& id) const noexcept { return std::hash<std::string>()(id.value); }
};
