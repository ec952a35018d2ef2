#include "store/owner.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include <fmt/format.h>

#include "base/ids.h"
#include "os/file_lock.h"
#include "os/files.h"

namespace slipway::store {

namespace {

constexpr const char* kKilled = "slipway was killed";

std::filesystem::path file_of(const std::filesystem::path& state_dir, const std::string& owner) {
  return state_dir / "owners" / (owner + ".lock");
}

// `mode`: LOCK_EX for an owner; LOCK_SH for who looks whether there is one, since several may look at once.
enum class Lock { taken, held_by_other, failed };
Lock try_lock(int fd, int mode) {
  if (::flock(fd, mode | LOCK_NB) == 0) return Lock::taken;
  return errno == EWOULDBLOCK ? Lock::held_by_other : Lock::failed;
}

/// Removes the files of owners that are gone. Whoever is just claiming notices (see `claim`).
void sweep(const std::filesystem::path& state_dir) {
  const auto names = os::list_directory(state_dir / "owners");
  if (!names) return;  // the next start tries again
  for (const std::string& name : *names) {
    const auto path = state_dir / "owners" / name;
    if (path.extension() != ".lock") continue;
    const auto fd = os::open_file(path, O_RDWR);
    if (fd && try_lock(fd->get(), LOCK_SH) == Lock::taken) ::unlink(path.c_str());
  }
}

/// What the rows of a run become whose process is gone.
Result<Batch> ended(Store& store, RunRow run, Time now, std::vector<AttemptRow>& attempts) {
  Batch batch;
  SW_TRY(const auto all, store.attempts_of(run.id));
  for (AttemptRow attempt : all) {
    if (attempt.report) continue;
    attempt.report = model::AttemptReport{.attempt = attempt.id,
                                          .outcome = model::Outcome::infra_failed,
                                          .reason = kKilled,
                                          .started = attempt.started,
                                          .finished = now};
    batch.attempts.push_back(attempt);
    attempts.push_back(std::move(attempt));
  }
  SW_TRY(const auto jobs, store.jobs_of(run.id));
  for (JobRow job : jobs) {
    if (job.outcome) continue;
    job.outcome = job.attempts > 0 ? model::Outcome::infra_failed : model::Outcome::cancelled;
    job.exit_code = 0;
    job.state = model::JobState::finished;
    job.reason = kKilled;
    job.finished = now;
    if (job.attempts == 0) job.started = now;
    batch.jobs.push_back(std::move(job));
  }
  run.state = model::RunState::finished;
  run.outcome = model::Outcome::infra_failed;
  run.exit_code = model::exit_code_of(model::Outcome::infra_failed);
  run.reason = kKilled;
  run.finished = now;
  batch.runs.push_back(std::move(run));
  return batch;
}

}  // namespace

Owner::Owner(std::filesystem::path file, std::string id, os::Fd lock)
    : file_(std::move(file)), id_(std::move(id)), lock_(std::move(lock)) {}

Owner::~Owner() {
  if (lock_) ::unlink(file_.c_str());  // should it fail, the sweep of a later start finds the file unlocked
}

Result<Owner> Owner::claim(const std::filesystem::path& state_dir) {
  SW_CHECK(os::make_directories(state_dir / "owners", 0700));
  constexpr int kTries = 10;
  for (int i = 0; i < kTries; ++i) {
    std::string id = new_id();
    const auto file = file_of(state_dir, id);
    SW_TRY(os::Fd lock, os::open_file(file, O_RDWR | O_CREAT | O_EXCL, 0600));
    if (try_lock(lock.get(), LOCK_EX) != Lock::taken) continue;  // a sweep looks at it right now, and will remove it
    struct stat status{};
    if (::fstat(lock.get(), &status) == 0 && status.st_nlink > 0) return Owner(file, std::move(id), std::move(lock));
  }
  return fail(ErrorKind::unavailable, "cannot lock a file in " + (state_dir / "owners").string());
}

bool is_alive(const std::filesystem::path& state_dir, const std::string& owner) {
  const auto fd = os::open_file(file_of(state_dir, owner), O_RDWR);
  if (!fd) return fd.error().kind != ErrorKind::not_found;
  return try_lock(fd->get(), LOCK_SH) != Lock::taken;
}

Result<void> recover(Store& store, const std::filesystem::path& state_dir, Time now, const CloseAttempts& close) {
  SW_TRY(const auto suspects, store.unfinished_runs());
  std::map<std::string, bool> alive;
  bool any_dead = false;
  for (const RunRow& run : suspects) {
    const auto [at, is_new] = alive.try_emplace(run.owner, true);
    if (is_new) at->second = is_alive(state_dir, run.owner);
    any_dead = any_dead || !at->second;
  }
  if (any_dead) {
    constexpr auto kPatience = std::chrono::minutes(1);  // for another process that recovers
    SW_TRY(const auto lock,
           os::FileLock::acquire(state_dir / "recovery.lock", os::LockMode::exclusive, os::within(kPatience)));
    // Read again: an owner that looks dead may have ended its run in good order just before it went, and another
    // process may have recovered it.
    SW_TRY(const auto runs, store.unfinished_runs());
    std::vector<Batch> batches;
    std::vector<AttemptRow> attempts;
    for (const RunRow& run : runs) {
      const auto owner = alive.find(run.owner);
      if (owner == alive.end() || owner->second) continue;
      SW_TRY(batches.emplace_back(), ended(store, run, now, attempts));
    }
    if (!attempts.empty()) close(attempts);
    for (const Batch& batch : batches) SW_CHECK(store.commit(batch));
  }
  sweep(state_dir);
  return {};
}

}  // namespace slipway::store
