#pragma once

#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "os/files.h"
#include "os/message_socket.h"
#include "os/test_directory.h"
#include "sandbox/native/native_backend.h"

namespace slipway::sandbox {

class SilentLog final : public Log {
 public:
  void write(LogLevel, std::string_view, std::initializer_list<LogField>) noexcept override {}
};

/// A directory of its own for state and runtime files.
class TestPlace {
 public:
  TestPlace() { std::filesystem::permissions(path(), std::filesystem::perms(0755)); }

  const std::filesystem::path& path() const { return directory_.path(); }
  native::NativeOptions options() const {
    return {
        .state_dir = directory_ / "state", .runtime_dir = directory_ / "runtime", .init_program = SLIPWAY_SHELL_INIT};
  }

 private:
  os::TestDirectory directory_;
};

struct Answer {
  int code = -1;
  std::string output;
};

/// Says a command to the shell init and waits for its end.
inline Answer ask(os::MessageSocket& leash, const std::string& text) {
  const os::CallLimit limit = os::within(std::chrono::seconds(20));
  if (auto sent = leash.send(text, {}, limit); !sent) return {-1, sent.error().what};
  auto message = leash.receive(limit);
  if (!message) return {-1, message.error().what};
  const auto line = message->text.find('\n');
  return {std::atoi(message->text.c_str()), message->text.substr(line + 1)};
}

}  // namespace slipway::sandbox

namespace slipway::sandbox::native {

/// One sandbox with a shell that obeys.
class Native : public testing::Test {
 protected:
  void SetUp() override {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "init cannot enter a user namespace with a thread beside it, which ThreadSanitizer makes";
#endif
    auto made = NativeBackend::open(place_.options(), log_);
    if (!made) GTEST_SKIP() << made.error().what;
    backend_ = std::move(*made);
    spec_.id = SandboxId(new_id());
    spec_.network = model::Network::none;
  }
  void TearDown() override {
    if (!backend_) return;
    EXPECT_TRUE(backend_->destroy(spec_.id, os::within(std::chrono::seconds(10))));
  }
  void start() {
    auto started = backend_->start(spec_, os::within(std::chrono::seconds(10)));
    ASSERT_TRUE(started) << started.error().what;
    leash_ = std::make_unique<os::MessageSocket>(std::move(started->leash));
  }
  // What `command` printed, run as `who`; its exit code must be `code`.
  std::string run(const std::string& command, const std::string& who = "runner", int code = 0) {
    const Answer answer = ask(*leash_, who + " " + command);
    EXPECT_EQ(answer.code, code) << command << ": " << answer.output;
    return answer.output;
  }

  TestPlace place_;
  SilentLog log_;
  std::unique_ptr<NativeBackend> backend_;
  SandboxSpec spec_;
  std::unique_ptr<os::MessageSocket> leash_;
};

}  // namespace slipway::sandbox::native
