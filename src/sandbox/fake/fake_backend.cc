#include "sandbox/fake/fake_backend.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "os/files.h"
#include "os/wait.h"
#include "sandbox/fake/player.h"

namespace slipway::sandbox {

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
  all.notes = {"runs nothing: for tests and for trying a workflow's graph"};
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
    entries_[spec.id].leash = std::move(pair.second);
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);  // cannot fail: the count is tiny
  return Started{spec.id, std::move(pair.first)};
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
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);  // cannot fail: the count is tiny
  SW_CHECK(wait(id, limit));
  const std::scoped_lock lock(mutex_);
  entries_.erase(id);
  return {};
}

void FakeBackend::take_new(std::map<SandboxId, std::unique_ptr<Player>>& players) {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);  // only clears the wake-up
  const std::scoped_lock lock(mutex_);
  for (auto& [id, entry] : entries_) {
    if (entry.leash) players.emplace(id, std::make_unique<Player>(std::move(entry.leash)));
    if (!entry.wanted) {
      players.erase(id);
      entry.gone = true;
    }
  }
  changed_.notify_all();
}

void FakeBackend::mark_gone(const SandboxId& id) {
  const std::scoped_lock lock(mutex_);
  if (const auto found = entries_.find(id); found != entries_.end()) found->second.gone = true;
  changed_.notify_all();
}

void FakeBackend::end_all() {
  const std::scoped_lock lock(mutex_);
  is_over_ = true;
  for (auto& [id, entry] : entries_) {
    entry.leash.reset();
    entry.gone = true;
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

/// Until the next of them has something to say. An error ends them all.
Result<void> FakeBackend::play_on(std::map<SandboxId, std::unique_ptr<Player>>& players, const std::stop_token& stop) {
  std::vector<int> fds = {wake_.get()};
  std::vector<SandboxId> owners = {SandboxId()};
  for (const auto& [id, player] : players) {
    fds.push_back(player->fd());
    owners.push_back(id);
  }
  SW_TRY(const auto ready, os::wait_any_readable(fds, {stop, os::Deadline::max()}));
  for (const std::size_t index : ready) {
    if (index == 0) {
      take_new(players);
      continue;
    }
    const auto found = players.find(owners[index]);
    if (found == players.end() || found->second->advance()) continue;
    players.erase(found);
    mark_gone(owners[index]);
  }
  return {};
}

}  // namespace slipway::sandbox
