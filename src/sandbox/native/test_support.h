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
#include "sandbox/native/native_backend.h"

namespace slipway::sandbox {

class SilentLog final : public Log {
 public:
  void write(LogLevel, std::string_view, std::initializer_list<LogField>) noexcept override {}
};

/// A directory of its own for state and runtime files, removed at the end.
class TestPlace {
 public:
  TestPlace() {
    std::string pattern = std::filesystem::temp_directory_path() / "slipway-sandbox-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
    std::filesystem::permissions(path_, std::filesystem::perms(0755));
  }
  ~TestPlace() { (void)os::remove_tree(path_); }  // leftovers of a failed test are only untidy
  TestPlace(const TestPlace&) = delete;
  TestPlace& operator=(const TestPlace&) = delete;

  const std::filesystem::path& path() const { return path_; }
  native::NativeOptions options() const {
    return {.state_dir = path_ / "state", .runtime_dir = path_ / "runtime", .init_program = SLIPWAY_SHELL_INIT};
  }

 private:
  std::filesystem::path path_;
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
