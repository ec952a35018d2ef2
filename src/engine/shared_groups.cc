#include "engine/shared_groups.h"

#include "base/hashed_name.h"
#include "base/ids.h"
#include "os/files.h"

namespace slipway::engine {

namespace {

constexpr std::size_t kMaxNewest = 256;
constexpr auto kPatience = std::chrono::seconds(5);  // for others that write `NAME.newest`, which takes them moments
constexpr std::string_view kCancels = " cancel_running";

}  // namespace

std::filesystem::path SharedGroups::file_of(const std::string& group, const char* extension) const {
  return directory_ / (hashed_name({group}) + extension);
}

Result<SharedGroups::Newest> SharedGroups::newest_of(const std::string& group) const {
  const auto text = os::read_file(file_of(group, ".newest"), kMaxNewest);
  if (!text && text.error().kind == ErrorKind::not_found) return Newest{};
  if (!text) return std::unexpected(text.error());
  return Newest{text->substr(0, text->find(' ')), text->ends_with(kCancels)};
}

Result<void> SharedGroups::join(const std::string& group, model::Concurrency::Policy policy, const model::Holder& who) {
  if (!are_shared()) return {};
  const auto [at, is_new] = groups_[group].tickets.try_emplace(who, new_id());
  if (!is_new || policy == model::Concurrency::Policy::queue) return {};
  SW_CHECK(os::make_directories(directory_, 0700));
  // Between reading and replacing it, nobody else does.
  SW_TRY(const os::FileLock noting,
         os::FileLock::acquire(directory_ / "newest-lock", os::LockMode::exclusive, os::within(kPatience)));
  SW_TRY(const Newest newest, newest_of(group));
  if (newest.ticket > at->second) return {};  // somebody came later and was faster
  const bool cancels = policy == model::Concurrency::Policy::cancel_running;
  return os::replace_file(file_of(group, ".newest"), at->second + std::string(cancels ? kCancels : " latest"), 0600);
}

Result<SharedGroups::Sight> SharedGroups::look(const std::string& group, const model::Holder& who) {
  if (!are_shared()) return Sight{};
  Group& known = groups_[group];
  Sight sight;
  SW_TRY(const Newest newest, newest_of(group));
  sight.newer_waits = newest.ticket > known.tickets[who];
  sight.newer_cancels = sight.newer_waits && newest.cancels;
  if (!known.lock && !sight.newer_waits) {
    SW_CHECK(os::make_directories(directory_, 0700));
    SW_TRY(known.lock, os::FileLock::try_acquire(file_of(group, ".lock"), os::LockMode::exclusive));
  }
  sight.is_ours = known.lock.has_value();
  return sight;
}

void SharedGroups::leave(const std::string& group, const model::Holder& who) {
  if (const auto at = groups_.find(group); at != groups_.end()) at->second.tickets.erase(who);
}

}  // namespace slipway::engine
