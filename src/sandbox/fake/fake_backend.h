#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "os/fd.h"
#include "os/wait.h"
#include "sandbox/sandbox.h"

namespace slipway::sandbox {

/// Sandboxes that isolate nothing and run nothing: what each step does is read from its script. For tests, and to
/// try a workflow's graph without its work (`slipway run --backend fake`).
///
/// One thread plays `slipway-init` for all of them (at most kMost at once), over the real leash and into real journals.
/// A script's last line decides: `true`, `false`, `exit N`, `echo TEXT` (prints TEXT), `sleep-forever` (until it is
/// cancelled or the owner goes); every other script succeeds and prints nothing. Step order and conditions are the real
/// ones.
///
/// Its sandboxes live in this process: one is an orphan when its leash is closed, and is adopted here.
class FakeBackend final : public SandboxBackend {
 public:
  static constexpr std::size_t kMost = os::kMaxWaited - 1;  ///< its thread waits for each, and to be woken

  static Result<std::unique_ptr<FakeBackend>> create();
  ~FakeBackend() override;

  Capabilities capabilities() override;
  Result<ImageFacts> prepare_image(const std::string& image, const ImageProgress& progress,
                                   const os::CallLimit& limit) override;
  Result<Started> start(const SandboxSpec& spec, const os::CallLimit& limit) override;
  Result<std::vector<SandboxId>> list_orphans() override;
  Result<Started> adopt(const SandboxId& id, const os::CallLimit& limit) override;
  Result<void> wait(const SandboxId& id, const os::CallLimit& limit) override;
  Result<Usage> usage(const SandboxId& id) override;
  Result<os::Fd> open_source_file(const SandboxId&, const std::string&) override {
    return fail(ErrorKind::not_found, "a fake sandbox has no files");
  }
  Result<void> destroy(const SandboxId& id, const os::CallLimit& limit) override;
  Result<std::vector<SandboxId>> list_abandoned() override { return std::vector<SandboxId>{}; }
  Result<void> sweep(const os::CallLimit&) override { return {}; }

 private:
  class Player;
  explicit FakeBackend(os::Fd wake);
  void play(const std::stop_token& stop);
  Result<void> play_on(std::map<SandboxId, std::unique_ptr<Player>>& players, const std::stop_token& stop);
  void end_all();
  void take_new(std::map<SandboxId, std::unique_ptr<Player>>& players);
  void mark_gone(const SandboxId& id);
  void mark_orphans(const std::map<SandboxId, std::unique_ptr<Player>>& players);
  void wake();

  // Sandboxes between `start` and `destroy`; guarded by mutex_, which is never held while a player acts.
  struct Entry {
    os::Fd leash;  // init's end, until the thread takes it
    Duration orphan_grace{0};
    os::Fd watched;       // the same end, to see from outside whether there is an owner
    bool orphan = false;  // and it waits for one
    bool wanted = true;   // false: `destroy` was called
    bool gone = false;

    void end() {
      gone = true;
      watched.reset();  // else its owner would not see its leash closed
    }
  };
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<SandboxId, Entry> entries_;
  bool is_over_ = false;  // the thread has failed
  os::Fd wake_;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace slipway::sandbox
