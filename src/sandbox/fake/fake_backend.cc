#include "sandbox/fake/fake_backend.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "os/files.h"
#include "os/wait.h"
#include "sandbox/fake/player.h"

namespace slipway::sandbox {

namespace {

constexpr auto kSeenWithin = std::chrono::seconds(10);  // by the thread: that a leash was closed

}  // namespace

Result<std::unique_ptr<FakeBackend>> FakeBackend::create() {
  os::Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return fail_errno(errno, "eventfd");
  return std::unique_ptr<FakeBackend>(new FakeBackend(std::move(wake)));
}

FakeBackend::FakeBackend(os::Fd wake)
    : wake_(std::move(wake)), thread_([this](const std::stop_token& stop) { play(stop); }) {}

FakeBackend::~FakeBackend() = default;

Capabilities FakeBackend::capabilities() {
  Capabilities all;
  all.name = "fake";
  all.limits.disk_how = "none";
  all.network_nat = true;
  all.image_directory = true;
  all.named_images = true;
  all.nested = true;
  all.notes = {"runs nothing: for tests and for trying a workflow's graph",
               "a sandbox is adopted in this process only"};
  return all;
}

Result<ImageFacts> FakeBackend::prepare_image(const std::string& image, const ImageProgress&, const os::CallLimit&) {
  ImageFacts facts;
  facts.image = image;
  facts.entrypoint = {"true"};
  return facts;
}

Result<Started> FakeBackend::start(const SandboxSpec& spec, const os::CallLimit&) {
  SW_TRY(os::SocketPair pair, os::make_socket_pair());
  {
    const std::scoped_lock lock(mutex_);
    if (is_over_) return fail(ErrorKind::unavailable, "the thread of the fake sandboxes has failed");
    if (entries_.size() >= kMost) return fail(ErrorKind::exhausted, fmt::format("more than {} fake sandboxes", kMost));
    if (entries_.contains(spec.id)) return fail(ErrorKind::conflict, "there is a sandbox " + spec.id.value);
    Entry& entry = entries_[spec.id];
    entry.orphan_grace = spec.orphan_grace;
    if (spec.orphan_grace > Duration(0)) entry.watched = os::Fd(::fcntl(pair.second.get(), F_DUPFD_CLOEXEC, 3));
    entry.leash = std::move(pair.second);
  }
  wake();
  return Started{spec.id, std::move(pair.first)};
}

Result<std::vector<SandboxId>> FakeBackend::list_orphans() {
  const std::scoped_lock lock(mutex_);
  std::vector<SandboxId> found;
  for (const auto& [id, entry] : entries_) {
    if (entry.orphan && !entry.gone) found.push_back(id);
  }
  return found;
}

Result<Started> FakeBackend::adopt(const SandboxId& id, const os::CallLimit& limit) {
  SW_TRY(os::SocketPair pair, os::make_socket_pair());
  {
    std::unique_lock lock(mutex_);
    const auto found = entries_.find(id);
    const auto has_ended = [&] {
      const auto it = entries_.find(id);
      return it == entries_.end() || it->second.gone;
    };
    const auto ended = fail(ErrorKind::not_found, "sandbox " + id.value + " has ended, or never was");
    if (has_ended()) return ended;
    pollfd leash{found->second.watched.get(), POLLIN, 0};
    const bool has_owner = ::poll(&leash, 1, 0) == 0 || (leash.revents & POLLHUP) == 0;
    if (found->second.orphan_grace <= Duration(0) || has_owner || found->second.leash)
      return fail(ErrorKind::conflict, "sandbox " + id.value + " has an owner");
    // The thread is about to see that it has none.
    const os::Deadline at_most = std::min(limit.deadline, os::Clock::now() + kSeenWithin);
    changed_.wait_until(lock, limit.stop, at_most, [&] { return has_ended() || found->second.orphan; });
    if (has_ended()) return ended;
    if (!found->second.orphan) return fail(ErrorKind::timeout, "adopting sandbox " + id.value);
    Entry& entry = found->second;
    entry.orphan = false;
    entry.watched = os::Fd(::fcntl(pair.second.get(), F_DUPFD_CLOEXEC, 3));
    entry.leash = std::move(pair.second);
  }
  wake();
  os::MessageSocket init(os::Fd(::fcntl(pair.first.get(), F_DUPFD_CLOEXEC, 3)));
  SW_TRY(const os::Message first, init.receive(limit));
  SW_TRY(const wire::ToOwner said, wire::decode_to_owner(first.text));
  const auto* kept = std::get_if<wire::Kept>(&said);
  return Started{id, std::move(pair.first), {}, kept != nullptr ? kept->note : std::string()};
}

Result<void> FakeBackend::wait(const SandboxId& id, const os::CallLimit& limit) {
  std::unique_lock lock(mutex_);
  const auto ended = [&] {
    const auto found = entries_.find(id);
    return found == entries_.end() || found->second.gone;
  };
  if (limit.deadline == os::Deadline::max()) {
    changed_.wait(lock, limit.stop, ended);
  } else {
    changed_.wait_until(lock, limit.stop, limit.deadline, ended);
  }
  if (ended()) return {};
  if (limit.stop.stop_requested()) return fail(ErrorKind::cancelled, "stop requested");
  return fail(ErrorKind::timeout, "waiting for a sandbox to end");
}

Result<Usage> FakeBackend::usage(const SandboxId& id) {
  const std::scoped_lock lock(mutex_);
  if (!entries_.contains(id)) return fail(ErrorKind::not_found, "no sandbox " + id.value);
  return Usage{};
}

Result<void> FakeBackend::destroy(const SandboxId& id, const os::CallLimit& limit) {
  {
    const std::scoped_lock lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) return {};
    found->second.wanted = false;
  }
  wake();
  SW_CHECK(wait(id, limit));
  const std::scoped_lock lock(mutex_);
  entries_.erase(id);
  return {};
}

void FakeBackend::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);  // cannot fail: the count is tiny
}

void FakeBackend::take_new(std::map<SandboxId, std::unique_ptr<Player>>& players) {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);  // only clears the wake-up
  const std::scoped_lock lock(mutex_);
  for (auto& [id, entry] : entries_) {
    if (const auto orphan = players.find(id); entry.leash && orphan != players.end()) {
      orphan->second->adopt(std::move(entry.leash));
    } else if (entry.leash) {
      players.emplace(id, std::make_unique<Player>(std::move(entry.leash), entry.orphan_grace));
    }
    if (!entry.wanted) {
      players.erase(id);
      entry.end();
    }
  }
  changed_.notify_all();
}

void FakeBackend::mark_gone(const SandboxId& id) {
  const std::scoped_lock lock(mutex_);
  if (const auto found = entries_.find(id); found != entries_.end()) found->second.end();
  changed_.notify_all();
}

void FakeBackend::end_all() {
  const std::scoped_lock lock(mutex_);
  is_over_ = true;
  for (auto& [id, entry] : entries_) {
    entry.leash.reset();
    entry.end();
  }
  changed_.notify_all();
}

void FakeBackend::play(const std::stop_token& stop) {
  try {
    std::map<SandboxId, std::unique_ptr<Player>> players;
    while (!stop.stop_requested() && play_on(players, stop)) {
    }
  } catch (const std::exception&) {  // a thread's top frame: its sandboxes are lost, which their owners see
  }
  end_all();
}

void FakeBackend::mark_orphans(const std::map<SandboxId, std::unique_ptr<Player>>& players) {
  const std::scoped_lock lock(mutex_);
  for (const auto& [id, player] : players) {
    const auto found = entries_.find(id);
    if (found != entries_.end() && player->waits_until() && !found->second.leash) found->second.orphan = true;
  }
  changed_.notify_all();
}

/// Until the next of them has something to say. An error ends them all.
Result<void> FakeBackend::play_on(std::map<SandboxId, std::unique_ptr<Player>>& players, const std::stop_token& stop) {
  std::vector<int> fds = {wake_.get()};
  std::vector<SandboxId> owners = {SandboxId()};
  os::Deadline first_grace = os::Deadline::max();
  for (const auto& [id, player] : players) {
    if (const auto until = player->waits_until()) {
      first_grace = std::min(first_grace, *until);
      continue;
    }
    fds.push_back(player->fd());
    owners.push_back(id);
  }
  const auto end = [&](const SandboxId& id) {
    players.erase(id);
    mark_gone(id);
  };
  auto ready = os::wait_any_readable(fds, {stop, first_grace});
  if (!ready && ready.error().kind != ErrorKind::timeout) return std::unexpected(ready.error());
  for (const std::size_t index : ready.value_or(std::vector<std::size_t>())) {
    if (index == 0) {
      take_new(players);
      continue;
    }
    const auto found = players.find(owners[index]);
    if (found != players.end() && !found->second->advance()) end(owners[index]);
  }
  std::vector<SandboxId> over;
  for (const auto& [id, player] : players) {
    if (player->waits_until() && *player->waits_until() <= os::Clock::now()) over.push_back(id);
  }
  for (const SandboxId& id : over) end(id);
  mark_orphans(players);
  return {};
}

}  // namespace slipway::sandbox
