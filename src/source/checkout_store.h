#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "base/error.h"
#include "base/time.h"
#include "os/call_limit.h"
#include "os/file_lock.h"

namespace slipway::source {

/// Checkouts by a key that says everything about their content: made once, shared by all jobs and processes that need
/// one, never changed. `DIRECTORY/KEY/`, and beside it `KEY.lock`, and `KEY.note` with what its maker wants to
/// remember.
class CheckoutStore {
 public:
  explicit CheckoutStore(std::filesystem::path directory) : directory_(std::move(directory)) {}

  struct Kept {
    std::filesystem::path directory;
    os::FileLock in_use;  ///< keeps it from `sweep`
  };
  /// Fills a directory that exists and is empty; gives the note.
  using Make = std::function<Result<std::string>(const std::filesystem::path& building)>;
  /// Is it still what was made? With what `Make` had given. False: it is made anew, once nobody uses it.
  using IsSound = std::function<bool(const std::filesystem::path& directory, const std::string& note)>;

  /// `key`: a name of a file. Nothing is kept of a failed `make`.
  Result<Kept> get(const std::string& key, const Make& make, const IsSound& is_sound, const os::CallLimit& limit) const;

  /// Removes those that nobody uses and that were last used before `used_before`. How many.
  Result<std::size_t> sweep(Time used_before) const;

 private:
  Result<void> build(const std::string& key, const Make& make) const;

  std::filesystem::path directory_;
};

}  // namespace slipway::source
