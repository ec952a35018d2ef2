#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/text.h"
#include "os/files.h"
#include "os/subprocess.h"
#include "os/test_directory.h"

namespace slipway::source::test {

using namespace std::chrono_literals;

inline os::CallLimit limit() { return os::within(60s); }

using os::TestDirectory;

/// A real repository with a configuration of its own.
class Repository {
 public:
  explicit Repository(std::filesystem::path root) : root_(std::move(root)) {
    EXPECT_TRUE(os::make_directories(root_, 0755));
    git({"init", "-q", "-b", "main"});
  }

  /// Runs git here and returns what it says; a failure is the test's.
  std::string git(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"git", "-C", root_.string(), "-c", "user.name=Ada", "-c", "user.email=ada@x",
                                         "-c", "protocol.file.allow=always"});
    const auto output = os::run_command(
        {.argv = arguments,
         .environment = {"PATH=/usr/bin:/bin", "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C"},
         .working_dir = {},
         .fds = {}},
        1 << 20, limit());
    EXPECT_TRUE(output) << output.error().what;
    if (!output) return {};
    EXPECT_EQ(output->exit_code, 0) << join(arguments, " ") << ": " << output->err;
    return std::string(trim(output->out));
  }
  void write(const std::string& path, std::string_view text) const {
    ASSERT_TRUE(os::make_directories((root_ / path).parent_path(), 0755));
    ASSERT_TRUE(os::replace_file(root_ / path, text, 0644));
  }
  /// Commits this one change; the new commit's id.
  std::string commit(const std::string& path, std::string_view text) const {
    write(path, text);
    git({"add", "-A"});
    git({"commit", "-q", "-m", "change " + path});
    return git({"rev-parse", "HEAD"});
  }
  const std::filesystem::path& root() const { return root_; }

 private:
  std::filesystem::path root_;
};

}  // namespace slipway::source::test
