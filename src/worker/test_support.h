#pragma once

#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "os/bundle.h"
#include "os/files.h"
#include "os/test_directory.h"

namespace slipway::worker::test {

using os::TestDirectory;

/// Writes to `fd` the bundle of these files.
inline void write_bundle(int fd, const std::vector<std::pair<std::string, std::string>>& files) {
  const TestDirectory tree;
  for (const auto& [path, text] : files) {
    ASSERT_TRUE(os::make_directories((tree.path() / path).parent_path(), 0755));
    ASSERT_TRUE(os::replace_file(tree.path() / path, text, 0644));
  }
  const auto root = os::open_file(tree.path(), O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(root);
  ASSERT_TRUE(os::pack(root->get(), {"."}, fd, os::Links::inside, {}));
}

}  // namespace slipway::worker::test
